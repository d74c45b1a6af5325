package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"muniment/anchor/bounded"
	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/vault/budget"
	"muniment/vault/keys/local"
	"muniment/vault/objects"
)

// Storage is a data folder and the services that keep what is not in it, open as far as that needs no journal.
type Storage struct {
	Folder  Folder
	Found   State
	ID      journal.ID // of the journal; zero while it cannot be told
	noted   uint64     // the size of the checkpoint that was written down last
	Backend journal.Backend
	Release Store
	Objects Store
	Memory  *budget.Memory // that requests share; of OpenStores
	Keys    *Keys

	begun     beginning // by first starts of this folder that broke off
	keysThere bool      // the key file

	readsWithoutLease bool
	readOnly          bool // nothing is written, not even a lock
}

// Opener opens storage: [OpenStorage], but for tests that put faults between.
type Opener func(ctx context.Context, cfg config.Config, log *slog.Logger) (*Storage, error)

// Embedded is the configuration of a data folder that everything is in.
func Embedded(f Folder) config.Config {
	cfg := config.Default()
	cfg.Data = string(f)
	return cfg
}

// OpenStorage opens what is configured, or makes it where there is nothing yet.
func OpenStorage(ctx context.Context, cfg config.Config, log *slog.Logger) (*Storage, error) {
	return OpenStorageIf(ctx, cfg, log, func(found State) error {
		drill, err := Folder(cfg.Data).IsDrill()
		switch {
		case err != nil:
			return fmt.Errorf("looking into the data folder: %w", err)
		case drill:
			return cli.Hint(fmt.Errorf("%s was restored for looking at only", cfg.Data),
				"to serve it, move journal.db and the file drill away, and run muniment restore without --drill")
		case found != Unrestored:
			return nil
		}
		return cli.Hint(fmt.Errorf("%s has no journal.db, and the release bucket has a journal", cfg.Data),
			"if this is where it was lost, run muniment restore, which proves that the bucket was not put back to an "+
				"earlier time; if it is another installation's bucket, name your own")
	})
}

// OpenExisting opens what is configured, to be read only: it makes and writes nothing in the folder, not even a lock,
// so that the folder may lie on a read-only medium.
func OpenExisting(ctx context.Context, cfg config.Config, log *slog.Logger) (*Storage, error) {
	s := &Storage{readOnly: true}
	return s.open(ctx, cfg, log, func(found State) error {
		switch found {
		case Fresh:
			return cli.Hint(fmt.Errorf("there is no vault in %s", cfg.Data),
				"name its folder with --data, or its configuration with --config")
		case Unrestored:
			return cli.Hint(fmt.Errorf("%s has no journal.db", cfg.Data),
				"muniment restore makes it anew from the release bucket; check it then")
		}
		return nil
	})
}

// OpenStorageIf opens the parts one by one, once it is known what there is and permit agrees. Services come before
// anything is made in a fresh folder, so that a first start that one of them refuses can simply be repeated.
func OpenStorageIf(ctx context.Context, cfg config.Config, log *slog.Logger, permit func(State) error) (*Storage,
	error) {
	return (&Storage{}).open(ctx, cfg, log, permit)
}

// open is OpenStorageIf over what the storage says already.
func (s *Storage) open(ctx context.Context, cfg config.Config, log *slog.Logger,
	permit func(State) error) (opened *Storage, err error) {
	s.Folder, s.readsWithoutLease = Folder(cfg.Data), cfg.Release.ReadsWithoutLease
	defer func() {
		if err != nil {
			locked := errors.Is(err, local.ErrLocked) || errors.Is(err, bolt.ErrInUse)
			err = errors.Join(fmt.Errorf("opening the data folder: %w", err), s.Close())
			if locked {
				err = cli.Hint(err, "a muniment process serves or checks this folder; one process at a time: stop "+
					"it first")
			}
			opened = nil
		}
	}()
	if err = checkSecrets(cfg); err != nil {
		return s, err
	}
	if err = s.find(ctx, cfg, log); err != nil {
		return s, err
	}
	if err = permit(s.Found); err != nil {
		return s, err
	}
	if err = s.openServices(ctx, cfg, log); err != nil {
		return s, err
	}
	if err = s.openParts(ctx, cfg, log); err != nil {
		return s, err
	}
	backend, err := bolt.Open(bolt.Config{Path: s.Folder.Journal(), Create: s.Found != Whole,
		ReadOnly: s.readOnly, Log: log})
	if err != nil {
		return s, cli.Hint(err, backendAdvice(err))
	}
	s.Backend = backend
	return s, s.identify(ctx)
}

