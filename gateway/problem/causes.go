package problem

import (
	"context"
	"errors"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	"muniment/gateway/authn"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/budget"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/people"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// cause says of which kind a sentinel is.
type cause struct {
	err  error
	kind Kind
}

// causes lists every sentinel that may reach a handler. The first that fits decides: the request's own faults stand
// before those of a dependency.
func causes() []cause {
	return []cause{
		{authn.ErrUnauthenticated, Unauthenticated},
		{access.ErrKeyUnapproved, KeyUnapproved},
		{access.ErrDenied, Denied},
		{budget.ErrShort, MemoryShort},
		{budget.ErrSlow, MemoryShort},
		{budget.ErrTooMuch, TooLarge},
		{approval.ErrTrial, Trial},
		{people.ErrFounded, NotTrial},
		{people.ErrFounding, FoundingOpen},
		{people.ErrRoles, ForbiddenRoles},
		{people.ErrNoProposal, NoProposal},
		{people.ErrChanged, Changed},
		{people.ErrNoKey, Unclaimed},
		{vault.ErrNotFound, NotFound},
		{people.ErrNotFound, NotFound},
		{vault.ErrErased, Erased},
		{vault.ErrAmbiguous, Ambiguous},
		{approval.ErrOwnRequest, SecondPerson},
		{journal.ErrOwnWait, SecondPerson},
		{journal.ErrNoGap, NoGap},
		{journal.ErrNotPassed, NotPassed},
		{rekey.ErrNoTrim, NotFound},
		{rekey.ErrNotStarted, TrimNotStarted},
		{rekey.ErrCustody, KeyCustody},
		{rekey.ErrNotRewrapped, NotRewrapped},
		{rekey.ErrCanary, ForeignKey}, // before what the key service says of the row
		{rekey.ErrNoBackup, BackupMissing},
		{rekey.ErrBackup, ForeignBackup},
		{approval.ErrOpen, ProposalOpen},
		{approval.ErrOver, ProposalOver},
		{approval.ErrUnapproved, Unapproved},
		{approval.ErrWaiting, WaitingPeriod},
		{vault.ErrRetained, Retained},
		{vault.ErrConflict, Conflict},
		{vault.ErrIdempotency, KeyReused},
		{vault.ErrMismatch, ContentMismatch},
		{vault.ErrInterrupted, Interrupted},
		{vault.ErrTooLarge, TooLarge},
		{objects.ErrTooLarge, TooLarge},
		{invalid.ErrField, BadMetadata},
		{vault.ErrNoSeries, UnknownSeries},
		{vault.ErrNotImmutable, StoreNotImmutable},
		{retention.ErrSeriesExists, SeriesExists},
		{vault.ErrCursor, BadCursor},
		{vault.ErrPurpose, BadPurpose},
		{vault.ErrPurposeUnlisted, PurposeUnlisted},
		{vault.ErrAbandoned, Abandoned},
		{vault.ErrDamagedContent, Damaged},
		{journal.ErrUnreleasable, Unreleasable},
		{access.ErrUnreleased, Unreleased},
		{journal.ErrNoLease, LeaseOver},
		{journal.ErrFull, JournalFull},
		{journal.ErrStopped, JournalStopped},
		{journal.ErrUnknown, JournalStopped},
		{journal.ErrClosed, Stopping},
		{journal.ErrDamaged, Damaged},
		{journal.ErrNotFound, NotFound},
		{journal.ErrTooLarge, BadMetadata}, // each field may be legal and all of them too long
		{seal.ErrRow, Damaged},
		{seal.ErrKeyset, Damaged},
		{seal.ErrCiphertext, Damaged},
		{seal.ErrNewer, NewerFormat},
		{keys.ErrUnavailable, KeysUnavailable},
		{journal.ErrKeysUnavailable, KeysUnavailable}, // the journal is provisional
		{keys.ErrDenied, KeysDenied},
		{keys.ErrNoKey, KeyLost},
		{keys.ErrVersion, KeyLost}, // an older copy of the keys has been put back
		{keys.ErrWrapped, KeyLost},
		{objects.ErrFull, ObjectsFull},
		{objects.ErrUnavailable, ObjectsUnavailable},
		{objects.ErrNotFound, Damaged},
		{objects.ErrDamaged, Damaged},
		{anchor.ErrContradicted, LedgerRefuses},
		{ledger.ErrRefused, LedgerRefuses},
		{ledger.ErrUnavailable, LedgerUnavailable},
		{context.DeadlineExceeded, TimedOut},
	}
}

func kindOf(err error) Kind {
	for _, c := range causes() {
		if errors.Is(err, c.err) {
			return c.kind
		}
	}
	return Internal
}

// detailOf is what may be told about an error besides its kind: the field of the metadata that is wrong, and why, or
// what the error itself tells a client.
func detailOf(err error) string {
	if field := new(invalid.Field); errors.As(err, &field) {
		return field.Name + " " + field.Reason
	}
	var told interface{ Detail() string } // a *vault.PurposeUnlisted or a *vault.Ambiguous
	if errors.As(err, &told) {
		return told.Detail()
	}
	return ""
}
