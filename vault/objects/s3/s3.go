// Package s3 keeps objects in a bucket of any S3-compatible store: the implementation of objects.Store for production.
// It works on minio-go and was tried on versitygw and MinIO.
//
// A body of up to one part is one PUT request, with condition, retention lock and CRC-32C in its headers. A larger one
// whose length is known is one PUT too, up to Config.StreamSize, sent while it is read, with the CRC-32C behind it. A
// still larger body, or one of unknown length, is a multipart upload whose parts go out in parallel. The memory for a
// part is asked for once the part has begun to come in, and a body whose length is known goes out as it comes where
// there is none. Requests are tried
// again within a time limit where their bytes are in memory still, and the store is told the CRC-32C of what it must
// hold. Every Put is marked with a random number of its own among the object's metadata: when the answer to a Put is
// lost, that mark says whether it took effect.
package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"muniment/vault/budget"
	"muniment/vault/objects"
)

// Defaults and limits of Config. S3's own: no part under 5 MiB but the last, no more than 10,000 of them.
const (
	DefaultRegion    = "us-east-1"
	DefaultPartSize  = 5 << 20
	MinPartSize      = 5 << 20
	MaxPartSize      = 128 << 20
	DefaultTimeout   = 20 * time.Second
	DefaultRetryTime = time.Minute

	DefaultStreamSize = 256 << 20

	maxParts = 10_000
)

// Clock tells the time: waits between attempts and the comparison of clocks go by it. Requests are dated by the
// machine's.
type Clock interface {
	Now() time.Time
}

// Mode is how a retention lock binds.
type Mode string

// The modes of Object Lock. A lock in compliance mode can be ended early by nobody, the store's own administrators
// included; one in governance mode can be lifted by whoever has the right s3:BypassGovernanceRetention. Evidence that
// an administrator could have deleted is worth less, so compliance is the default.
const (
	Compliance Mode = "COMPLIANCE"
	Governance Mode = "GOVERNANCE"
)

// Style is how a bucket is named in a request.
type Style string

// The styles of address.
const (
	AutoStyle Style = ""     // by host for Amazon and Google, else by path
	PathStyle Style = "path" // https://endpoint/bucket/key
	HostStyle Style = "host" // https://bucket.endpoint/key
)

// Encryption says how the store is to encrypt objects at rest. The vault encrypts them before it stores them; this is
// for stores that demand it. The zero value asks for nothing.
type Encryption struct {
	Enabled bool
	KMSKey  string // the id of a key in the store's key service (SSE-KMS); empty: the store's own keys (SSE-S3)
}

// Config is what a store needs. Every field is required unless it says otherwise.
type Config struct {
	Endpoint    string      // "https://s3.example.net"; the scheme decides about TLS; no path
	Region      string      // "" means DefaultRegion
	Bucket      string      // one bucket for one store
	Style       Style       // optional
	Credentials Credentials // see Static, Files, Environment, WebIdentity and Ambient

	// Versioned says which kind of bucket it is: with versions and Object Lock (documents), or with neither (release).
	Versioned bool
	// Create makes the bucket of that kind if there is none.
	Create bool
	// Mode is how locks bind; "" means Compliance.
	Mode       Mode
	Encryption Encryption // optional

	CAFile  string         // PEM file of the authorities that sign the endpoint's certificate; "" for the system's
	RootCAs *x509.CertPool // the same as a pool; CAFile goes before

	// PartSize is the size of the first parts and of the largest body that is one request, in bytes; 0 means
	// DefaultPartSize. The parts of an upload grow as it grows: see Store.MaxSize.
	PartSize int64
	// EqualParts keeps all parts but the last at PartSize, for stores that demand it.
	EqualParts bool
	// StreamSize is the size of the largest body of known length that is one request although it is longer than a part,
	// in bytes; 0 means DefaultStreamSize, and less than PartSize none. Such a request is sent while the body is read
	// and cannot be repeated when it fails half-way; a multipart upload can, but many stores write each of its bytes
	// twice.
	StreamSize int64
	// Memory is what uploads hold parts in, together with whatever else it is shared with; nil means without a bound.
	Memory *budget.Memory

	// Timeout ends one request that has had no answer for that long, and a body that stops coming; 0 means
	// DefaultTimeout. A part has to get through in it.
	Timeout time.Duration
	// RetryTime is how long a request that has failed is tried again; 0 means DefaultRetryTime.
	RetryTime time.Duration

	Clock Clock
	Rand  io.Reader // marks, waits; must be safe for concurrent use, as crypto/rand.Reader is
	Log   *slog.Logger
}

