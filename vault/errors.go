package vault

import "errors"

// What can be wrong with a request, or with what the vault finds. Besides these its methods return, wrapped,
// access.ErrDenied, and the sentinels of journal, keys and objects, by which a caller sees whether a retry helps.
var (
	// ErrNotFound says that the tenant has no such document. Another tenant's document gives the same error, and so
	// does, to a principal of some series, one of another series.
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
	// ErrNotImmutable says that the series demands a store that enforces its locks, and the newest attestation of the
	// store does not say that it does. A retry does not help until an operator has acted.
	ErrNotImmutable = errors.New("the series demands immutability, which the documents' store was not seen to enforce")
	// ErrCursor says that a cursor was not made by this vault for this principal and this query.
	ErrCursor = errors.New("not a cursor of this listing")
	// ErrAbandoned says that the object was swept away as an orphan before the deposit was committed. A retry helps.
	ErrAbandoned = errors.New("the upload took too long and was swept away")
	// ErrDamagedContent says that the stored ciphertext, or the sealed row with its key, is missing or is not what was
	// recorded. It raises an alarm on record.
	ErrDamagedContent = errors.New("the stored content is not what was recorded")
	// ErrBootstrapped says that the tenant exists already.
	ErrBootstrapped = errors.New("the tenant exists already")
	// ErrRetained says that the rules of retention do not let a document be destroyed now. Rules return it.
	ErrRetained = errors.New("the rules do not let the document be destroyed")
	// ErrBackup says that a backup is not one of this journal: it has another root at its size, or more entries.
	ErrBackup = errors.New("the backup is not one of this journal")
	// ErrCustody says that the tenants' keys are in the custody of somebody else than this process, who has to act
	// first.
	ErrCustody = errors.New("the key custodian has to act in the key service first")
	// ErrNotRewrapped says that sealed rows may still be wrapped with versions of the key that are to be trimmed.
	ErrNotRewrapped = errors.New("not everything is rewrapped yet")
	// ErrNoBackup says that no verified backup holds the end of the last rewrap.
	ErrNoBackup = errors.New("no verified backup covers the last rewrap")
	// ErrTrimOpen says that another trim was proposed, and has neither been done nor lapsed.
	ErrTrimOpen = errors.New("another trim is under way")
	// ErrTrimOver says that a proposal to trim has lapsed, or that a later one has taken its place.
	ErrTrimOver = errors.New("the proposal to trim is not open any more")
	// ErrUnapproved says that a trim was not approved yet, or that the approval has lapsed.
	ErrUnapproved = errors.New("nobody has approved it, or the approval has lapsed")
	// ErrOwnRequest says that one person would act in two roles: approve the own proposal, or carry out what they
	// approved.
	ErrOwnRequest = errors.New("this takes a second person")
	// ErrWaiting says that the waiting period of a trim has not ended.
	ErrWaiting = errors.New("the waiting period has not ended")
	// ErrPurpose says that a purpose is not a code of 1 to 64 of [a-z0-9-], or its note too long.
	ErrPurpose = errors.New("bad purpose")
)

// MetadataError names the field of the metadata that is wrong, and what is wrong with it. It never holds the field's
// value. It wraps ErrMetadata.
type MetadataError struct {
	Field  string // as the API names it: "file_name", "attributes", …
	Reason string // "has a path separator"
}

// Error names field and reason.
func (e *MetadataError) Error() string { return ErrMetadata.Error() + ": " + e.Field + " " + e.Reason }

// Unwrap is ErrMetadata.
func (e *MetadataError) Unwrap() error { return ErrMetadata }
