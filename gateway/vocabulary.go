package gateway

import (
	"context"
	"errors"
	"net/http"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	"muniment/gateway/authn"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/seal"
)

// The problems of requests. Their codes are a promise: clients tell them apart by them.
var (
	badRequest = problem{"bad-request", http.StatusBadRequest, "The request cannot be understood", false,
		"A parameter or a header is malformed. The detail names it."}
	unknownParameter = problem{"unknown-parameter", http.StatusBadRequest, "There is no such parameter", false,
		"A query parameter or Muniment- header is not one of this call's, or a field is given more than once, or in two ways."}
	badBody = problem{"bad-body", http.StatusBadRequest, "The body cannot be understood", false,
		"A form or a deposit in JSON is not as the contract has it. The detail says what is wrong. Nothing was kept."}
	badID = problem{"bad-id", http.StatusBadRequest, "This is not a document id", false,
		"Document ids are UUIDs of version 7 in lower-case canonical form."}
	badDigest = problem{"bad-digest", http.StatusBadRequest, "The digest cannot be checked", false,
		"Send Content-Digest: sha-256=:BASE64: (RFC 9530) as a header, or leave it out. No other header of its kind is accepted, " +
			"and no trailer, because none would be checked."}
	badCursor = problem{"bad-cursor", http.StatusBadRequest, "This cursor is not of this listing", false,
		"Send the cursor of the page before, unchanged and with the same filters, or none."}
	purposeMissing = problem{"purpose-missing", http.StatusBadRequest, "Every read states its purpose", false,
		"Send the header Muniment-Purpose, or the query parameter purpose, with a code such as audit."}
	badPurpose = problem{"bad-purpose", http.StatusBadRequest, "This is not a purpose", false,
		"A purpose is a code of 1 to 64 lower-case letters, digits and hyphens; its note has at most 4 KiB."}
	interrupted = problem{"interrupted", http.StatusBadRequest, "The body broke off", true,
		"The body ended before its announced length, or its chunks are malformed. Nothing was kept."}
	unauthenticated = problem{"unauthenticated", http.StatusUnauthorized, "No valid credential", false,
		"Send Authorization: Bearer and a valid API key."}
	denied = problem{"denied", http.StatusForbidden, "You may not do this", false,
		"The principal has no role that permits it. The denial is on record."}
	notFound = problem{"not-found", http.StatusNotFound, "There is no such thing", false,
		"It does not exist, or it is not one of your tenant's."}
	noSuchRoute = problem{"no-such-route", http.StatusNotFound, "There is no such call", false,
		"The contract, openapi/openapi.yaml, lists every call."}
	methodNotAllowed = problem{"method-not-allowed", http.StatusMethodNotAllowed, "Not with this method", false,
		"The header Allow names the methods that there are."}
	dispositionRequired = problem{"disposition-required", http.StatusMethodNotAllowed, "Documents leave by disposition",
		false, "A document is destroyed only by a disposition that was proposed, approved by somebody else and executed by the rules " +
			"of its series: /v1/dispositions."}
	tooMany = problem{"too-many-requests", http.StatusTooManyRequests, "Too many requests", true,
		"This principal sends more requests than one may. Retry-After says when to send this one again; it was not looked at."}
	tooSlow = problem{"too-slow", http.StatusRequestTimeout, "The body came too slowly", true,
		"Nothing was kept."}
	conflict = problem{"conflict", http.StatusConflict, "Other content is kept under this external id", false,
		"Deposits are never overwritten. Use another external id for other content."}
	secondPerson = problem{"second-person", http.StatusForbidden, "This takes a second person", false,
		"Nobody approves their own proposal, carries out what they have approved, or revokes their own keys."}
	keyCustody = problem{"key-custody", http.StatusConflict, "The key custodian acts first", false,
		"This gateway does not hold the tenants' keys. Rotate in the key service with the key custodian's own credentials, then " +
			"repeat the request: muniment key rotate does both."}
	notRewrapped = problem{"not-rewrapped", http.StatusConflict, "Not everything is rewrapped yet", false,
		"Something that is kept may still need the versions that are to be trimmed. Rewrap first: muniment key rewrap."}
	backupMissing = problem{"backup-missing", http.StatusConflict, "No verified backup covers the last rewrap", false,
		"What is older than the rewrap cannot be opened after the trim, earlier backups included. Make a backup first: muniment backup."}
	foreignBackup = problem{"foreign-backup", http.StatusConflict, "The backup is not one of this journal", false,
		"The journal has another root at that size, or fewer entries. Nothing was recorded."}
	trimOpen = problem{"trim-open", http.StatusConflict, "Another trim is under way", false,
		"A trim that has begun, or one for more versions, comes first: muniment key status shows it."}
	trimOver = problem{"trim-over", http.StatusConflict, "The proposal is not open any more", false,
		"It has lapsed, or a later one has taken its place. Propose again: muniment key trim propose."}
	unapproved = problem{"unapproved", http.StatusConflict, "Nobody has approved it", false,
		"Somebody else than the proposer has to approve, at most 90 days before it is carried out: muniment key trim approve."}
	waitingPeriod = problem{"waiting-period", http.StatusConflict, "The waiting period has not ended", false,
		"not_before says when it ends: muniment key status shows it."}
	retained = problem{"retained", http.StatusConflict, "The document must be kept", false,
		"A schedule, a hold, or the lack of a schedule stands in the way."}
	seriesExists = problem{"series-exists", http.StatusConflict, "There is such a series already", false,
		"A series is created once, and cannot be changed or removed. Choose another code."}
	erased = problem{"erased", http.StatusGone, "The document has been destroyed", false,
		"Its record and its proofs remain: see its history and its evidence."}
	tooLarge = problem{"too-large", http.StatusRequestEntityTooLarge, "The body is too large", false,
		"The body is larger than this gateway accepts."}
	unsupportedEncoding = problem{"unsupported-encoding", http.StatusUnsupportedMediaType, "Not in this encoding",
		false,
		"Send the document itself or a multipart/form-data form: no Content-Encoding, no Content-Transfer-Encoding."}
	notJSON = problem{"not-json", http.StatusUnsupportedMediaType, "JSON is expected", false,
		"Send Content-Type: application/json."}
	badRange = problem{"bad-range", http.StatusRequestedRangeNotSatisfiable, "These bytes cannot be served", false,
		"The ranges are malformed, more than 16, or all outside of the document."}
	contentMismatch = problem{"content-mismatch", http.StatusUnprocessableEntity,
		"The content is not what was announced",
		false, "Its SHA-256 or its length is another than the headers say. Nothing was kept; check the file and send it again."}
	badMetadata = problem{"bad-metadata", http.StatusUnprocessableEntity, "The metadata breaks a rule", false,
		"The detail names the field and the rule."}
	unknownSeries = problem{"unknown-series", http.StatusUnprocessableEntity, "There is no such record series", false,
		"Name a series of your file plan, or none for the default one."}
	keyReused = problem{"idempotency-key-reused", http.StatusUnprocessableEntity,
		"The idempotency key belongs to another deposit", false,
		"The same key was used with other content or other metadata. Use a new key for a new deposit."}
)

