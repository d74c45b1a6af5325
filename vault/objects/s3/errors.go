package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/minio/minio-go/v7"

	"muniment/vault/objects"
)

// SetupError says what is wrong with a configuration, or with the bucket that it names, and what to do about it.
type SetupError struct {
	What string // the thing: "the bucket has no versioning"
	Fix  string // "turn versioning on, or …"
	Err  error  // what the store said; may be nil
}

// Error says what is wrong and how to mend it.
func (e *SetupError) Error() string {
	text := "S3 store: " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Fix
}

// Unwrap is what the store said.
func (e *SetupError) Unwrap() error { return e.Err }

// setup makes the error of a field of Config that cannot be right.
func setup(field, fix string, err error) *SetupError {
	return &SetupError{What: field + " is not valid", Fix: fix, Err: err}
}

// fail names the store and the act.
func (s *Store) fail(doing string, err error) error {
	return fmt.Errorf("S3 store %s: %s: %w", s.name, doing, err)
}

// reply is an answer of the store that is an error. It carries the code and nothing else that the store said: messages
// may quote what was sent.
type reply struct {
	Status int
	Code   string
	Region string // where the bucket is, if the store says so
	Signed bool   // it has a request id, as every answer of an S3 store has, and hardly one of a proxy in front of it
}

// Error gives code and status.
func (r reply) Error() string {
	if r.Code == "" {
		return fmt.Sprintf("the store answered %d", r.Status)
	}
	return fmt.Sprintf("the store answered %d %s", r.Status, r.Code)
}

// The codes of S3 that decide something. An answer to HEAD has no body; its code is derived from the status.
const (
	codeNoBucket   = "NoSuchBucket"
	codeArgument   = "InvalidArgument"
	codeMethod     = "MethodNotAllowed"
	codeNoLock     = "NoSuchObjectLockConfiguration"
	codeSkewed     = "RequestTimeTooSkewed"
	codeRegion     = "AuthorizationHeaderMalformed"
	codeDenied     = "AccessDenied"
	codeKeyID      = "InvalidAccessKeyId"
	codeSignature  = "SignatureDoesNotMatch"
	codeExpired    = "ExpiredToken"
	codeBadDigest  = "BadDigest"
	codeBeingMade  = "OperationAborted"
	codeContention = "ConditionalRequestConflict"
)

// classify gives an error of a request its sentinel. Errors that have one already stay as they are.
func classify(err error) error {
	var body bodyError
	var answer reply
	switch {
	case err == nil, errors.As(err, &body), isSentinel(err):
		return err
	case !errors.As(err, &answer):
		return fmt.Errorf("%w: %w", objects.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", answer.sentinel(), err)
}

func isSentinel(err error) bool {
	for _, sentinel := range []error{
		objects.ErrNotFound, objects.ErrExists, objects.ErrLocked, objects.ErrFull, objects.ErrUnavailable,
		objects.ErrSpan,
		objects.ErrDamaged, objects.ErrKey, objects.ErrShort, objects.ErrTooLarge, context.Canceled,
		errors.ErrUnsupported,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// sentinel is what an answer means for a caller. A 404 by itself means nothing: versitygw says it of an access key that
// it does not know. Any other answer is for an operator to mend, and until then the store is not available.
func (r reply) sentinel() error {
	switch r.Code {
	case "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage", "StorageFull":
		return objects.ErrFull
	case "NoSuchKey", "NoSuchVersion", "NoSuchUpload":
		if r.Signed { // or a gateway that has lost its way would make a missing object of each one
			return objects.ErrNotFound
		}
	}
	switch r.Status {
	case http.StatusInsufficientStorage:
		return objects.ErrFull
	case http.StatusPreconditionFailed:
		return objects.ErrExists
	case http.StatusRequestedRangeNotSatisfiable:
		return objects.ErrSpan
	}
	return objects.ErrUnavailable
}

// retryable says whether the same request may succeed a moment later. An answer of success that holds none is: S3
// begins the answer to the end of a multipart upload before it knows how that ends.
func (r reply) retryable() bool {
	if r.Status < http.StatusMultipleChoices {
		return true
	}
	switch r.Code {
	case "RequestTimeout", "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "Throttling",
		"ThrottlingException",
		"RequestLimitExceeded", "RequestThrottled", codeExpired, "ExpiredTokenException", codeBadDigest, codeBeingMade,
		codeContention:
		return true
	}
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return errors.Is(r.sentinel(), objects.ErrUnavailable)
	}
	return false
}

// answered takes the store's answer out of an error of minio-go; false when there was none.
func answered(err error) (reply, bool) {
	var response minio.ErrorResponse
	if !errors.As(err, &response) || (response.StatusCode == 0 && response.Code == "") {
		return reply{}, false
	}
	r := reply{Status: response.StatusCode, Code: response.Code, Region: response.Region,
		Signed: response.RequestID != ""}
	if len(r.Code) > 64 || (len(r.Code) > 0 && (r.Code[0] < 'A' || r.Code[0] > 'Z')) { // not a code: a status line
		r.Code = ""
	}
	return r, true
}

// bodyError marks an error that came out of the caller's reader.
type bodyError struct{ err error }

func (e bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e bodyError) Unwrap() error { return e.err }

// errCut says that a body of the store's ended before its end.
var errCut = fmt.Errorf("%w: the object's bytes broke off: %w", objects.ErrUnavailable, io.ErrUnexpectedEOF)