// openParts opens what is in the folder, or begins it, once nothing says that the stores are somebody else's.
func (s *Storage) openParts(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if s.Found != Fresh {
		return s.openFolder(ctx, cfg, log, false)
	}
	again := len(s.begun.Journals) > 0
	if s.ID, err = journal.NewID(journal.SystemClock{}.Now(), rand.Reader); err != nil {
		return err
	}
	if s.Objects != nil && !again { // before anything is made
		if err := s.refuseOccupied(ctx); err != nil {
			return err
		}
	}
	s.begun.Journals = append(s.begun.Journals, s.ID)
	if err := s.Folder.begin(s.begun); err != nil {
		return err
	}
	if err := s.openFolder(ctx, cfg, log, true); err != nil {
		return err
	}
	if again {
		if err := s.clearBeginning(ctx); err != nil {
			return err
		}
	}
	if err := s.refuseOccupied(ctx); err != nil {
		return err
	}
	return s.Claim(ctx, s.ID)
}

// refuseOccupied refuses to begin a journal in stores that are, or were, another's.
func (s *Storage) refuseOccupied(ctx context.Context) error {
	if _, err := s.checkOwners(ctx, s.ID); err != nil {
		return err
	}
	return s.refuseUsed(ctx)
}

// identify finds out which journal it is, and refuses stores that are another's.
func (s *Storage) identify(ctx context.Context) (err error) {
	switch s.Found {
	case Fresh:
		return nil
	case Whole:
		err = s.Backend.View(ctx, func(r journal.Reader) (err error) {
			s.ID, err = journal.ReadID(r)
			return err
		})
		if err != nil {
			return cli.Hint(err, "move journal.db away and run muniment restore")
		}
	case Unrestored:
		head, err := journal.ReadReleased(ctx, objects.NewBucket(s.Release), nil)
		if err != nil {
			return nil //nolint:nilerr // a restore says what is wrong with it, and what to do
		}
		s.ID = head.Journal
	}
	_, err = s.checkOwners(ctx, s.ID)
	return err
}

// openServices opens what is configured outside of the folder. A journal that is to begin, or to come back, will have
// to be signed: that there is no key for it is said before.
func (s *Storage) openServices(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if cfg.Storage.Kind == config.StorageS3 {
		if err := s.OpenStores(ctx, cfg, log, false); err != nil {
			return err
		}
	}
	if cfg.Keys.Kind == config.KeysVault {
		if err := s.openVaultKeys(ctx, cfg, log); err != nil {
			return err
		}
	}
	return nil
}