// The problems that are not the client's.
var (
	internal = problem{"internal", http.StatusInternalServerError, "A fault of ours", false,
		"The log knows more under the request id."}
	damaged = problem{"damaged", http.StatusInternalServerError, "What is stored is not what was recorded", false,
		"The content or a row of the journal failed verification and was not served. An operator has to act: muniment fsck."}
	newerFormat = problem{"newer-format", http.StatusInternalServerError, "This was written by a newer version", false,
		"This gateway is older than what wrote the row. An operator has to bring it up to date."}
	keyLost = problem{"key-lost", http.StatusInternalServerError, "The key cannot open this", false,
		"The key service has no key for what is stored, or what is stored is not what it wrapped. An operator has to act."}
	keysDown = problem{"key-service-unavailable", http.StatusServiceUnavailable, "The key service does not answer",
		true,
		"Nothing was lost. Try again."}
	keysDenied = problem{"key-service-denies", http.StatusServiceUnavailable, "The key service refuses us", false,
		"An operator has to renew this gateway's access to the key service."}
	objectsDown = problem{"object-store-unavailable", http.StatusServiceUnavailable, "The object store does not answer",
		true,
		"Nothing was lost. Try again."}
	ledgerDown = problem{"ledger-unavailable", http.StatusServiceUnavailable, "The ledger does not answer", true,
		"Nothing was lost: the checkpoint will be anchored when the ledger is back."}
	ledgerRefuses = problem{"ledger-refuses", http.StatusInternalServerError, "The ledger refuses the checkpoint",
		false,
		"The ledger has a larger checkpoint, or one that contradicts this journal. An operator has to find out why."}
	timedOut = problem{"timed-out", http.StatusServiceUnavailable, "It took too long", true,
		"What was begun goes on, or was not done at all; nothing is lost. Try again."}
	journalDown = problem{"journal-stopped", http.StatusServiceUnavailable, "The journal has stopped", true,
		"The outcome of a write is unknown. The service restarts and reads what really happened; repeat the request with the " +
			"same idempotency key or external id."}
	unreleased = problem{"unreleased", http.StatusServiceUnavailable, "Recorded, but not released yet", true,
		"Repeat the request with the same idempotency key or external id: it gives the receipt once the log is released."}
	abandoned = problem{"abandoned", http.StatusServiceUnavailable, "The upload took too long", true,
		"The stored object was swept away before the deposit was recorded. Nothing was kept; send it again."}
	stopping = problem{"stopping", http.StatusServiceUnavailable, "The service is stopping", true,
		"Nothing was changed. Try again."}
	storeNotImmutable = problem{"store-not-immutable", http.StatusServiceUnavailable,
		"The store does not enforce immutability", false,
		"The series demands a store that enforces its locks, and the newest attestation does not say that this one does. Nothing " +
			"was kept. An operator has to act: muniment doctor says what is missing."}
	journalFull = problem{"journal-full", http.StatusInsufficientStorage, "The journal's disk is full", true,
		"What cannot be recorded is not done. An operator has to make room."}
	objectsFull = problem{"object-store-full", http.StatusInsufficientStorage, "The object store is full", true,
		"Nothing was kept. An operator has to make room."}
)