// Store is a bucket. Several processes may use one bucket at once.
type Store struct {
	cfg       Config
	name      string // host and bucket, for errors
	client    minio.Core
	creds     refresher
	transport *http.Transport
	sse       encrypt.ServerSide
	slabs     sync.Pool // *[]byte of slabSize
	growEvery int       // is growEvery, but in tests
	maxSize   int64
}

var _ objects.Store = (*Store)(nil)

// Open makes a store and verifies that its bucket is there and of the right kind. See New and Verify for its errors.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Verify(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// New makes a store without asking the endpoint anything. Its error is a *SetupError if a field of cfg is wrong.
func New(cfg Config) (*Store, error) {
	endpoint, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, name: endpoint.Host + "/" + cfg.Bucket, growEvery: growEvery}
	s.maxSize = s.sizeOfParts()
	s.slabs.New = func() any { b := make([]byte, slabSize); return &b }
	if cfg.Encryption.Enabled {
		s.sse = encrypt.NewSSE()
		if cfg.Encryption.KMSKey != "" {
			if s.sse, err = encrypt.NewSSEKMS(cfg.Encryption.KMSKey, nil); err != nil {
				return nil, setup("the encryption with a KMS key", "check the key's id", err)
			}
		}
	}
	if s.transport, err = newTransport(cfg); err != nil {
		return nil, err
	}
	if s.creds, err = cfg.Credentials.refresher(cfg); err != nil {
		return nil, err
	}
	client, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds: s.creds.Credentials, Secure: endpoint.Scheme == "https", Transport: observer{s.transport},
		Region: cfg.Region,
		BucketLookup: map[Style]minio.BucketLookupType{PathStyle: minio.BucketLookupPath,
			HostStyle: minio.BucketLookupDNS}[cfg.Style],
		TrailingHeaders: true, // for the CRC-32C of bodies that are sent while they are read
		MaxRetries:      1,    // retries are ours: minio-go's know no deadline and no lost answers
	})
	if err != nil {
		return nil, setup("the endpoint", "give it as https://host or https://host:port", err)
	}
	s.client = *client
	return s, nil
}

// Close ends idle connections. No call may be under way.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// complete checks a configuration and fills in defaults.
func (c *Config) complete() (*url.URL, error) {
	if c.Clock == nil || c.Rand == nil || c.Log == nil {
		return nil, errors.New("opening an S3 store: Clock, Rand and Log must be given")
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "https" && endpoint.Scheme != "http") ||
		(endpoint.Path != "" && endpoint.Path != "/") || endpoint.User != nil || endpoint.RawQuery != "" {
		return nil, setup("the endpoint", "give it as https://host or https://host:port, without a path", nil)
	}
	if err := checkBucketName(c.Bucket); err != nil {
		return nil, err
	}
	withDefault(&c.Region, DefaultRegion)
	withDefault(&c.Mode, Compliance)
	withDefault(&c.PartSize, DefaultPartSize)
	withDefault(&c.StreamSize, DefaultStreamSize)
	withDefault(&c.Timeout, DefaultTimeout)
	withDefault(&c.RetryTime, DefaultRetryTime)
	switch {
	case c.Mode != Compliance && c.Mode != Governance:
		return nil, setup("the lock mode", "choose COMPLIANCE or GOVERNANCE", nil)
	case c.Style != AutoStyle && c.Style != PathStyle && c.Style != HostStyle:
		return nil, setup("the address style", "choose path or host, or leave it out", nil)
	case c.PartSize < MinPartSize || c.PartSize > MaxPartSize:
		return nil, setup("the part size", fmt.Sprintf("choose %d to %d MiB", MinPartSize>>20, MaxPartSize>>20), nil)
	case c.Memory != nil && c.Memory.Share(budget.Parts) < c.PartSize:
		return nil, setup("the memory", "one upload must be able to hold a part: give four times the part size", nil)
	case c.Timeout < 0 || c.RetryTime < 0:
		return nil, setup("a time limit", "it must not be negative", nil)
	}
	return endpoint, nil
}

func withDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
