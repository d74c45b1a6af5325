package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/vault/objects"
)

// find says what there is: in the folder, and in the release bucket where that is on S3. Parts that a
// service keeps instead of the folder count as being there when there is a vault at all.
func (s *Storage) find(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	have, err := s.Folder.Inventory()
	if err != nil {
		return err
	}
	if s.begun, err = s.Folder.readBeginning(); err != nil {
		return err
	}
	s.keysThere = have.Keys
	if cfg.Storage.Kind == config.StorageS3 {
		c := cfg.Storage.S3
		if s.Release, err = OpenRelease(ctx, cfg, log, false); err != nil {
			return err
		}
		if have.Release, err = released(ctx, s.Release, c.ReleaseBucket); err != nil && !have.starting {
			return err
		}
		have.Objects = have.Journal || have.Release
		if have.Journal && !have.Release && !have.starting {
			return cli.Hint(fmt.Errorf("%s has a journal, and the release bucket %s has no head of one",
				s.Folder, c.ReleaseBucket),
				"name the bucket that the journal was released to in storage.s3.release_bucket, or put its "+
					"objects back: the journal may not go on without it; "+
					"when they are lost, muniment restore --accept-loss says what it would cost")
		}
	}
	if cfg.Keys.Kind == config.KeysVault {
		have.Keys = have.Journal || have.Release || have.Objects
	}
	if s.Found, err = s.Folder.State(have); err != nil || s.Found != Fresh || have.starting {
		return err
	}
	return s.Folder.refuseStrangers()
}

// released says whether the release bucket has a journal's head. A bucket without a head that is
// not empty is refused: a journal that begins there would lie among the remains of another.
func released(ctx context.Context, bucket Store, name string) (bool, error) {
	_, err := bucket.Stat(ctx, "head", "")
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, objects.ErrNotFound) {
		return false, fmt.Errorf("looking for a released journal: %w", err)
	}
	for info, err := range bucket.List(ctx, "", "") {
		if err != nil {
			return false, fmt.Errorf("looking for a released journal: %w", err)
		}
		if info.Key == objects.ReleaseOwner { // whose it is, checkOwners says
			continue
		}
		return false, cli.Hint(fmt.Errorf("the release bucket %s has objects, but no journal's head", name),
			"if a journal was released to it, put the object head back; if it is another program's, name an empty "+
				"bucket")
	}
	return false, nil
}
