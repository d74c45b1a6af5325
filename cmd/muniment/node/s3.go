package node

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/vault/objects/s3"
)

// OpenS3 opens one of the two buckets, and verifies that it is of the right kind.
func OpenS3(ctx context.Context, c config.S3, bucket string, versioned bool, log *slog.Logger) (*s3.Store, error) {
	return s3.Open(ctx, S3Config(c, bucket, versioned, log))
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
		PartSize:   int64(c.PartSize), EqualParts: c.EqualParts, StreamSize: max(int64(c.StreamSize), 1),
		Timeout: time.Duration(c.Timeout), RetryTime: time.Duration(c.RetryTime),
		Clock: journal.SystemClock{}, Rand: rand.Reader, Log: log,
	}
}
