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
	authKey     = []byte("last")
)

// Head is the state of the log after a commit.
type Head struct {
	V       int       `json:"v"`
	Journal ID        `json:"journal"` // the same through every origin
	Origin  string    `json:"origin"`
	Size    uint64    `json:"size"`
	Root    Hash      `json:"root"`
	At      time.Time `json:"at"`
	News    uint64    `json:"news"`           // the size just after the last event that is not quiet
	Auth    *uint64   `json:"auth,omitempty"` // index of the newest event about principals, keys and grants
}

// readHead reads the head row; ok is false in an empty backend.
func readHead(r Reader) (h Head, ok bool, err error) {
	row, err := r.Get(headTable, headKey)
	if err != nil || row == nil {
		return h, false, err
	}
	if err := json.Unmarshal(row, &h); err != nil {
		return h, false, fmt.Errorf("the head row cannot be read: %w", ErrDamaged)
	}
	if h.V > 1 {
		return h, false, fmt.Errorf("the journal is of format %d, this program knows 1: a newer program is needed", h.V)
	}
	return h, true, nil
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
