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
	headKey     = []byte("head")
)

// Head is the state of the log after a commit.
type Head struct {
	V      int       `json:"v"`
	Origin string    `json:"origin"`
	Size   uint64    `json:"size"`
	Root   Hash      `json:"root"`
	At     time.Time `json:"at"`
	News   uint64    `json:"news"` // the size just after the last event that is not quiet
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
