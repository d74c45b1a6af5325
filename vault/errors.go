package vault

import "errors"

// The sentinels of wrong requests, and of what the vault finds. Besides these its methods return, wrapped,
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
	// ErrPurpose says that a purpose is not a code of 1 to 64 of [a-z0-9-], or its note too long.
	ErrPurpose = errors.New("bad purpose")
)
