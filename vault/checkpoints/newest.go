package checkpoints

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/journal"
	"muniment/vault/objects"
)

const (
	// page is how many objects that count for nothing are passed over.
	page = 1000
	// maxNote is the size of the largest checkpoint that is read: three lines of text and a signature are far smaller.
	maxNote = 4 << 10
)

// Newest finds the largest kept checkpoint of an origin. keys are the verifier keys (name+hash+key) of all origins that
// the journal has had; an origin of the name that none of them has, signed by one of these keys all the same, is
// ErrLaterOrigin, and the checkpoint is returned with it. Objects that no key of ours has signed count for nothing,
// and so does a checkpoint under another key than its own.
//
// Only a bounded number of objects that count for nothing is looked at: ErrJunk. ErrNone when there is no checkpoint.
func Newest(ctx context.Context, store objects.Store, id journal.ID, origin string, keys []string) (Kept, error) {
	found, err := newest(ctx, store, id, origin, keys)
	if err != nil {
		return found, fmt.Errorf("looking for the newest locked checkpoint: %w", err)
	}
	return found, nil
}

func newest(ctx context.Context, store objects.Store, id journal.ID, origin string, keys []string) (Kept, error) {
	ours, err := newVerifiers(keys)
	if err != nil {
		return Kept{}, err
	}
	junk, seen := 0, map[string]bool{}
	for info, err := range store.List(ctx, prefixOf(id), "") {
		if err != nil {
			return Kept{}, err
		}
		found, ok, err := read(ctx, store, id, info, ours)
		if err != nil {
			return Kept{}, err
		}
		one := found.Origin + " " + strconv.FormatUint(found.Size, 10) + " " + strconv.FormatBool(found.mark)
		switch {
		case ok && found.Origin == origin && !found.mark:
			return found, nil
		case ok && !ours.names[found.Origin]:
			return found, fmt.Errorf("%s at %d: %w", found.Origin, found.Size, ErrLaterOrigin)
		case ok && !seen[one]: // an origin of ours that has ended, or a mark
			seen[one] = true
			continue
		}
		if junk++; junk == page {
			return Kept{}, fmt.Errorf("%d under %s: %w", junk, prefixOf(id), ErrJunk)
		}
	}
	return Kept{}, ErrNone
}

// read reads an object and judges it; ok is false when it is no checkpoint of ours, or gone again.
func read(ctx context.Context, store objects.Store, id journal.ID, info objects.Info,
	ours *verifiers) (k Kept, ok bool, err error) {
	if info.Size > maxNote {
		return Kept{}, false, nil
	}
	body, stat, err := store.Get(ctx, info.Key, info.Version, nil)
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrDamaged) {
		return Kept{}, false, nil
	}
	if err != nil {
		return Kept{}, false, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxNote+1))
	if errors.Is(err, objects.ErrDamaged) {
		return Kept{}, false, nil
	}
	if err != nil {
		return Kept{}, false, err
	}
	if k, ok = ours.open(raw); !ok || k.Size == 0 {
		return Kept{}, false, nil
	}
	if k.mark = info.Key == originKey(id, k.Origin); !k.mark && info.Key != Key(id, k.Size) {
		return Kept{}, false, nil
	}
	k.Key, k.Version, k.At, k.Until = info.Key, info.Version, info.Modified, stat.RetainUntil
	return k, true, nil
}

// verifiers open what the keys have signed, under whatever name.
type verifiers struct {
	names map[string]bool // of the keys: the origins that the journal has had
	keys  [][]byte        // Ed25519 public keys
}

// keyBytes are the bytes of a verifier key: the algorithm and an Ed25519 public key.
const keyBytes = 1 + 32

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
		if err != nil || len(raw) != keyBytes {
			return nil, errors.New("a verifier key is not an Ed25519 key")
		}
		v.names[verifier.Name()] = true
		if !slices.ContainsFunc(v.keys, func(k []byte) bool { return string(k) == string(raw[1:]) }) {
			v.keys = append(v.keys, raw[1:])
		}
	}
	return v, nil
}

// open reads a signed checkpoint; false when no key has signed it, or it is none.
func (v *verifiers) open(signed []byte) (Kept, bool) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	var all []note.Verifier
	for _, raw := range v.keys {
		key, err := note.NewEd25519VerifierKey(origin, raw)
		if err != nil {
			return Kept{}, false
		}
		verifier, err := note.NewVerifier(key)
		if err != nil { // the first line is no name
			return Kept{}, false
		}
		all = append(all, verifier)
	}
	opened, err := note.Open(signed, note.VerifierList(all...))
	if err != nil {
		return Kept{}, false
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return Kept{}, false
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return Kept{}, false
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Kept{}, false
	}
	return Kept{Origin: origin, Size: size, Root: root, Note: signed}, true
}
