package problem

import "net/http"

// The problems that are the client's to solve. Their codes are a promise: clients tell problems apart by them.
var (
	BadRequest = Kind{"bad-request", http.StatusBadRequest, "The request cannot be understood", false,
		"A parameter or a header is malformed. The detail names it."}
	UnknownParameter = Kind{"unknown-parameter", http.StatusBadRequest, "There is no such parameter", false,
		"A query parameter or Muniment- header is not one of this call's, or a field is given more than once, or " +
			"in two ways."}
	BadBody = Kind{"bad-body", http.StatusBadRequest, "The body cannot be understood", false,
		"A form or a deposit in JSON is not as the contract has it. The detail says what is wrong. Nothing was kept."}
	BadID = Kind{"bad-id", http.StatusBadRequest, "This is not a document id", false,
		"Document ids are UUIDs of version 7 in lower-case canonical form."}
	BadDigest = Kind{"bad-digest", http.StatusBadRequest, "The digest cannot be checked", false,
		"Send Content-Digest: sha-256=:BASE64: (RFC 9530) as a header, or leave it out. Other digest headers, and " +
			"digests in a trailer, are refused, because nobody would check them."}
	BadCursor = Kind{"bad-cursor", http.StatusBadRequest, "This cursor is not of this listing", false,
		"Send the cursor of the page before, unchanged and with the same filters, or none."}
	PurposeMissing = Kind{"purpose-missing", http.StatusBadRequest, "Every read states its purpose", false,
		"Send the header Muniment-Purpose, or the query parameter purpose, with a code such as audit."}
	BadPurpose = Kind{"bad-purpose", http.StatusBadRequest, "This is not a purpose", false,
		"A purpose is a code of 1 to 64 lower-case letters, digits and hyphens; its note has at most 4 KiB."}
	Interrupted = Kind{"interrupted", http.StatusBadRequest, "The body broke off", true,
		"The body ended before its announced length, or its chunks are malformed. Nothing was kept; send it again."}
	Unauthenticated = Kind{"unauthenticated", http.StatusUnauthorized, "No valid credential", false,
		"Send Authorization: Bearer and a valid API key."}
	KeyUnapproved = Kind{"key-unapproved", http.StatusUnauthorized, "The API key waits for its approval", false,
		"Read the key's fingerprint to an approver, who compares it and approves: muniment principal approve."}
	Denied = Kind{"denied", http.StatusForbidden, "You may not do this", false,
		"The principal has no role that permits it. The denial is on record."}
	SecondPerson = Kind{"second-person", http.StatusForbidden, "This takes a second person", false,
		"Nobody approves their own proposal, carries out what they have approved, or revokes their own keys. Ask " +
			"somebody else with the role."}
	NotFound = Kind{"not-found", http.StatusNotFound, "There is no such thing", false,
		"It does not exist, or it is not one of your tenant's."}
	BadCode = Kind{"code-not-open", http.StatusNotFound, "The code opens nothing", false,
		"It is mistyped, used, replaced by a newer one, or has lapsed. Ask who gave it to you for another (muniment " +
			"principal code; a founder: muniment principal found, or a start of the server). If you have not used " +
			"it, somebody else may have: tell an administrator."}
	NoProposal = Kind{"no-proposal", http.StatusNotFound, "There is no such proposal", false,
		"It has been decided, or a later one took its place: muniment principal approve lists what waits."}
	NothingBegun = Kind{"nothing-begun", http.StatusNotFound, "Nothing is under way", false,
		"No founding and no recovery is under way: there is nothing to stop."}
	NoSuchRoute = Kind{"no-such-route", http.StatusNotFound, "There is no such call", false,
		"The contract, openapi/openapi.yaml, lists every call."}
	MethodNotAllowed = Kind{"method-not-allowed", http.StatusMethodNotAllowed, "Not with this method", false,
		"The header Allow names the methods that there are."}
	DispositionRequired = Kind{"disposition-required", http.StatusMethodNotAllowed, "Documents leave by disposition",
		false, "A document is destroyed only by a disposition that was proposed, approved by somebody else and " +
			"executed by the rules of its series: /v1/dispositions."}
	TooSlow = Kind{"too-slow", http.StatusRequestTimeout, "The body came too slowly", true,
		"Nothing was kept. Send it again over a faster connection."}
	Conflict = Kind{"conflict", http.StatusConflict, "Other content is kept under this external id", false,
		"Deposits are never overwritten. Use another external id for other content."}
	Ambiguous = Kind{"ambiguous-external-id", http.StatusConflict, "Several series have this external id", false,
		"Each series has external ids of its own. Name the series with the query parameter series; the detail says " +
			"which have it."}
	KeyCustody = Kind{"key-custody", http.StatusConflict, "The key custodian acts first", false,
		"This gateway does not hold the tenants' keys. Rotate in the key service with the key custodian's own " +
			"credentials, then repeat the request: muniment key rotate does both."}
	ForeignKey = Kind{"foreign-key", http.StatusConflict, "The key service has another key", false,
		"The key that the key service has under the tenant's name is not the one that the tenant's rows are wrapped " +
			"with: another key service answers, or its key was replaced. Nothing was destroyed. Find out which key " +
			"service the server is configured for, and who has changed it, before anything else."}
	NotRewrapped = Kind{"not-rewrapped", http.StatusConflict, "Not everything is rewrapped yet", false,
		"Something that is kept may still need the versions that are to be trimmed. Rewrap first: muniment key rewrap."}
	BackupMissing = Kind{"backup-missing", http.StatusConflict, "No verified backup covers the last rewrap", false,
		"The trim destroys key versions that earlier backups need. Make a backup first: muniment backup."}
	ForeignBackup = Kind{"foreign-backup", http.StatusConflict, "The backup is not one of this journal", false,
		"The journal has another root at that size, or fewer entries. Nothing was recorded."}
	Trial = Kind{"trial", http.StatusConflict, "The tenant is on trial", false,
		"What takes two people cannot be done on trial. Two people found the tenant first: muniment principal found."}
	NotTrial = Kind{"not-trial", http.StatusConflict, "The tenant is not on trial", false,
		"It has been founded by two people, and is founded only once."}
	FoundingOpen = Kind{"founding", http.StatusConflict, "The tenant is being founded", false,
		"A founder has the code of the founding, and gets no other: repeat the founding for new codes (muniment " +
			"principal found), or start the server again."}
	Unclaimed = Kind{"unclaimed", http.StatusConflict, "The person has not claimed a key yet", false,
		"Approve once they have, and have read its fingerprint to you: muniment principal claim."}
	Changed = Kind{"changed", http.StatusConflict, "It is not what it was when you looked", false,
		"The roles or the keys of the principal have changed since the digest was read. Nothing was approved. Look " +
			"at the proposal again: muniment principal approve."}
	ForbiddenRoles = Kind{"forbidden-roles", http.StatusConflict, "These roles do not go together", false,
		"No principal is administrator and reader, records officer, key custodian or approver, or key custodian and " +
			"approver. Give one of them to another principal."}
	ProposalOpen = Kind{"proposal-open", http.StatusConflict, "Another proposal is under way", false,
		"It comes first: muniment key status shows trims, of which one that has begun, or is for more versions, " +
			"takes precedence; muniment principal approve shows roles that wait for their approval."}
	ProposalOver = Kind{"proposal-over", http.StatusConflict, "The proposal is not open any more", false,
		"It has lapsed, was declined, or a later one has taken its place. Propose again."}
	Unapproved = Kind{"unapproved", http.StatusConflict, "Nobody has approved it", false,
		"Somebody other than the proposer has to approve, at most 90 days before it is carried out: " +
			"muniment key trim approve."}
	WaitingPeriod = Kind{"waiting-period", http.StatusConflict, "The waiting period has not ended", false,
		"not_before says when it ends: muniment key status shows it. A stop of the server, or a step of its clock, " +
			"puts that off until an approver acknowledges it: muniment journal time."}
	NoGap = Kind{"no-gap", http.StatusConflict, "There is no such gap of the settled time", false,
		"No open gap is of that index and length. Look at what there is before anything is acknowledged: " +
			"muniment journal time."}
	NotPassed = Kind{"not-passed", http.StatusConflict, "So much time has not passed", false,
		"By the server's clock so much time has not passed since what waits began: the clock was put forward and " +
			"back. Leave the gap as it is; it does not count."}
	Retained = Kind{"retained", http.StatusConflict, "The document must be kept", false,
		"A schedule or a hold keeps it, or its series has no schedule."}
	SeriesExists = Kind{"series-exists", http.StatusConflict, "There is such a series already", false,
		"A series is created once, and cannot be changed or removed. Choose another code."}
	Erased = Kind{"erased", http.StatusGone, "The document has been destroyed", false,
		"Its record and its proofs remain: see its history and its evidence."}
	TooLarge = Kind{"too-large", http.StatusRequestEntityTooLarge, "The body is too large", false,
		"The body is larger than this gateway accepts."}
	UnsupportedEncoding = Kind{"unsupported-encoding", http.StatusUnsupportedMediaType, "Not in this encoding", false,
		"Send the document itself or a multipart/form-data form: no Content-Encoding, no Content-Transfer-Encoding."}
	NotJSON = Kind{"not-json", http.StatusUnsupportedMediaType, "JSON is expected", false,
		"Send Content-Type: application/json."}
	BadRange = Kind{"bad-range", http.StatusRequestedRangeNotSatisfiable, "These bytes cannot be served", false,
		"The ranges are malformed, more than 16, or all outside of the document."}
	ContentMismatch = Kind{"content-mismatch", http.StatusUnprocessableEntity,
		"The content is not what was announced", false,
		"Its SHA-256 or its length differs from what the request says. Nothing was kept; check the file and send " +
			"it again."}
	BadMetadata = Kind{"bad-metadata", http.StatusUnprocessableEntity, "A field breaks a rule", false,
		"The detail names the field and the rule."}
	PurposeUnlisted = Kind{"purpose-unlisted", http.StatusUnprocessableEntity, "This is not a purpose of the tenant's",
		false, "The tenant's documents are read for the purposes of its list only; the detail names them, and " +
			"/v1/purposes lists them."}
	UnknownSeries = Kind{"unknown-series", http.StatusUnprocessableEntity, "There is no such record series", false,
		"Name a series of your file plan, or none for the default one."}
	KeyReused = Kind{"idempotency-key-reused", http.StatusUnprocessableEntity,
		"The idempotency key belongs to another deposit", false,
		"The same key was used with other content or other metadata. Use a new key for a new deposit."}
	TooManyRequests = Kind{"too-many-requests", http.StatusTooManyRequests, "Too many requests", true,
		"This principal sends more requests than one may, or this address more without a credential. The request " +
			"was not looked at; Retry-After says when to send it again."}
	TooManyUploads = Kind{"too-many-uploads", http.StatusTooManyRequests, "Too many uploads at a time", true,
		"This principal has as many uploads under way as one may. Nothing of this one was read; Retry-After says " +
			"when to send it again."}
)