// openFolder opens what is in the folder instead of with a service, or makes it.
func (s *Storage) openFolder(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (err error) {
	if s.Keys == nil {
		if s.readOnly {
			s.Keys, err = readKeys(s.Folder)
		} else {
			s.Keys, err = OpenKeys(ctx, cfg, log, create && !s.keysThere)
		}
		if err != nil {
			return err
		}
	}
	if s.Objects == nil {
		err = s.OpenStores(ctx, cfg, log, create)
	}
	return err
}

// backendAdvice is what to do about a database file that cannot be opened.
func backendAdvice(err error) string {
	if errors.Is(err, syscall.ENOMEM) {
		return "lift the limit of addresses (ulimit -v, RLIMIT_AS), and limit memory by a cgroup (MemoryMax= in a unit)"
	}
	return "if the file is damaged, move it away and run muniment restore"
}

// checkSecrets refuses files with secrets that everybody can read.
func checkSecrets(cfg config.Config) error {
	for _, path := range cfg.SecretFiles() {
		if err := config.CheckSecretFile(path); err != nil {
			return err
		}
	}
	return nil
}

// OpenJournal opens the journal, or creates the one of a fresh folder. One whose file is gone comes back from the
// release bucket. origin may be empty. before is asked before anything is committed, shipped or signed; it may be nil.
func (s *Storage) OpenJournal(ctx context.Context, origin string, log *slog.Logger,
	before func(context.Context) error) (j *journal.Journal, err error) {
	if s.Found == Fresh && origin == "" {
		origin = "muniment/" + s.ID.String()
	}
	signer, err := s.Keys.Signer(local.Checkpoint)
	if err != nil {
		return nil, err
	}
	remembered, err := bounded.ReadFile(s.Folder.Checkpoint(), bounded.Small)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	j, err = journal.Open(ctx, journal.Config{
		Backend: s.Backend, Bucket: objects.NewBucket(s.Release), Signer: signer,
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log, Definitions: Definitions(),
		Origin: origin, ID: s.ID, ShippingKeys: ShippingKeys{s.Keys}, LocalKey: localKey{s.Folder},
		Create:     s.Found == Fresh,
		Remembered: remembered, Before: before,
		Place: s.place(log), ReadsWithoutLease: s.readsWithoutLease,
	})
	if err != nil && s.Found == Fresh && s.releasedByAnother(ctx) {
		return j, cli.Hint(err, anotherBegan)
	}
	if _, has := cli.HintOf(err); has {
		return j, err
	}
	return j, openHint(err)
}

// openHint says what to do about a journal that cannot be opened.
func openHint(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrUnconditional):
		return cli.Hint(err, noConditions)
	case errors.Is(err, journal.ErrHeld):
		return cli.Hint(err, "one server serves a pair of buckets: stop the other one, or name other buckets; a start "+
			"goes on at once where the other has stopped cleanly")
	case errors.Is(err, journal.ErrContradicts):
		return cli.Hint(err, "journal.db and the release bucket are not of one history: if journal.db is the older "+
			"or the wrong one, move it away and run "+
			"muniment restore; if the bucket is, put the newer one back; when that is lost, muniment restore "+
			"--accept-loss says what it would cost")
	case errors.Is(err, journal.ErrDamaged):
		return cli.Hint(err, "if it is journal.db, move it away and run muniment restore; if it is the bucket, put "+
			"back what is missing from a backup; when that is lost, muniment restore --accept-loss says what it "+
			"would cost")
	case errors.Is(err, journal.ErrMissing):
		return cli.Hint(err, "name the stores of the journal, or run muniment restore --from a backup")
	case errors.Is(err, journal.ErrFull):
		return cli.Hint(err, "make room on the disk of the data folder, and start again")
	case errors.Is(err, objects.ErrUnavailable):
		return cli.Hint(err, "the release bucket must answer when a server starts; muniment doctor says more")
	}
	return advised(err)
}

// noConditions is what to do about a release bucket that honours no conditions.
const noConditions = "use a store that honours If-None-Match and If-Match for the release bucket: without, two " +
	"servers could sign two histories"

// place is where the journal's file lies; empty, with a warning, when that cannot be told.
func (s *Storage) place(log *slog.Logger) string {
	place, err := bolt.Place(s.Folder.Journal())
	if err != nil {
		log.Warn("the journal's file does not say where it lies; after a crash the start will wait for the end of the "+
			"lease", "error", err)
	}
	return place
}

// anotherBegan is what to do when a first start is overtaken.
const anotherBegan = "another server has begun a journal in the release bucket meanwhile; one server serves a " +
	"pair of buckets: " +
	"remove this one's data folder, in which nothing was deposited, and use that server, or name other buckets"

// releasedByAnother says whether there is a journal in the release bucket by now.
func (s *Storage) releasedByAnother(ctx context.Context) bool {
	there, err := released(ctx, s.Release, "")
	return err == nil && there
}

// Remember writes a checkpoint down, for a start while the key service is down. It need not be the newest one, so
// nothing is synced: half of one counts for nothing.
func (s *Storage) Remember(c journal.Checkpoint) error {
	if c.Size == s.noted {
		return nil
	}
	path := s.Folder.Checkpoint()
	if err := os.WriteFile(path+".new", c.Note, 0o600); err != nil {
		return fmt.Errorf("writing a checkpoint down: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing a checkpoint down: %w", err)
	}
	s.noted = c.Size
	return nil
}

// Close lets go of everything.
func (s *Storage) Close() error {
	var errs []error
	if s.Backend != nil {
		errs = append(errs, s.Backend.Close())
	}
	for _, store := range []Store{s.Release, s.Objects} {
		if store != nil {
			errs = append(errs, store.Close())
		}
	}
	if s.Keys != nil {
		errs = append(errs, s.Keys.Close())
	}
	return errors.Join(errs...)
}
