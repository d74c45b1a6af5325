package problem

import "net/http"

// The problems that an operator solves, or that pass by themselves.
var (
	Internal = Kind{"internal", http.StatusInternalServerError, "A fault of ours", false,
		"The log says more under the request id."}
	Damaged = Kind{"damaged", http.StatusInternalServerError, "What is stored is not what was recorded", false,
		"The content or a row of the journal failed verification and was not served. An operator has to act: " +
			"muniment fsck."}
	NewerFormat = Kind{"newer-format", http.StatusInternalServerError, "This was written by a newer version", false,
		"This gateway is older than the one that wrote the row. An operator has to bring it up to date."}
	KeyLost = Kind{"key-lost", http.StatusInternalServerError, "The key cannot open this", false,
		"The key service has no key for what is stored, or what is stored is not what it wrapped. An operator has " +
			"to act."}
	KeysUnavailable = Kind{"key-service-unavailable", http.StatusServiceUnavailable,
		"The key service does not answer", true,
		"Nothing was lost. Try again."}
	KeysDenied = Kind{"key-service-denies", http.StatusServiceUnavailable, "The key service refuses us", false,
		"An operator has to renew this gateway's access to the key service."}
	ObjectsUnavailable = Kind{"object-store-unavailable", http.StatusServiceUnavailable,
		"The object store does not answer", true,
		"Nothing was lost. Try again."}
	ObjectsFull = Kind{"object-store-full", http.StatusInsufficientStorage, "The object store is full", true,
		"Nothing was kept. An operator has to make room."}
	StoreNotImmutable = Kind{"store-not-immutable", http.StatusServiceUnavailable,
		"The store does not enforce immutability", false,
		"The series demands a store that enforces its locks, and the newest attestation does not say that this one " +
			"does. Nothing was kept. An operator has to act: muniment doctor says what is missing."}
	LedgerUnavailable = Kind{"ledger-unavailable", http.StatusServiceUnavailable, "The ledger does not answer", true,
		"Nothing was lost: the checkpoint will be anchored when the ledger is back."}
	LedgerRefuses = Kind{"ledger-refuses", http.StatusInternalServerError, "The ledger refuses the checkpoint", false,
		"The ledger has a larger checkpoint, or one that contradicts this journal. An operator has to find out why."}
	JournalFull = Kind{"journal-full", http.StatusInsufficientStorage, "The journal's disk is full", true,
		"Nothing is done that cannot be recorded. An operator has to make room."}
	JournalStopped = Kind{"journal-stopped", http.StatusServiceUnavailable, "The journal has stopped", true,
		"The outcome of a write is unknown. The service restarts and reads what really happened; repeat the " +
			"request with the same idempotency key or external id."}
	LeaseOver = Kind{"lease-over", http.StatusServiceUnavailable, "This gateway may not serve content now", true,
		"It has lost touch with the release bucket, and another server may have taken over. Nothing was lost; " +
			"descriptions and proofs are served on. Try again."}
	Unreleased = Kind{"unreleased", http.StatusServiceUnavailable, "Recorded, but not released yet", true,
		"Repeat the request with the same idempotency key or external id: it gives the receipt once the log is " +
			"released."}
	Unreleasable = Kind{"unreleasable", http.StatusInternalServerError, "Recorded, but it cannot be released", false,
		"The journal is damaged where the record stands. Nothing is deposited until an operator acts: muniment fsck. " +
			"Repeat the request afterwards, with the same idempotency key or external id."}
	TrimNotStarted = Kind{"trim-not-started", http.StatusServiceUnavailable, "The trim has not started", true,
		"This request has destroyed nothing: that the trim begins is on record here, and no locked checkpoint in the " +
			"documents' store covers it yet. Repeating it is safe. While it stays so, an operator has to look at the " +
			"release bucket, the key service, which signs, and the documents' store: /readyz says which is not well."}
	Abandoned = Kind{"abandoned", http.StatusServiceUnavailable, "The upload took too long", true,
		"The stored object was swept away before the deposit was recorded. Nothing was kept; send it again."}
	MemoryShort = Kind{"memory-short", http.StatusServiceUnavailable, "Too much is under way", true,
		"The memory for uploads and reads is held by others, or they waited for what this one filled too slowly. " +
			"Nothing was kept. Send it again; a body whose length is announced needs the least."}
	Stopping = Kind{"stopping", http.StatusServiceUnavailable, "The service is stopping", true,
		"Nothing was changed. Try again."}
	TimedOut = Kind{"timed-out", http.StatusServiceUnavailable, "It took too long", true,
		"The work goes on, or it was not begun; nothing is lost. Try again."}
)
