package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MaxBody is the length of the longest body, in bytes.
const MaxBody = 64 << 10

// bodyVersion is the version of the envelope; bodies of a newer one are refused.
const bodyVersion = 1

// timeLayout is RFC 3339 in UTC with microseconds, always of one length.
const timeLayout = "2006-01-02T15:04:05.000000Z"

var bodyTable = Table{Log, "body"}

// ErrTooLarge says that an event does not fit into a body.
var ErrTooLarge = fmt.Errorf("an event's body is longer than %d bytes", MaxBody)

// body is a body taken apart.
type body struct {
	Entry
	Type string
	Data json.RawMessage
}

// appendTo writes the one form that a body has: no spaces, fields in this order, optional ones left out. Type, tenant
// and actor are of an alphabet that needs no escapes.
func (b *body) appendTo(out []byte) []byte {
	out = append(out, `{"v":1,"type":"`...)
	out = append(out, b.Type...)
	out = append(out, `","at":"`...)
	out = b.At.AppendFormat(out, timeLayout)
	if !b.Wall.Equal(b.At) {
		out = append(out, `","wall":"`...)
		out = b.Wall.AppendFormat(out, timeLayout)
	}
	if !b.Settled.Equal(b.At) {
		out = append(out, `","settled":"`...)
		out = b.Settled.AppendFormat(out, timeLayout)
	}
	out = append(out, `","tenant":"`...)
	out = append(out, b.Tenant...)
	out = append(out, `","seq":`...)
	out = strconv.AppendUint(out, b.Seq, 10)
	out = append(out, `,"actor":"`...)
	out = append(out, b.Actor...)
	out = append(out, '"')
	if !b.Doc.IsZero() {
		out = append(out, `,"doc":"`...)
		out = append(out, b.Doc.String()...)
		out = append(out, '"')
	}
	if b.Prev != nil {
		out = append(out, `,"prev":`...)
		out = strconv.AppendUint(out, *b.Prev, 10)
	}
	if b.Auth != nil {
		out = append(out, `,"auth":`...)
		out = strconv.AppendUint(out, *b.Auth, 10)
	}
	out = append(out, `,"data":`...)
	out = append(out, b.Data...)
	return append(out, '}')
}

// parseBody reads a body and refuses every other form than the one that appendTo writes, and duplicate keys in its
// data.
func parseBody(raw []byte) (*body, error) {
	var f struct {
		V       int             `json:"v"`
		Type    string          `json:"type"`
		At      string          `json:"at"`
		Wall    string          `json:"wall"`
		Settled string          `json:"settled"`
		Tenant  string          `json:"tenant"`
		Seq     uint64          `json:"seq"`
		Actor   string          `json:"actor"`
		Doc     ID              `json:"doc"`
		Prev    *uint64         `json:"prev"`
		Auth    *uint64         `json:"auth"`
		Data    json.RawMessage `json:"data"`
	}
	if len(raw) > MaxBody {
		return nil, fmt.Errorf("reading a body: %w", ErrTooLarge)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, errors.New("reading a body: it is not the JSON of one")
	}
	if f.V > bodyVersion {
		return nil, fmt.Errorf("reading a body: it is of version %d, this program knows %d: a newer program is needed",
			f.V, bodyVersion)
	}
	b := &body{Type: f.Type, Data: f.Data}
	b.Tenant, b.Seq, b.Actor, b.Doc, b.Prev = f.Tenant, f.Seq, f.Actor, f.Doc, f.Prev
	b.Auth = f.Auth
	for _, t := range []struct {
		name, text string
		into       *time.Time
	}{{"time", f.At, &b.At}, {"wall time", f.Wall, &b.Wall}, {"settled time", f.Settled, &b.Settled}} {
		if *t.into = b.At; t.text == "" && t.into != &b.At {
			continue
		}
		var err error
		if *t.into, err = time.Parse(timeLayout, t.text); err != nil {
			return nil, fmt.Errorf("reading a body: its %s is not RFC 3339 in UTC with microseconds", t.name)
		}
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("reading a body: %w", err)
	}
	if !bytes.Equal(b.appendTo(nil), raw) {
		return nil, errors.New("reading a body: it is not in canonical form")
	}
	return b, nil
}

// check refuses names that would need escapes in JSON, and data that two readers could understand differently. It is
// called before a body is written and after one is read.
func (b *body) check() error {
	switch {
	case !plain(b.Type, 1, 64):
		return errors.New("the event type is not 1 to 64 of [A-Za-z0-9._:/-]")
	case !plain(b.Tenant, 1, 64):
		return errors.New("the tenant is not 1 to 64 of [A-Za-z0-9._:/-]")
	case !plain(b.Actor, 1, 128):
		return errors.New("the actor is not 1 to 128 of [A-Za-z0-9._:/-]")
	case !b.Doc.IsZero() && !b.Doc.isV7():
		return errors.New("the document's id is not a UUID of version 7")
	case b.Prev != nil && b.Doc.IsZero():
		return errors.New("a previous event is named without a document")
	}
	return checkData(b.Data)
}

func plain(s string, shortest, longest int) bool {
	if len(s) < shortest || len(s) > longest {
		return false
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != ':' && c != '/' && c != '-' {
			return false
		}
	}
	return true
}

// indexKey is an index as a key, so that rows grow with time.
func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// packBody is a body's row: a format byte, the nonce, the body.
func packBody(nonce [NonceSize]byte, raw []byte) []byte {
	row := make([]byte, 0, 1+NonceSize+len(raw))
	row = append(row, 1)
	row = append(row, nonce[:]...)
	return append(row, raw...)
}

func unpackBody(row []byte) (nonce [NonceSize]byte, raw []byte, err error) {
	if len(row) < 1+NonceSize || row[0] != 1 {
		return nonce, nil, fmt.Errorf("a body's row is of another format: %w", ErrDamaged)
	}
	copy(nonce[:], row[1:])
	return nonce, row[1+NonceSize:], nil
}

// index reads an index from a row.
func parseIndex(row []byte) (uint64, error) {
	if len(row) != 8 {
		return 0, fmt.Errorf("a number's row has %d bytes: %w", len(row), ErrDamaged)
	}
	return binary.BigEndian.Uint64(row), nil
}
