package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/anchor/bounded"
	"muniment/vault/objects"
)

// maxSkew is how far the clocks of machine and store may be apart. S3 refuses requests from 15 minutes on.
const maxSkew = 5 * time.Minute

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func checkBucketName(name string) error {
	if !bucketName.MatchString(name) {
		return setup("the bucket's name", "give 3 to 63 of a-z, 0-9, dot and dash", nil)
	}
	return nil
}

// Verify says whether the bucket is there and of the right kind: with versions and Object Lock, or with neither. Its
// error is a *SetupError that says what to do; it wraps objects.ErrUnavailable when the endpoint cannot be reached.
// With Config.Create it makes a bucket that is missing.
func (s *Store) Verify(ctx context.Context) error {
	err := s.verify(ctx)
	var answer reply
	if s.cfg.Create && errors.As(err, &answer) && answer.Code == codeNoBucket {
		if err = s.makeBucket(ctx); err == nil {
			err = s.verify(ctx)
		}
	}
	return s.explain(err)
}

func (s *Store) verify(ctx context.Context) error {
	var versioning minio.BucketVersioningConfiguration
	var skew time.Duration
	err := s.do(ctx, func(a *attempt) (err error) {
		versioning, err = s.client.GetBucketVersioning(a.ctx, s.cfg.Bucket)
		if !a.date.IsZero() {
			skew = a.date.Sub(s.cfg.Clock.Now())
		}
		return err
	})
	if err != nil {
		return err
	}
	if skew.Abs() > maxSkew {
		return s.wrong(fmt.Sprintf("its clock differs from this machine's by %s", skew.Abs().Round(time.Second)),
			fixClock, nil)
	}
	locked, rule, err := s.objectLock(ctx)
	switch {
	case err != nil:
		return err
	case s.cfg.Versioned && !versioning.Enabled():
		return s.wrong("the bucket has no versioning",
			"turn versioning and Object Lock on (best by making a new bucket with Object Lock), or name another bucket",
			nil)
	case s.cfg.Versioned && !locked:
		return s.wrong("the bucket has no Object Lock",
			"turn Object Lock on; where the store allows that only for new buckets, make a new one with it", nil)
	case !s.cfg.Versioned && (versioning.Enabled() || versioning.Suspended() || locked):
		return s.wrong("the bucket keeps versions, and this use needs one that does not",
			"name a bucket that never had versioning or Object Lock; the documents' bucket cannot be the journal's too",
			nil)
	case rule:
		return s.wrong("the bucket locks every new object by a default retention rule",
			"remove the rule: each document is locked as its schedule says, and what broken uploads leave must not be",
			nil)
	}
	return nil
}

// objectLock says whether the bucket has Object Lock, and a rule that locks new objects by default.
func (s *Store) objectLock(ctx context.Context) (enabled, rule bool, err error) {
	err = s.do(ctx, func(a *attempt) error {
		state, mode, _, _, err := s.client.GetObjectLockConfig(a.ctx, s.cfg.Bucket)
		enabled, rule = state == "Enabled", mode != nil && *mode != ""
		if answer, ok := answered(err); ok && answer.Status == http.StatusNotFound && answer.Code != codeNoBucket {
			err = nil
		}
		return err
	})
	return enabled, rule, err
}

func (s *Store) makeBucket(ctx context.Context) error {
	return s.do(ctx, func(a *attempt) error {
		opt := minio.MakeBucketOptions{Region: s.cfg.Region, ObjectLocking: s.cfg.Versioned}
		err := s.client.MakeBucket(a.ctx, s.cfg.Bucket, opt)
		if answer, ok := answered(err); ok && answer.Code == "BucketAlreadyOwnedByYou" {
			err = nil
		}
		if err == nil && s.cfg.Versioned { // some stores make locking buckets without it
			err = s.client.EnableVersioning(a.ctx, s.cfg.Bucket)
		}
		if answer, ok := answered(err); ok && answer.Status == http.StatusNotImplemented {
			err = nil // the bucket is there; what it lacks is for verify to say
		}
		return err
	})
}

const fixClock = "set both clocks by the same time service"

// wrong makes the error of a bucket that cannot be used.
func (s *Store) wrong(what, fix string, err error) *SetupError {
	return &SetupError{What: s.name + ": " + what, Fix: fix, Err: err}
}

// explain says what to do about an error that kept the bucket from being looked at.
func (s *Store) explain(err error) error {
	var already *SetupError
	var answer reply
	var unknown x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil, errors.As(err, &already), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errCredentials):
		return s.wrong("there are no credentials for it",
			"give an access key and its secret, or check that their files can be read", err)
	case errors.As(err, &unknown), errors.As(err, &certificate):
		return s.wrong("its certificate is not trusted",
			"name the file with its authority's certificate as CA file, or check the host name", err)
	case !errors.As(err, &answer):
		return s.wrong("it cannot be reached",
			"check host, port and scheme of the endpoint, and that the store runs", err)
	}
	switch answer.Code {
	case codeNoBucket:
		return s.wrong("there is no such bucket",
			"make it, or name another (muniment doctor --create-buckets makes those that are named)", err)
	case codeSkewed:
		return s.wrong("its clock differs too much from this machine's", fixClock, err)
	case codeRegion, "InvalidRegion", "IncorrectEndpoint", "PermanentRedirect", "IllegalLocationConstraintException":
		fix := "set the region of the bucket"
		if answer.Region != "" {
			fix += " (" + answer.Region + ")"
		}
		return s.wrong("the bucket is in another region than "+s.cfg.Region, fix, err)
	case codeKeyID, codeSignature, codeExpired, "InvalidTokenId", "InvalidToken", "XAdminUserNotFound": // versitygw's
		return s.wrong("it does not accept the credentials",
			"check access key and secret, and that they are of this store", err)
	case codeDenied:
		return s.wrong("the credentials may not do this",
			"permit what the guide lists: reading, writing, deleting versions, retention and holds, "+
				"and looking at versioning and Object Lock", err)
	}
	return s.wrong("it does not answer as S3 stores do",
		"check that the endpoint is that of an S3 store, and its log", err)
}

// Check puts, reads and deletes a small object.
func (s *Store) Check(ctx context.Context) error {
	var id [16]byte
	if _, err := io.ReadFull(s.cfg.Rand, id[:]); err != nil {
		return s.fail("checking", err)
	}
	want := []byte(hex.EncodeToString(id[:]))
	key := objects.ProbePrefix + "check-" + string(want)
	info, err := s.put(ctx, key, bytes.NewReader(want), objects.PutOptions{Length: int64(len(want))})
	if err != nil {
		return s.fail("checking: writing", err)
	}
	b, _, err := s.get(ctx, key, info.Version, nil)
	if err == nil {
		var got []byte
		got, err = bounded.ReadAll(b, bounded.Small)
		b.Close()
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%w: an object reads back otherwise than it was written", objects.ErrUnavailable)
		}
	}
	if err != nil {
		return s.fail("checking: reading", errors.Join(err, s.remove(context.WithoutCancel(ctx), key, info.Version)))
	}
	if err := s.remove(ctx, key, info.Version); err != nil {
		return s.fail("checking: deleting", err)
	}
	return nil
}
