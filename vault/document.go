package vault

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/keys"
)

// LedgerRef links a document to the business transaction that it supports.
type LedgerRef struct {
	Chain       string `json:"chain"`          // CAIP-2: "eip155:1"
	Transaction string `json:"transaction"`    // as the ledger writes it
	Role        string `json:"role,omitempty"` // what the document is to the transaction: "invoice"
}

// States of a document.
const (
	Kept   = "kept"
	Erased = "erased"
)

// Document describes a document.
type Document struct {
	ID               journal.ID
	Series           string
	State            string // Kept or Erased
	Size             int64  // of the content, in bytes
	Deposited        time.Time
	Depositor        string // the actor's id
	Index            uint64 // of the deposit's leaf
	RecordDate       string // "2026-11-22", the record's own date; may be empty
	LedgerRefs       []LedgerRef
	RetainUntil      time.Time // zero while it is not known
	Commitment       []byte    // HMAC-SHA-256(salt, "muniment content v1" ‖ SHA-256(content))
	CiphertextSHA256 []byte

	// The fields of an erased document; zero for one that is kept. ErasedInBackups says that it cannot be opened from
	// any backup either: the versions of the tenant's key that it needs are trimmed. ContentRemoved says that the
	// ciphertext is deleted; while it is not, ContentRemovable is when its lock ends, as far as is known, and zero
	// where a hold keeps it.
	ErasedAt         time.Time
	ErasedInBackups  bool
	ContentRemoved   bool
	ContentRemovable time.Time

	// Withheld says that the fields below are left out, and WithheldBecause why.
	Withheld        bool
	WithheldBecause Reason

	// The fields below are sealed. They are empty when the document is erased. The digest is empty too where it may not
	// be disclosed: see access.Disclose.
	FileName      string
	Title         string
	MediaType     string
	ExternalID    string
	Attributes    map[string]string
	ContentSHA256 []byte
}

// Reason is why the sealed fields of a description are left out.
type Reason string

// The reasons. The first concerns all documents of a listing, the second all or one, the others one.
const (
	ReasonFull    Reason = "journal-full" // opening them could not be put on record: the journal's disk is full
	ReasonKeys    Reason = "key-service"  // the key service is down, refuses us, or has the key no more
	ReasonDamaged Reason = "damaged"      // the sealed row is not what was recorded, which raises an alarm
	ReasonNewer   Reason = "newer-format" // a newer program wrote the sealed row
)

// withhold leaves the sealed fields out. An erased document has none.
func (d *Document) withhold(because Reason) {
	if d.State == Kept {
		d.Withheld, d.WithheldBecause = true, because
	}
}

// keysFail says whether the key service is why sealed rows cannot be opened: it is down, refuses us, or has the version
// no more that they are wrapped with. Acts that need no sealed row go on.
func keysFail(err error) bool {
	return errors.Is(err, keys.ErrUnavailable) || errors.Is(err, keys.ErrDenied) || errors.Is(err, keys.ErrNoKey)
}

// document is a row of the table of documents, under the document's id. It is kept small: everything else stands in the
// deposit's body, at Index.
type document struct {
	Tenant      string       `json:"t"`
	Series      string       `json:"s"`
	Erased      bool         `json:"x,omitempty"`
	Damaged     bool         `json:"d,omitempty"` // an alarm is on record
	At          int64        `json:"at"`          // Unix microseconds
	Actor       string       `json:"a"`
	Index       uint64       `json:"i"`
	Size        int64        `json:"n"`
	RecordDate  string       `json:"r,omitempty"`
	Refs        []LedgerRef  `json:"l,omitempty"`
	RetainUntil int64        `json:"u,omitempty"` // Unix seconds
	Object      StoredObject `json:"o"`
	Commitment  []byte       `json:"c"`

	// The fields of an erased document: when it was erased (Unix microseconds), by which event, with which version
	// of the tenant's key its row was wrapped last, whether it has left a tombstone, until when its ciphertext is
	// locked (Unix seconds), and whether that is deleted.
	ErasedAt    int64  `json:"xa,omitempty"`
	ErasedIndex uint64 `json:"xi,omitempty"`
	ErasedKey   int    `json:"xk,omitempty"`
	Tombstone   bool   `json:"xt,omitempty"`
	Removable   int64  `json:"xu,omitempty"`
	Held        bool   `json:"xh,omitempty"`
	Removed     bool   `json:"xo,omitempty"`
}

