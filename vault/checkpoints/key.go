package checkpoints

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

// Key is the key of a journal's signed checkpoint:
//
//	<Prefix><journal id>/<reversed size>.<root and signature>.<origin>
//
// The reversed size has twenty digits. Root and signature (Ed25519, without the note's hash of the key) are in base64
// for file names (RFC 4648, section 5), without padding. The origin's characters "_", "/", ":" and "." are "__", "_s",
// "_c" and "_d". An origin that is longer than an element of a key may be goes on in the next one.
func Key(id journal.ID, c journal.Checkpoint) (string, error) {
	signature, err := signatureOf(c)
	if err != nil {
		return "", err
	}
	return prefixOf(id) + name(c, signature), nil
}

// markPrefix begins the keys of checkpoints that stay as the mark of an origin that began later than the first. Marks
// list before all other checkpoints, so that a copy of the journal from before the origin is told from it at once,
// whatever the sizes of its checkpoints.
func markPrefix(id journal.ID, origin string) string {
	digest := sha256.Sum256([]byte(origin))
	return prefixOf(id) + "-" + hex.EncodeToString(digest[:16]) + "/"
}

func name(c journal.Checkpoint, signature []byte) string {
	all := fmt.Sprintf("%020d.%s.%s", math.MaxUint64-c.Size,
		encoding.EncodeToString(slices.Concat(c.Root[:], signature)), escaped.Replace(c.Origin))
	for at := objects.MaxElement; at < len(all); at += objects.MaxElement + 1 {
		all = all[:at] + "/" + all[at:]
	}
	return all
}

// escaped writes an origin with the characters that an element of a key may have, and unescaped reads it.
var (
	escaped   = strings.NewReplacer("_", "__", "/", "_s", ":", "_c", ".", "_d")
	unescaped = strings.NewReplacer("__", "_", "_s", "/", "_c", ":", "_d", ".")
)

// encoding has one text for each value.
var encoding = base64.RawURLEncoding.Strict()

// signatureOf is the signature of a signed checkpoint, which must be of this very head.
func signatureOf(c journal.Checkpoint) ([]byte, error) {
	_, line, _ := strings.Cut(string(c.Note), "\n\n")
	line, ok := strings.CutPrefix(line, "\u2014 "+c.Origin+" ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
	if !ok || err != nil || len(raw) != 4+ed25519.SignatureSize || !strings.HasPrefix(string(c.Note), text(c)+"\n") {
		return nil, errors.New("a checkpoint is not signed as it should be")
	}
	return raw[4:], nil
}

// text is what is signed (C2SP tlog-checkpoint).
func text(c journal.Checkpoint) string { return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root) }

// verifiers tell what the keys have signed, under whatever origin.
type verifiers struct {
	names map[string]bool // of the keys: the origins that the journal has had
	keys  []ed25519.PublicKey
}

func newVerifiers(keys []string) (*verifiers, error) {
	v := &verifiers{names: map[string]bool{}}
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("a verifier key cannot be read: %w", err)
		}
		_, rest, _ := strings.Cut(key, "+") // the key itself may have a plus sign, too
		_, encoded, _ := strings.Cut(rest, "+")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) != 1+ed25519.PublicKeySize {
			return nil, errors.New("a verifier key is not an Ed25519 key")
		}
		v.names[verifier.Name()] = true
		public := ed25519.PublicKey(raw[1:])
		if !slices.ContainsFunc(v.keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, public) }) {
			v.keys = append(v.keys, public)
		}
	}
	return v, nil
}

// open reads a key: the checkpoint that it has, if one of our keys has signed that.
func (v *verifiers) open(id journal.ID, key string) (Kept, bool) {
	rest, ok := strings.CutPrefix(key, prefixOf(id))
	marks, inside, _ := strings.Cut(rest, "/")
	mark := strings.HasPrefix(marks, "-")
	if mark {
		rest = inside
	}
	c, signature, parsed := parseName(rest)
	if !ok || !parsed || mark && key != markPrefix(id, c.Origin)+rest {
		return Kept{}, false
	}
	for _, public := range v.keys {
		if !ed25519.Verify(public, []byte(text(c)), signature) {
			continue
		}
		verifierKey, err := note.NewEd25519VerifierKey(c.Origin, public)
		if err != nil {
			return Kept{}, false
		}
		verifier, err := note.NewVerifier(verifierKey)
		if err != nil { // the origin is no name of a key
			return Kept{}, false
		}
		line := append(binary.BigEndian.AppendUint32(nil, verifier.KeyHash()), signature...)
		signed := fmt.Sprintf("%s\n\u2014 %s %s\n", text(c), c.Origin, base64.StdEncoding.EncodeToString(line))
		return Kept{Origin: c.Origin, Size: c.Size, Root: c.Root, Note: []byte(signed), Key: key, mark: mark}, true
	}
	return Kept{}, false
}

// parseName takes the last elements of a key apart; false unless they are what name makes.
func parseName(in string) (c journal.Checkpoint, signature []byte, ok bool) {
	parts := strings.Split(strings.ReplaceAll(in, "/", ""), ".")
	if len(parts) != 3 {
		return c, nil, false
	}
	reversed, err := strconv.ParseUint(parts[0], 10, 64)
	raw, err2 := encoding.DecodeString(parts[1])
	if errors.Join(err, err2) != nil || len(raw) != len(c.Root)+ed25519.SignatureSize {
		return c, nil, false
	}
	c = journal.Checkpoint{Origin: unescaped.Replace(parts[2]), Size: math.MaxUint64 - reversed}
	signature = raw[copy(c.Root[:], raw):]
	return c, signature, c.Size > 0 && c.Size <= math.MaxInt64 && name(c, signature) == in
}
