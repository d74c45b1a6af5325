package evidence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// noteText checks the form of a signed note (C2SP signed-note) and returns its text and how many have signed it. It is
// stricter than note.Open where that one would read two different notes alike: base64 in other than its one form, and
// second signatures by one key.
func noteText(signed string) (text string, signatures int, err error) {
	split := strings.LastIndex(signed, "\n\n")
	if split < 0 || !strings.HasSuffix(signed, "\n") {
		return "", 0, errors.New("not a signed note")
	}
	text, lines := signed[:split+1], signed[split+2:]
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— ")
		name, encoded, found := strings.Cut(rest, " ")
		if !ok || !found || !isName(name) {
			return "", 0, errors.New("a signature line is not of the form of a signed note's")
		}
		signature, err := unbase64(encoded)
		if err != nil {
			return "", 0, fmt.Errorf("a signature is %w", err)
		}
		if len(signature) < 5 {
			return "", 0, errors.New("a signature is too short")
		}
		key := name + " " + string(signature[:4])
		if seen[key] {
			return "", 0, errors.New("one key has signed twice")
		}
		seen[key] = true
	}
	if len(seen) == 0 {
		return "", 0, errors.New("the note is not signed")
	}
	return text, len(seen), nil
}

// checkSignature says whether one of the keys has signed the note, as a reason if not.
func checkSignature(signed string, keys []string) error {
	var known []note.Verifier
	for _, key := range keys {
		verifier, err := parseKey(key)
		if err != nil {
			return err
		}
		known = append(known, verifier)
	}
	if _, _, err := noteText(signed); err != nil {
		return err
	}
	_, err := note.Open([]byte(signed), note.VerifierList(known...))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return errors.New("the signature is not valid")
	case errors.As(err, &unverified):
		return errors.New("it is not signed by a key that the policy trusts for it")
	case err != nil:
		return fmt.Errorf("reading the note: %w", err)
	}
	return nil
}

// parseKey reads a note verifier key, "name+hash+key", of an Ed25519 key, in its one form.
func parseKey(vkey string) (note.Verifier, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("reading a note verifier key: %w", err)
	}
	_, rest, _ := strings.Cut(vkey, "+")
	hash, encoded, _ := strings.Cut(rest, "+")
	if _, err := unbase64(encoded); err != nil || hash != fmt.Sprintf("%08x", verifier.KeyHash()) ||
		!isName(verifier.Name()) {
		return nil, errors.New("a note verifier key is not in its one form")
	}
	return verifier, nil
}

// head is what a checkpoint or a block says of the log.
type head struct {
	Origin string
	Size   uint64
	Root   [HashSize]byte
}

// parseCheckpoint reads a C2SP tlog-checkpoint without extension lines. It does not check the signature.
func parseCheckpoint(signed string) (head, error) {
	text, _, err := noteText(signed)
	if err != nil {
		return head{}, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return head{}, errors.New("it has other lines than origin, size and root")
	}
	return parseHead(lines[0], lines[1], lines[2])
}

func parseHead(origin, size, root string) (head, error) {
	h := head{Origin: origin}
	if !isName(origin) {
		return h, errors.New("the origin is not a key name")
	}
	var err error
	if h.Size, err = parseDecimal(size); err != nil || h.Size == 0 || h.Size > 1<<62 {
		return h, errors.New("the size is not a positive decimal number")
	}
	raw, err := unbase64(root)
	if err != nil || len(raw) != HashSize {
		return h, fmt.Errorf("the root is not %d bytes of base64", HashSize)
	}
	h.Root = [HashSize]byte(raw)
	return h, nil
}

func parseDecimal(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("not a decimal number in its one form")
	}
	return n, nil
}
