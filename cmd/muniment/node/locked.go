package node

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/vault"
	"muniment/vault/checkpoints"
	"muniment/vault/objects"
)

// ErrOlder says that a journal is older than a checkpoint of it that was locked in the documents' store, or another.
var ErrOlder = errors.New("the journal does not hold what was signed: the database and the release bucket were both " +
	"put back to an earlier time, or replaced")

// VerifierKeys are the keys of all origins that a journal has had, those included that it has lost.
func VerifierKeys(eras []journal.Era) ([]string, error) {
	var keys []string
	for _, era := range eras {
		keys = append(keys, era.Key)
		if era.Lost == nil || era.Lost.Origin == "" {
			continue
		}
		_, rest, _ := strings.Cut(era.Key, "+")
		_, encoded, _ := strings.Cut(rest, "+")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) != 1+ed25519.PublicKeySize {
			return nil, fmt.Errorf("the key of the origin %s cannot be read", era.Origin)
		}
		key, err := note.NewEd25519VerifierKey(era.Lost.Origin, raw[1:])
		if err != nil {
			return nil, fmt.Errorf("naming the key of the origin %s: %w", era.Lost.Origin, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// View looks into a snapshot of a journal.
type View func(ctx context.Context, fn func(journal.Reader) error) error

// CompareLocked holds a journal against the newest checkpoint of it that is locked in the documents' store, which it
// returns; the zero one when there is none. ErrOlder when the journal does not contain it, or when one is there that
// was signed under an origin that the journal does not know. passed, if not nil, is told how many objects were passed
// over that the journal has not signed.
func CompareLocked(ctx context.Context, store objects.Store, view View, passed func(int)) (checkpoints.Kept, error) {
	kept, err := newestLocked(ctx, store, view, passed)
	switch {
	case errors.Is(err, checkpoints.ErrNone):
		return checkpoints.Kept{Strangers: kept.Strangers}, nil
	case errors.Is(err, checkpoints.ErrLaterOrigin):
		return kept, cli.Hint(fmt.Errorf("%w: %w", ErrOlder, err), olderHint)
	case err != nil:
		return kept, cli.Hint(err, "the documents' store must answer when a journal is compared with it")
	}
	err = view(ctx, func(r journal.Reader) error {
		root, err := journal.TreeRoot(r, kept.Size)
		if errors.Is(err, journal.ErrNotFound) {
			return fmt.Errorf("a checkpoint at %d of %s is locked in the documents' store, which is beyond its end: %w",
				kept.Size, kept.Origin, ErrOlder)
		}
		if err == nil && root != kept.Root {
			err = fmt.Errorf("a checkpoint at %d of %s is locked in the documents' store, whose root is %s and not "+
				"%s: %w",
				kept.Size, kept.Origin, kept.Root, root, ErrOlder)
		}
		return err
	})
	if err != nil {
		err = cli.Hint(err, olderHint)
	}
	return kept, err
}

// olderHint is what to do about a journal that is older than what was seen of it.
const olderHint = "look for a newer copy of the release bucket, put it back, move journal.db away and run muniment " +
	"restore; when it is lost, muniment restore --accept-loss says what it would cost"

// newestLocked is the newest locked checkpoint of a journal's present origin.
func newestLocked(ctx context.Context, store objects.Store, view View, passed func(int)) (checkpoints.Kept, error) {
	var id journal.ID
	var eras []journal.Era
	err := view(ctx, func(r journal.Reader) (err error) {
		if id, err = journal.ReadID(r); err != nil {
			return err
		}
		eras, err = journal.Eras(r)
		return err
	})
	if err != nil {
		return checkpoints.Kept{}, err
	}
	keys, err := VerifierKeys(eras)
	if err != nil {
		return checkpoints.Kept{}, err
	}
	return checkpoints.Newest(ctx, checkpoints.Search{
		Store: store, Journal: id, Origin: eras[len(eras)-1].Origin, Keys: keys, Passed: passed,
	})
}

// Strangers tells somebody who waits that very many objects are passed over that a journal has not signed.
func Strangers(w io.Writer) func(int) {
	return func(n int) {
		_, _ = fmt.Fprintf(w, "passed over %d objects among the locked checkpoints that no key of the journal has "+
			"signed; going on\n", n)
	}
}

// logStrangers logs it instead.
func logStrangers(log *slog.Logger) func(int) {
	return func(n int) {
		log.Warn("very many objects among the locked checkpoints are signed by no key of the journal; going on",
			"passed over", n)
	}
}

// NewKeeper makes the worker that keeps a journal's newest checkpoint under a lock, when the journal was compared with
// what is locked.
func NewKeeper(j *journal.Journal, store objects.Store, newest checkpoints.Kept, weaker func(context.Context) string,
	log *slog.Logger) (*checkpoints.Keeper, error) {
	keys, err := VerifierKeys(j.Eras())
	if err != nil {
		return nil, err
	}
	return checkpoints.New(checkpoints.Config{
		Journal: j, ID: j.ID(), Keys: keys, Store: store, Clock: journal.SystemClock{}, Log: log,
		Newest: newest, Weaker: weaker, Locked: []string{objects.DocumentsOwner},
	})
}

// Weaker says why the locks of the documents' store bind less than they should; the function returns an empty text
// where they do not.
func Weaker(c config.Storage, v *vault.Vault) func(context.Context) string {
	return func(ctx context.Context) string {
		if c.Kind != config.StorageS3 {
			return "the documents lie in a folder, whose locks are this program's own rule"
		}
		if c.S3.Lock == config.LockGovernance {
			return "storage.s3.lock is governance: whoever has the store's right to bypass locks can delete checkpoints"
		}
		if enforced, err := v.EnforcesLocks(ctx); err != nil || !enforced {
			return "the documents' store was not seen to enforce its locks"
		}
		return ""
	}
}
