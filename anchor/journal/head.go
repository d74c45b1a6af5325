package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// The log's own rows besides bodies and tiles.
var (
	headTable   = Table{Log, "head"}   // "head" → Head
	tenantTable = Table{Log, "tenant"} // tenant → its last number
	seqTable    = Table{Log, "seq"}    // tenant, 0, number → index
	storyTable  = Table{Log, "story"}  // document → index of the last event about it
	authTable   = Table{Log, "auth"}   // "last" → index of the newest event about principals, keys and grants
	headKey     = []byte("head")
	// shippingHeadKey has the last head under the shipping key, while later ones are under the local key.
	shippingHeadKey = []byte("shipping")
	authKey         = []byte("last")
)

// Head is the state of the log after a commit. Its row ends with an HMAC, so that nobody else can go on with the log.
type Head struct {
	V       int       `json:"v"`
	Journal ID        `json:"journal"` // the same through every origin
	Origin  string    `json:"origin"`
	Size    uint64    `json:"size"`
	Root    Hash      `json:"root"`
	At      time.Time `json:"at"`
	Wall    time.Time `json:"wall"` // what the clock said when the last event was written
	// Time is where settled time stands.
	Time SettledTime `json:"time"`
	News uint64      `json:"news"`           // the size just after the last event that is not quiet
	Auth *uint64     `json:"auth,omitempty"` // index of the newest event about principals, keys and grants
	Key  int         `json:"key"`            // of the shipping key that authenticates the row; 0: the local key
}

const headRowVersion = 1

// encode sets version and key number, and writes the row, authenticated by the key. Without a key, which is for scratch
// tables, it has no HMAC.
func (h *Head) encode(key *shippingKey) ([]byte, error) {
	h.V, h.Key = headRowVersion, 0
	if key != nil {
		h.Key = key.number
	}
	object, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("writing the head: %w", err)
	}
	if key == nil {
		return object, nil
	}
	return key.appendMAC(macHeadRow, object), nil
}

// verifyHeadRow checks that a key has authenticated a head row.
func verifyHeadRow(row []byte, key *shippingKey) error {
	covered, mac, err := splitMAC(row)
	if err == nil {
		err = key.verify(macHeadRow, covered, mac)
	}
	if err != nil {
		return fmt.Errorf("the head row: %w", err)
	}
	return nil
}

// readHead reads the head row, and does not look whether it is authentic; ok is false in an empty backend.
func readHead(r Reader) (h Head, ok bool, err error) {
	row, err := r.Get(headTable, headKey)
	if err != nil || row == nil {
		return h, false, err
	}
	h, err = parseHead(row)
	return h, err == nil, err
}

func parseHead(row []byte) (h Head, err error) {
	if err := json.Unmarshal(row, &h); err != nil {
		return h, fmt.Errorf("the head row cannot be read: %w", ErrDamaged)
	}
	if h.V > headRowVersion {
		return h, fmt.Errorf("the journal is of format %d, this program knows %d: a newer program is needed",
			h.V, headRowVersion)
	}
	return h, nil
}

func seqKey(tenant string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(tenant), 0), seq)
}

// ReadID reads the journal id of a backend: ErrMissing if it holds no journal.
func ReadID(r Reader) (ID, error) {
	head, ok, err := readHead(r)
	if err == nil && !ok {
		err = ErrMissing
	}
	if err != nil {
		return ID{}, fmt.Errorf("reading the journal id: %w", err)
	}
	return head.Journal, nil
}

// LastAuth is the index of the newest event about principals, keys and grants that the snapshot, or the group in
// progress, has; ok is false when there is none.
func LastAuth(r Reader) (at uint64, ok bool, err error) {
	row, err := r.Get(authTable, authKey)
	if err != nil || row == nil {
		return 0, false, err
	}
	at, err = parseIndex(row)
	return at, err == nil, err
}
