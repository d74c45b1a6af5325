package vault

import (
	"fmt"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/objects"
	"muniment/vault/rekey"
)

// The events of this package. Those whose data name no document are about the one in the body's doc, unless they say
// otherwise.
const (
	TenantCreated     journal.Type[TenantCreatedData]     = access.TenantCreated
	DocumentDeposited journal.Type[DocumentDepositedData] = "document.deposited/1"
	DocumentRead      journal.Type[DocumentReadData]      = "document.read/1"
	DocumentServed    journal.Type[DocumentServedData]    = "document.served/1"
	DocumentDescribed journal.Type[DocumentDescribedData] = "document.described/1"
	DocumentsListed   journal.Type[DocumentsListedData]   = "documents.listed/1"
	DocumentCompared  journal.Type[DocumentComparedData]  = "document.compared/1"
	EvidenceIssued    journal.Type[EvidenceIssuedData]    = "evidence.issued/1"
	ObjectDamaged     journal.Type[ObjectDamagedData]     = "object.damaged/1"
	ObjectsAbandoned  journal.Type[ObjectsAbandonedData]  = "object.abandoned/2"
	ObjectsUnknown    journal.Type[ObjectsUnknownData]    = "object.unknown/1"
	StorageAttested   journal.Type[StorageAttestedData]   = "storage.attested/1"
	JournalRestored   journal.Type[JournalRestoredData]   = "journal.restored/1"
)

// TenantCreatedData says that the tenant of the body exists from now on. It is about no document.
type TenantCreatedData struct {
	// IndexKey names the sealed row with the key of the tenant's lookup tokens.
	IndexKey journal.ID `json:"index_key"`
}

// DocumentDepositedData says that a document is kept from now on. It binds the document's sealed row.
type DocumentDepositedData struct {
	Series    string `json:"series"`
	Scheduled bool   `json:"scheduled"`
	// RetainUntil is when it may be destroyed at the earliest; nil while that is not known.
	RetainUntil *time.Time `json:"retain_until,omitempty"`
	// LockDue is when the lock duty is to take over from the lock that the object got at its upload.
	LockDue    time.Time   `json:"lock_due"`
	RecordDate string      `json:"record_date,omitempty"` // a civil date: the record's own
	LedgerRefs []LedgerRef `json:"ledger_refs,omitempty"`
	Size       int64       `json:"size"` // of the content, in bytes
	// Commitment is HMAC-SHA-256(salt, "muniment content v1" ‖ SHA-256(content)). The salt is erased with the document.
	Commitment []byte       `json:"commitment"`
	Object     StoredObject `json:"object"`
}

// DocumentReadData says that the actor is given content of the document from now on, in one short session.
type DocumentReadData struct {
	Purpose string `json:"purpose"` // a code
	// Note names the sealed row with the purpose in free text; nil when there is none.
	Note *journal.ID `json:"note,omitempty"`
}

// DocumentServedData says what a read session came to.
type DocumentServedData struct {
	Read   uint64 `json:"read"`   // the index of the session's document.read
	Bytes  int64  `json:"bytes"`  // of content, sent in all
	Reads  int    `json:"reads"`  // how many requests it took
	Broken int    `json:"broken"` // how many of these did not get all that they had asked for
}

// DocumentDescribedData says that the actor was given the document's sealed metadata.
type DocumentDescribedData struct{}

// DocumentsListedData says that the actor was given the sealed metadata of many documents. It is about no single one.
type DocumentsListedData struct {
	Count int `json:"count"`
	// Root is the RFC 6962 tree hash over the entries salt ‖ id, in the order of the listing. Each salt is HMAC-SHA-256
	// under the tenant's index key over Nonce and the id, so that one document's listing can be shown without
	// another's.
	Root  []byte `json:"root"`
	Nonce []byte `json:"nonce"`
}

// DocumentComparedData says that the actor sent content under the document's external id and was told whether it is the
// document's. A depositor who sends the same content again is told so without an event.
type DocumentComparedData struct {
	Same bool `json:"same"`
}

// EvidenceIssuedData says that the actor was given an evidence file about the document.
type EvidenceIssuedData struct {
	Disclosed bool `json:"disclosed"` // with content digest and salt
}

// ObjectDamagedData says that the document's ciphertext, or the sealed row with its key, is missing or not what was
// recorded. It is recorded once.
type ObjectDamagedData struct {
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
	// Found is "missing", "size", "digest", "damaged" (says the store), "segment", or "row" for the sealed row.
	Found string `json:"found"`
}

