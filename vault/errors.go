package vault

import "errors"

// What can be wrong with a request, or with what the vault finds. Besides these its methods return, wrapped,
// access.ErrDenied, and the sentinels of journal, keys and objects, by which a caller sees whether a retry helps.
var (
	// ErrNotFound says that the tenant has no such document. Another tenant's document gives the same error, and so does, to
	// a principal of some series, one of another series.
	ErrNotFound = errors.New("no such document")
	// ErrErased says that the document was erased. Its record and its proofs remain.
	ErrErased = errors.New("the document has been erased")
	// ErrConflict says that other content was deposited under the same external id.
	ErrConflict = errors.New("the external id belongs to a document with other content")
	// ErrIdempotency says that the idempotency key was used for another content or other metadata.
	ErrIdempotency = errors.New("the idempotency key was used for another request")
	// ErrMismatch says that the content does not have the length or the digest that was announced.
	ErrMismatch = errors.New("the content does not match what was announced")
	// ErrInterrupted says that the content broke off before its end: the client hung up.
	ErrInterrupted = errors.New("the content broke off before its end")
	// ErrTooLarge says that the content is larger than the vault takes.
	ErrTooLarge = errors.New("the content is too large")
	// ErrMetadata says that a field of the metadata is not what it must be. Use MetadataError for the field.
	ErrMetadata = errors.New("bad metadata")
	// ErrNoSeries says that the tenant has no such record series. Rules return it.
	ErrNoSeries = errors.New("no such record series")
	// ErrCursor says that a cursor was not made by this vault for this principal and this query.
	ErrCursor = errors.New("not a cursor of this listing")
	// ErrAbandoned says that the object was swept away as an orphan before the deposit was committed. A retry helps.
	ErrAbandoned = errors.New("the upload took too long and was swept away")
	// ErrDamagedContent says that the stored ciphertext, or the sealed row with its key, is missing or is not what was
	// recorded. It raises an alarm on record.
	ErrDamagedContent = errors.New("the stored content is not what was recorded")
	// ErrUnreleased says that the deposit is recorded but was not released in time. The same request again is safe and
	// gives the same document.
	ErrUnreleased = errors.New("the deposit is recorded but not released yet")
	// ErrBootstrapped says that the tenant exists already.
	ErrBootstrapped = errors.New("the tenant exists already")
	// ErrPurpose says that a purpose is not a code of 1 to 64 of [a-z0-9-], or its note too long.
	ErrPurpose = errors.New("bad purpose")
)

// MetadataError names the field of the metadata that is wrong, and what is wrong with it. It never holds the field's value.
// It wraps ErrMetadata.
type MetadataError struct {
	Field  string // as the API names it: "file_name", "attributes", …
	Reason string // "has a path separator"
}

// Error names field and reason.
func (e *MetadataError) Error() string { return ErrMetadata.Error() + ": " + e.Field + " " + e.Reason }

// Unwrap is ErrMetadata.
func (e *MetadataError) Unwrap() error { return ErrMetadata }
