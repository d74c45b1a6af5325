package problem

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		BadRequest, UnknownParameter, BadBody, BadID, BadDigest, BadCursor, PurposeMissing, BadPurpose, Interrupted,
		Unauthenticated, KeyUnapproved, Denied, SecondPerson, NotFound, BadCode,
		NoProposal, NothingBegun, NoSuchRoute, MethodNotAllowed,
		DispositionRequired, TooSlow, Conflict, Ambiguous, Trial, NotTrial, FoundingOpen, Unclaimed, Changed,
		ForbiddenRoles, KeyCustody, NotRewrapped, BackupMissing, ForeignBackup, ForeignKey, ProposalOpen,
		ProposalOver, Unapproved,
		WaitingPeriod, NoGap, NotPassed, Retained, SeriesExists, Erased, TooLarge, UnsupportedEncoding, NotJSON,
		BadRange,
		ContentMismatch, BadMetadata, PurposeUnlisted, UnknownSeries, KeyReused, TooManyRequests, TooManyUploads,

		Internal, Damaged, NewerFormat, KeyLost, KeysUnavailable, KeysDenied, ObjectsUnavailable, ObjectsFull,
		StoreNotImmutable, LedgerUnavailable, LedgerRefuses, JournalFull, JournalStopped, LeaseOver, Unreleased,
		Unreleasable, TrimNotStarted, Abandoned, MemoryShort, Stopping, TimedOut,
	}
}