// ObjectsAbandonedData says that objects belong to no document and are about to be deleted. A deposit that still wants
// one is refused. It is about no document.
type ObjectsAbandonedData struct {
	Keys []string `json:"keys"`
}

// StorageAttestedData says what the documents' store was seen to enforce. It is about no document.
type StorageAttestedData struct {
	Store string `json:"store"` // names it: its kind and a digest of where it is
	// Immutable says that it enforced all that was tried.
	Immutable bool `json:"immutable"`
	// Trial is what was tried and how the store took it; nil for a store of which it is known without.
	Trial *objects.Attestation `json:"trial,omitempty"`
}

// tenantRow is a row of the table of tenants, under the tenant's name.
type tenantRow struct {
	IndexKey journal.ID `json:"index_key"`
	Created  time.Time  `json:"created"`
}

// abandonedRow is a row of the table of abandoned objects, under the object's key.
type abandonedRow struct {
	At time.Time `json:"at"`
}

var (
	tenants   = journal.NewRows[tenantRow]("tenants")
	abandoned = journal.NewRows[abandonedRow]("abandoned")
)

// Definitions are the event types of this package, of access and of rekey, with their reducers.
func Definitions() []journal.Definition {
	return append(slices.Concat(access.Definitions(), rekey.Definitions()),
		TenantCreated.On(reduceTenantCreated),
		DocumentDeposited.On(reduceDeposited),
		PurposesSet.On(reducePurposesSet),
		DocumentRead.On(reduceRead),
		DocumentServed.On(nothing[DocumentServedData]),
		DocumentDescribed.On(nothing[DocumentDescribedData]),
		DocumentsListed.On(nothing[DocumentsListedData]),
		DocumentCompared.On(nothing[DocumentComparedData]),
		EvidenceIssued.On(nothing[EvidenceIssuedData]),
		ObjectDamaged.On(reduceDamaged),
		ObjectsAbandoned.On(reduceAbandoned),
		ObjectsUnknown.On(reduceUnknown),
		StorageAttested.On(reduceAttested),
		JournalRestored.On(reduceRestored),
		DocumentErased.On(reduceErased),
		TombstoneErased.On(reduceTombstoneErased),
		ObjectErased.On(reduceObjectErased),
		LocksBehind.On(reduceLocksBehind),
		LocksCaughtUp.On(reduceLocksCaughtUp),
	)
}

// nothing is the reducer of events that no table follows from.
func nothing[D any](*journal.Writer, journal.Entry, D) error { return nil }

func reduceTenantCreated(w *journal.Writer, e journal.Entry, d TenantCreatedData) error {
	if err := w.Bind(sealedKey(sealedIndexKey, d.IndexKey)); err != nil {
		return err
	}
	return tenants.Put(w, []byte(e.Tenant), tenantRow{IndexKey: d.IndexKey, Created: e.At})
}

func reduceDeposited(w *journal.Writer, e journal.Entry, d DocumentDepositedData) error {
	if e.Doc.IsZero() {
		return fmt.Errorf("depositing: no document is named")
	}
	if err := w.Bind(sealedKey(sealedDocument, e.Doc)); err != nil {
		return err
	}
	if err := w.Owe(lockDuty, d.LockDue); err != nil {
		return err
	}
	row := document{
		Tenant: e.Tenant, Series: d.Series, At: e.At.UnixMicro(), Actor: e.Actor, Index: e.Index, Size: d.Size,
		RecordDate: d.RecordDate, Refs: d.LedgerRefs, Object: d.Object, Commitment: d.Commitment,
	}
	if d.RetainUntil != nil {
		row.RetainUntil = d.RetainUntil.Unix()
	}
	return documents.Put(w, e.Doc[:], row)
}

func reduceRead(w *journal.Writer, _ journal.Entry, d DocumentReadData) error {
	if d.Note == nil {
		return nil
	}
	return w.Bind(sealedKey(sealedNote, *d.Note))
}

func reduceDamaged(w *journal.Writer, e journal.Entry, _ ObjectDamagedData) error {
	row, ok, err := documents.Get(w, e.Doc[:])
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("recording a damaged object: no such document")
	}
	row.Damaged = true
	return documents.Put(w, e.Doc[:], row)
}

func reduceAbandoned(w *journal.Writer, e journal.Entry, d ObjectsAbandonedData) error {
	for _, key := range d.Keys {
		if err := abandoned.Put(w, []byte(key), abandonedRow{At: e.At}); err != nil {
			return err
		}
	}
	return nil
}