// StoredObject says where the ciphertext is and what it must be.
type StoredObject struct {
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
	Size    int64  `json:"size"`
	SHA256  []byte `json:"sha256"`
	CRC32C  uint32 `json:"crc32c"` // Castagnoli, as object stores compute it
}

// documents is the projection of documents. Its indexes other than by object are in the order of deposits, because
// neither time nor index of the log ever goes back.
var documents = journal.NewRows("documents",
	journal.RowIndex[document]{Name: "order", Keys: func(_ []byte, d document) [][]byte {
		return [][]byte{append(orderPrefix(d.Tenant), d.place()...)}
	}},
	journal.RowIndex[document]{Name: "damaged", Keys: func(_ []byte, d document) [][]byte {
		if !d.Damaged || d.Erased {
			return nil
		}
		return [][]byte{orderPrefix(d.Tenant)}
	}},
	journal.RowIndex[document]{Name: "series", Keys: func(_ []byte, d document) [][]byte {
		return [][]byte{append(seriesPrefix(d.Tenant, d.Series), d.place()...)}
	}},
	journal.RowIndex[document]{Name: "ledger", Keys: func(_ []byte, d document) [][]byte {
		keys := make([][]byte, len(d.Refs))
		for i, ref := range d.Refs {
			keys[i] = slices.Concat(ledgerPrefix(d.Tenant, ref.Chain, ref.Transaction), join(d.Series), d.place())
		}
		return keys
	}},
	journal.RowIndex[document]{Name: "object", Keys: func(_ []byte, d document) [][]byte {
		return [][]byte{objectPlace(d.Object.Key)}
	}},
)

// placeSize is the length of what place returns.
const placeSize = 16

// place is where a document stands among the deposits: its time, then its index.
func (d document) place() []byte { return placeOf(d.At, d.Index) }

func placeOf(micros int64, index uint64) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, placeSize), uint64(micros))
	return binary.BigEndian.AppendUint64(key, index)
}

// None of the parts can hold a zero byte, so no prefix is another's.
func orderPrefix(tenant string) []byte          { return join(tenant) }
func seriesPrefix(tenant, series string) []byte { return join(tenant, series) }
func ledgerPrefix(tenant, chain, transaction string) []byte {
	return join(tenant, chain, transaction)
}

func join(parts ...string) []byte {
	var key []byte
	for _, part := range parts {
		key = append(append(key, part...), 0)
	}
	return key
}

// public is the part of a description that nothing has to be opened for. Whether an erased document is so in backups
// too is told by the tenant's key: see erasedInBackups.
func (d document) public(id journal.ID) Document {
	out := Document{
		ID: id, Series: d.Series, State: Kept, Size: d.Size,
		Deposited: time.UnixMicro(d.At).UTC(), Depositor: d.Actor, Index: d.Index,
		RecordDate: d.RecordDate, LedgerRefs: d.Refs,
		Commitment: d.Commitment, CiphertextSHA256: d.Object.SHA256,
	}
	if d.Erased {
		out.State, out.ErasedAt, out.ContentRemoved = Erased, time.UnixMicro(d.ErasedAt).UTC(), d.Removed
		switch {
		case d.Removed, d.Held:
		case d.Removable != 0:
			out.ContentRemovable = time.Unix(d.Removable, 0).UTC()
		default:
			out.ContentRemovable = out.ErasedAt
		}
	}
	if d.RetainUntil != 0 {
		out.RetainUntil = time.Unix(d.RetainUntil, 0).UTC()
	}
	return out
}
