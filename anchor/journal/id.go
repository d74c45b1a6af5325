package journal

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// ID is a UUIDv7 (RFC 9562, section 5.7): ids grow with time, so rows that they key stay close together.
type ID [16]byte

// NewID draws an ID. Draw it outside of decide, which may run twice.
func NewID(now time.Time, rand io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(rand, id[6:]); err != nil {
		return ID{}, fmt.Errorf("drawing an id: %w", err)
	}
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// ParseID reads the canonical form only: 36 lower-case characters, version 7, RFC 9562 variant.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("not an id: want 36 characters like 0190b5a0-7c1e-7000-8000-000000000000")
	}
	packed := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(packed)); err != nil {
		return ID{}, fmt.Errorf("not an id: want lower-case hexadecimal digits")
	}
	if id.String() != s || !id.isV7() {
		return ID{}, fmt.Errorf("not an id: want a lower-case UUID of version 7")
	}
	return id, nil
}

// isV7 says whether version and variant are those of a UUIDv7.
func (id ID) isV7() bool { return id[6]>>4 == 7 && id[8]>>6 == 2 }

// IsZero says whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Time is when the ID was drawn, to the millisecond.
func (id ID) Time() time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// String is the canonical form.
func (id ID) String() string {
	var out [36]byte
	for i, j := 0, 0; i < 16; i++ {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[j] = '-'
			j++
		}
		hex.Encode(out[j:], id[i:i+1])
		j += 2
	}
	return string(out[:])
}

// MarshalText writes the canonical form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the canonical form only.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
