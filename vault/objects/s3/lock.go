package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// Delete removes a version for good.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	if err := s.remove(ctx, key, version); err != nil {
		return s.fail("deleting", err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, key, version string) error {
	if s.cfg.Versioned && version == "" {
		return errors.New("without a version it would add a marker and remove nothing")
	}
	if err := s.checkVersioned(key, version); err != nil {
		if errors.Is(err, objects.ErrNotFound) {
			return ctx.Err()
		}
		return err
	}
	err := s.do(ctx, func(a *attempt) error {
		return s.client.RemoveObject(a.ctx, s.cfg.Bucket, key, minio.RemoveObjectOptions{VersionID: version})
	})
	if err == nil || errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	return s.refused(ctx, key, version, err, func(info objects.Info) bool {
		return info.Held || info.RetainUntil.After(s.cfg.Clock.Now())
	}, nil)
}

// Retain extends a version's retention lock.
func (s *Store) Retain(ctx context.Context, key, version string, until time.Time) error {
	if err := s.retain(ctx, key, version, wholeSecond(until)); err != nil {
		return s.fail("locking", err)
	}
	return nil
}

func (s *Store) retain(ctx context.Context, key, version string, until time.Time) error {
	if !s.cfg.Versioned {
		return fmt.Errorf("a retention lock in a bucket without versions: %w", errors.ErrUnsupported)
	}
	if err := s.checkVersioned(key, version); err != nil {
		return err
	}
	shorter := func(info objects.Info) bool { return until.Before(info.RetainUntil) }
	if until.IsZero() { // an empty retention would lift the lock
		return s.refused(ctx, key, version, nil, shorter, nil)
	}
	err := s.extend(ctx, key, version, s.cfg.Mode, until)
	if refusal(err) {
		// Stores refuse another mode as they refuse a shorter lock; a version keeps the one that it was locked in.
		if own, _, failed := s.retention(ctx, key, version); failed == nil && own != "" && own != s.cfg.Mode {
			err = s.extend(ctx, key, version, own, until)
		}
	}
	if err == nil || errors.Is(err, objects.ErrNotFound) {
		return err
	}
	return s.refused(ctx, key, version, err, shorter, objects.ErrNotFound)
}

func (s *Store) extend(ctx context.Context, key, version string, m Mode, until time.Time) error {
	mode := minio.RetentionMode(m)
	opt := minio.PutObjectRetentionOptions{VersionID: version, Mode: &mode, RetainUntilDate: &until}
	return s.do(ctx, func(a *attempt) error {
		return s.client.PutObjectRetention(a.ctx, s.cfg.Bucket, key, opt)
	})
}

// Hold sets or lifts a version's legal hold.
func (s *Store) Hold(ctx context.Context, key, version string, on bool) error {
	if err := s.hold(ctx, key, version, on); err != nil {
		return s.fail("holding", err)
	}
	return nil
}

func (s *Store) hold(ctx context.Context, key, version string, on bool) error {
	if !s.cfg.Versioned {
		return fmt.Errorf("a legal hold in a bucket without versions: %w", errors.ErrUnsupported)
	}
	if err := s.checkVersioned(key, version); err != nil {
		return err
	}
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	err := s.do(ctx, func(a *attempt) error {
		return s.client.PutObjectLegalHold(a.ctx, s.cfg.Bucket, key,
			minio.PutObjectLegalHoldOptions{VersionID: version, Status: &status})
	})
	if err == nil || errors.Is(err, objects.ErrNotFound) {
		return err
	}
	return s.refused(ctx, key, version, err, func(objects.Info) bool { return false }, objects.ErrNotFound)
}

// lockOf asks for a version's lock and hold. Stores tell them in answers to HEAD only to who may see them, and
// versitygw only of the newest version, so an answer that tells nothing means nothing.
func (s *Store) lockOf(ctx context.Context, key, version string) (until time.Time, held bool, err error) {
	var hold struct{ Status string }
	legalHold := func(a *attempt) error {
		_, err := s.client.GetObjectLegalHold(a.ctx, s.cfg.Bucket, key,
			minio.GetObjectLegalHoldOptions{VersionID: version})
		return err
	}
	if _, until, err = s.retention(ctx, key, version); err != nil {
		return time.Time{}, false, err
	}
	err = s.askLock(ctx, legalHold, &hold)
	return until, strings.EqualFold(hold.Status, "ON"), err
}

// retention asks for a version's lock.
func (s *Store) retention(ctx context.Context, key, version string) (Mode, time.Time, error) {
	var lock struct { // whatever the root: versitygw has another than S3
		Mode            Mode
		RetainUntilDate time.Time
	}
	err := s.askLock(ctx, func(a *attempt) error {
		_, _, err := s.client.GetObjectRetention(a.ctx, s.cfg.Bucket, key, version)
		return err
	}, &lock)
	return lock.Mode, wholeSecond(lock.RetainUntilDate), err
}

// askLock makes a request for a lock and parses its answer. That there is no lock is an answer too, an empty one.
func (s *Store) askLock(ctx context.Context, request func(a *attempt) error, into any) error {
	return s.do(ctx, func(a *attempt) error {
		a.answer = &bytes.Buffer{}
		err := request(a)
		answer, known := answered(err)
		switch {
		case a.status == http.StatusOK:
			return xml.Unmarshal(a.answer.Bytes(), into)
		case known && answer.Code == codeNoLock:
			return nil
		}
		return err
	})
}

// refused finds out why a store refused to change a version. Stores say it in several ways (400, 403, with this code or
// that), so it looks at the version: ErrLocked if that explains the refusal, gone if there is no such version, and else
// the refusal itself. A failure that is no refusal stays what it is.
func (s *Store) refused(ctx context.Context, key, version string, err error, locked func(objects.Info) bool,
	gone error) error {
	if err != nil && !refusal(err) {
		return err
	}
	info, failed := s.stat(ctx, key, version)
	switch {
	case errors.Is(failed, objects.ErrNotFound):
		return gone
	case failed != nil:
		return errors.Join(err, failed)
	case locked(info):
		return fmt.Errorf("%w until %s, held: %t", objects.ErrLocked, info.RetainUntil.Format(time.RFC3339), info.Held)
	}
	return err
}

// refusal says of an error whether it is an answer that a repetition would not change.
func refusal(err error) bool {
	var answer reply
	return errors.As(err, &answer) && answer.Status >= http.StatusBadRequest &&
		answer.Status < http.StatusInternalServerError
}