// problems is the whole vocabulary.
func problems() []problem {
	return []problem{
		badRequest, unknownParameter, badBody, badID, badDigest, badCursor, purposeMissing, badPurpose, interrupted,
		unauthenticated,
		denied, notFound, noSuchRoute, methodNotAllowed, dispositionRequired, tooMany, tooSlow, conflict, secondPerson,
		keyCustody,
		notRewrapped, backupMissing, foreignBackup, trimOpen, trimOver, unapproved, waitingPeriod, retained,
		seriesExists, erased, tooLarge,
		unsupportedEncoding, notJSON, badRange, contentMismatch, badMetadata, unknownSeries, keyReused,
		internal, damaged, newerFormat, keyLost, keysDown, keysDenied, objectsDown, ledgerDown, ledgerRefuses, timedOut,
		journalDown, unreleased,
		abandoned, stopping, storeNotImmutable, journalFull, objectsFull,
	}
}

// cause says which problem a sentinel is.
type cause struct {
	err     error
	problem problem
}

// causes lists every sentinel that may reach the gateway. The first that fits decides: what is the request's own fault
// stands before what is a dependency's.
func causes() []cause {
	return []cause{
		{authn.ErrUnauthenticated, unauthenticated},
		{access.ErrDenied, denied},
		{vault.ErrNotFound, notFound},
		{vault.ErrErased, erased},
		{vault.ErrOwnRequest, secondPerson},
		{vault.ErrCustody, keyCustody},
		{vault.ErrNotRewrapped, notRewrapped},
		{vault.ErrNoBackup, backupMissing},
		{vault.ErrBackup, foreignBackup},
		{vault.ErrTrimOpen, trimOpen},
		{vault.ErrTrimOver, trimOver},
		{vault.ErrUnapproved, unapproved},
		{vault.ErrWaiting, waitingPeriod},
		{vault.ErrRetained, retained},
		{vault.ErrConflict, conflict},
		{vault.ErrIdempotency, keyReused},
		{vault.ErrMismatch, contentMismatch},
		{vault.ErrInterrupted, interrupted},
		{vault.ErrTooLarge, tooLarge},
		{vault.ErrMetadata, badMetadata},
		{vault.ErrNoSeries, unknownSeries},
		{vault.ErrNotImmutable, storeNotImmutable},
		{retention.ErrSeriesExists, seriesExists},
		{vault.ErrCursor, badCursor},
		{vault.ErrPurpose, badPurpose},
		{vault.ErrAbandoned, abandoned},
		{vault.ErrDamagedContent, damaged},
		{vault.ErrUnreleased, unreleased},
		{journal.ErrFull, journalFull},
		{journal.ErrStopped, journalDown},
		{journal.ErrUnknown, journalDown},
		{journal.ErrClosed, stopping},
		{journal.ErrDamaged, damaged},
		{journal.ErrNotFound, notFound},
		{journal.ErrTooLarge, badMetadata}, // each field may be legal and all of them too long
		{seal.ErrRow, damaged},
		{seal.ErrKeyset, damaged},
		{seal.ErrCiphertext, damaged},
		{seal.ErrNewer, newerFormat},
		{keys.ErrUnavailable, keysDown},
		{keys.ErrDenied, keysDenied},
		{keys.ErrNoKey, keyLost},
		{keys.ErrVersion, keyLost}, // an older copy of the keys has been put back
		{keys.ErrWrapped, keyLost},
		{objects.ErrFull, objectsFull},
		{objects.ErrUnavailable, objectsDown},
		{objects.ErrNotFound, damaged},
		{objects.ErrDamaged, damaged},
		{anchor.ErrContradicted, ledgerRefuses},
		{ledger.ErrRefused, ledgerRefuses},
		{ledger.ErrUnavailable, ledgerDown},
		{context.DeadlineExceeded, timedOut},
	}
}

// detailOf is what may be told about an error besides its problem: the field of the metadata that is wrong.
func detailOf(err error) string {
	if field := new(vault.MetadataError); errors.As(err, &field) {
		return field.Field + " " + field.Reason
	}
	return ""
}
