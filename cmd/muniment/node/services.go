package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/keys/local"
	"muniment/vault/keys/transit"
	"muniment/vault/objects"
	"muniment/vault/objects/dir"
	"muniment/vault/objects/s3"
)

// keyFile is a keyService in a file.
type keyFile struct{ *local.Service }

// Signer is the signing key of that name.
func (k keyFile) Signer(name string) (journal.Signer, error) { return k.Service.Signer(name) }

// keyVault is a keyService in a HashiCorp Vault.
type keyVault struct{ *transit.Service }

// Signer is the signing key of that name.
func (k keyVault) Signer(name string) (journal.Signer, error) { return k.Service.Signer(name) }

// custodian rotates and trims keys, where that is in our hands: those in Vault are in a key custodian's.
func (s *Storage) custodian() keys.Custodian {
	if file, ok := s.Keys.(keyFile); ok {
		return file.Service
	}
	return nil
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

// OpenKeys opens the key service. With keys in a file, create makes that file; in Vault the operator has made what
// there must be.
func OpenKeys(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (KeyService, error) {
	f := Folder(cfg.Data)
	if cfg.Keys.Kind == config.KeysVault {
		s, err := transit.Open(ctx, TransitConfig(cfg.Keys.Vault, f, log))
		if err != nil {
			return nil, err
		}
		return keyVault{s}, nil
	}
	open := local.Open
	if create {
		open = local.Create
	}
	s, err := open(f.Keys())
	if err != nil {
		return nil, err
	}
	return keyFile{s}, nil
}

// TransitConfig is how the keys in Vault are reached.
func TransitConfig(v config.Vault, f Folder, log *slog.Logger) transit.Config {
	return transit.Config{
		Address: v.Address, CA: v.CA, ServerName: v.ServerName, Namespace: v.Namespace, Mount: v.Mount,
		Prefix:            v.Prefix,
		Auth:              transitAuth(v),
		CheckpointVersion: v.CheckpointKeyVersion, LedgerVersion: v.LedgerKeyVersion, PublicKeys: f.PublicKeys(),
		RequestTimeout: time.Duration(v.Timeout), RetryTime: time.Duration(v.Patience),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
	}
}

// transitAuth is who we are to Vault.
func transitAuth(v config.Vault) transit.Auth {
	auth := transit.Auth{Method: transit.Method(v.Auth), Mount: v.AuthMount}
	switch v.Auth {
	case config.AuthToken:
		auth.TokenFile = v.TokenFile
	case config.AuthAppRole:
		auth.RoleID, auth.SecretIDFile = v.RoleID, v.SecretIDFile
	case config.AuthKubernetes:
		auth.Role, auth.JWTFile = v.Role, v.JWTFile
	}
	return auth
}

// OpenS3 opens one of the two buckets, and verifies that it is of the right kind.
func OpenS3(ctx context.Context, c config.S3, bucket string, versioned bool, log *slog.Logger) (Store, error) {
	s, err := s3.Open(ctx, S3Config(c, bucket, versioned, log))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// S3Config is how a bucket is reached; versioned buckets have Object Lock.
func S3Config(c config.S3, bucket string, versioned bool, log *slog.Logger) s3.Config {
	credentials := map[string]s3.Credentials{
		config.S3Environment: s3.Environment(),
		config.S3Files:       s3.Files(c.AccessKeyFile, c.SecretKeyFile),
		config.S3SharedFile:  s3.SharedFile(c.SharedFile, c.Profile),
		config.S3WebIdentity: s3.WebIdentity(c.STSEndpoint, c.Role, c.TokenFile),
		config.S3Ambient:     s3.Ambient(),
	}
	return s3.Config{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: bucket, Credentials: credentials[c.Credentials], CAFile: c.CA,
		Style:     map[string]s3.Style{config.StylePath: s3.PathStyle, config.StyleHost: s3.HostStyle}[c.Style],
		Versioned: versioned,
		Mode: map[string]s3.Mode{config.LockCompliance: s3.Compliance,
			config.LockGovernance: s3.Governance}[c.Lock],
		Encryption: s3.Encryption{Enabled: c.Encryption != config.EncryptionNone, KMSKey: c.KMSKey},
		PartSize:   int64(c.PartSize), StreamSize: max(int64(c.StreamSize), 1), Memory: int64(c.Memory),
		Timeout: time.Duration(c.Timeout), RetryTime: time.Duration(c.Patience),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
	}
}

// OpenDir opens a store in the data folder, or makes it.
func OpenDir(ctx context.Context, path string, versioned, create bool) (Store, error) {
	s, err := dir.Open(ctx, dir.Config{Dir: path, Versioned: versioned, Create: create, Clock: journal.SystemClock{},
		Rand: rand.Reader})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// find says what there is: in the folder, and in the release bucket where that is on S3. What a service keeps instead
// of the folder counts as being there if anything is.
func (s *Storage) find(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	have, err := s.Folder.Inventory()
	if err != nil {
		return err
	}
	if cfg.Storage.Kind == config.StorageS3 {
		c := cfg.Storage.S3
		if s.Release, err = OpenS3(ctx, c, c.ReleaseBucket, false, log); err != nil {
			return err
		}
		if have.Release, err = released(ctx, s.Release, c.ReleaseBucket); err != nil {
			return err
		}
		have.Objects = have.Journal || have.Release
		if have.Journal && !have.Release && !have.starting {
			return cli.Hint(fmt.Errorf("%s has a journal, and the release bucket %s has no head of one",
				s.Folder, c.ReleaseBucket),
				"name the bucket that the journal was released to in storage.s3.release_bucket, or put its objects back: the journal may not go on without it; "+
					"when they are lost, muniment restore --accept-loss says what it would cost")
		}
	}
	if cfg.Keys.Kind == config.KeysVault {
		have.Keys = have.Journal || have.Release || have.Objects
	}
	s.Found, err = s.Folder.State(have)
	return err
}

// released says whether the release bucket has a journal's head. One that has none, but something else, is refused: a
// journal that begins there would lie among what is left of another.
func released(ctx context.Context, bucket Store, name string) (bool, error) {
	_, err := bucket.Stat(ctx, "head", "")
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, objects.ErrNotFound) {
		return false, fmt.Errorf("looking for a released journal: %w", err)
	}
	for _, err := range bucket.List(ctx, "", "") {
		if err != nil {
			return false, fmt.Errorf("looking for a released journal: %w", err)
		}
		return false, cli.Hint(fmt.Errorf("the release bucket %s has objects, but no journal's head", name),
			"if a journal was released to it, put the object head back; if a first start was broken off, or it is another program's, name an empty bucket")
	}
	return false, nil
}

// unused refuses to begin a vault over the documents of another: to its sweep they would be what broken uploads have
// left.
func (s *Storage) unused(ctx context.Context, name string) error {
	for _, err := range s.Objects.List(ctx, vault.DefaultTenant+"/", "") {
		if err != nil {
			return fmt.Errorf("looking for documents of another vault: %w", err)
		}
		return cli.Hint(fmt.Errorf("the documents' bucket %s has documents already, and the release bucket no journal that knows them", name),
			"if the journal was lost, name its release bucket, or restore --from a backup; a new vault needs an empty bucket of its own")
	}
	return nil
}

// openServices opens what is configured outside of the folder. A journal that is to begin, or to come back, will have
// to be signed: that there is no key for it is said before.
func (s *Storage) openServices(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if cfg.Storage.Kind == config.StorageS3 {
		if err := s.OpenObjects(ctx, cfg, log, false); err != nil {
			return err
		}
	}
	if cfg.Keys.Kind == config.KeysVault {
		if err := s.openVaultKeys(ctx, cfg, log); err != nil {
			return err
		}
	}
	if s.Found == Fresh && s.Objects != nil {
		return s.unused(ctx, cfg.Storage.S3.Bucket)
	}
	return nil
}

// openVaultKeys opens the keys in Vault, those that sign included where they will be needed.
func (s *Storage) openVaultKeys(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if s.Found != Whole {
		if err := s.Folder.make(); err != nil { // public keys are remembered in it
			return err
		}
	}
	if s.Keys, err = OpenKeys(ctx, cfg, log, false); err != nil || s.Found == Whole {
		return err
	}
	for _, name := range []string{local.Checkpoint, local.Ledger} {
		if _, err := s.Keys.Signer(name); err != nil {
			return err
		}
	}
	return nil
}

// openFolder opens what is in the folder instead of with a service, or makes it.
func (s *Storage) openFolder(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (err error) {
	if s.Keys == nil {
		if s.Keys, err = OpenKeys(ctx, cfg, log, create); err != nil {
			return err
		}
	}
	if s.Objects == nil {
		err = s.OpenObjects(ctx, cfg, log, create)
	}
	return err
}

// OpenObjects opens the two stores, but for what find has opened; create makes those of a folder.
func (s *Storage) OpenObjects(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (err error) {
	if c := cfg.Storage.S3; cfg.Storage.Kind == config.StorageS3 {
		if s.Release == nil {
			if s.Release, err = OpenS3(ctx, c, c.ReleaseBucket, false, log); err != nil {
				return err
			}
		}
		s.Objects, err = OpenS3(ctx, c, c.Bucket, true, log)
		return err
	}
	if s.Release, err = OpenDir(ctx, s.Folder.Release(), false, create); err != nil {
		return err
	}
	s.Objects, err = OpenDir(ctx, s.Folder.Objects(), true, create)
	return err
}
