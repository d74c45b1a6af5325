package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muniment/anchor/journal"
)

// Reading all events of ten thousand principals takes a good part of a second, so the state is also stored in the
// database, in a form that is fast to read, under an authenticator that only this journal's shipping key makes: what
// somebody else puts there is not read. An old state that is put back does no harm, for the events after it are read
// all the same, up to the newest that the head knows.

// storedPurpose is what the authenticator of a stored state is for.
const storedPurpose = "muniment authority 2"

// errStored says that a stored state is not one that this journal has written.
var errStored = errors.New("the stored state of principals and keys was not written by this journal")

// encode writes a state that stands above no other: the index of its newest event, how many there are, and the newest
// one's entry; then the texts that are named by number in what follows, the principals, the keys, and the tenancies.
func (s *state) encode() ([]byte, error) {
	people, keys := len(s.principals.rows), len(s.apiKeys.rows)
	out := make([]byte, 0, 128+128*people+64*keys)
	out = binary.AppendUvarint(out, s.at)
	out = binary.AppendUvarint(out, s.count)
	out = append(out, s.leaf[:]...)
	texts := &texts{number: map[string]uint64{}}
	body := binary.AppendUvarint(make([]byte, 0, cap(out)), uint64(people))
	for id, p := range s.principals.all() {
		body = texts.appendPrincipal(append(body, id[:]...), p)
	}
	body = binary.AppendUvarint(body, uint64(keys))
	for _, key := range s.apiKeys.all() {
		body = append(append(body, key.Digest...), key.Principal[:]...)
		body = append(binary.AppendVarint(body, key.Added.UnixMicro()), flags(key.Speaks))
	}
	body = binary.AppendUvarint(body, uint64(len(s.tenancies.rows)))
	for tenant, row := range s.tenancies.all() {
		raw, err := json.Marshal(row)
		if err != nil {
			return nil, fmt.Errorf("writing a tenant: %w", err)
		}
		body = texts.append(body, tenant)
		body = append(binary.AppendUvarint(body, uint64(len(raw))), raw...)
	}
	out = binary.AppendUvarint(out, uint64(len(texts.all)))
	for _, text := range texts.all {
		out = append(binary.AppendUvarint(out, uint64(len(text))), text...)
	}
	return append(out, body...), nil
}

// flags are so many bits, the first the lowest.
func flags(bits ...bool) (out byte) {
	for i, bit := range bits {
		if bit {
			out |= 1 << i
		}
	}
	return out
}

// texts are the texts of a stored state: few, and each in many places.
type texts struct {
	all    []string
	number map[string]uint64
}

func (t *texts) append(out []byte, text string) []byte {
	n, known := t.number[text]
	if !known {
		n = uint64(len(t.all))
		t.all, t.number[text] = append(t.all, text), n
	}
	return binary.AppendUvarint(out, n)
}

func (t *texts) appendPrincipal(out []byte, p principal) []byte {
	out = t.append(t.append(out, p.Tenant), p.Origin)
	out = binary.AppendVarint(out, p.Created.UnixMicro())
	out = binary.AppendUvarint(out, uint64(p.Keys))
	out = append(out, flags(p.Revoked, !p.Name.IsZero(), !p.Approved.IsZero(), p.Code != nil, p.Proposed != nil))
	out = t.appendGrants(out, p.Grants)
	if !p.Name.IsZero() {
		out = append(out, p.Name[:]...)
	}
	if !p.Approved.IsZero() {
		out = append(out, p.Approved[:]...)
	}
	if p.Code != nil {
		out = binary.AppendVarint(append(out, p.Code.Digest...), p.Code.Lapses.UnixMicro())
	}
	if p.Proposed != nil {
		out = t.append(append(out, p.Proposed.ID[:]...), p.Proposed.Proposer)
		out = binary.AppendVarint(out, p.Proposed.Proposed.UnixMicro())
		out = binary.AppendVarint(out, p.Proposed.Lapses.UnixMicro())
		out = t.appendGrants(out, p.Proposed.Grants)
	}
	return out
}

// appendGrants tells no grants from none: the row of the one says null, and the other's [].
func (t *texts) appendGrants(out []byte, grants []Grant) []byte {
	if grants == nil {
		return binary.AppendUvarint(out, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(grants))+1)
	for _, g := range grants {
		out = t.append(t.append(out, string(g.Role)), g.Series)
	}
	return out
}

// decoder reads a stored state. After a fault it reads zeros.
type decoder struct {
	rest  []byte
	texts []string
	fault bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if !d.skip(n) || n <= 0 {
		d.fault = true
		return 0
	}
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if !d.skip(n) || n <= 0 {
		d.fault = true
		return 0
	}
	return v
}

// skip goes on by n bytes.
func (d *decoder) skip(n int) bool {
	if d.fault = d.fault || n < 0 || n > len(d.rest); d.fault {
		d.rest = nil
		return false
	}
	d.rest = d.rest[n:]
	return true
}

func (d *decoder) bytes(into []byte) {
	if from := d.rest; d.skip(len(into)) {
		copy(into, from)
	}
}

// count reads how many elements of at least so many bytes follow.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.fault = true
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n >= uint64(len(d.texts)) {
		d.fault = true
		return ""
	}
	return d.texts[n]
}

func (d *decoder) time() time.Time { return time.UnixMicro(d.varint()).UTC() }

func (d *decoder) byte() byte {
	var b [1]byte
	d.bytes(b[:])
	return b[0]
}

func (d *decoder) digest() []byte {
	out := make([]byte, digestSize)
	d.bytes(out)
	return out
}

func (d *decoder) id() (id journal.ID) {
	d.bytes(id[:])
	return id
}

func (d *decoder) grants() (grants []Grant) {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	grants = make([]Grant, n-1)
	for i := range grants {
		grants[i] = Grant{Role: Role(d.text()), Series: d.text()}
	}
	return grants
}

func (d *decoder) principal() principal {
	p := principal{Tenant: d.text(), Origin: d.text(), Created: d.time(), Keys: int(d.uvarint())}
	has := d.byte()
	p.Revoked, p.Grants = has&1 != 0, d.grants()
	if has&2 != 0 {
		p.Name = d.id()
	}
	if has&4 != 0 {
		p.Approved = d.id()
	}
	if has&8 != 0 {
		p.Code = &code{Digest: d.digest(), Lapses: d.time()}
	}
	if has&16 != 0 {
		p.Proposed = &proposal{ID: d.id(), Proposer: d.text(), Proposed: d.time(), Lapses: d.time(), Grants: d.grants()}
	}
	return p
}

func (d *decoder) apiKey() apiKey {
	return apiKey{Digest: d.digest(), Principal: d.id(), Added: d.time(), Speaks: d.byte()&1 != 0}
}

func (d *decoder) tenancy() (row tenancy) {
	raw := make([]byte, d.count(1))
	d.bytes(raw)
	if err := json.Unmarshal(raw, &row); err != nil {
		d.fault = true
	}
	return row
}

// decodeState reads what encode wrote.
func decodeState(raw []byte) (*state, error) {
	d := &decoder{rest: raw}
	s := newState()
	s.begun, s.at, s.count = true, d.uvarint(), d.uvarint()
	d.bytes(s.leaf[:])
	for range d.count(1) {
		text := make([]byte, d.count(1))
		d.bytes(text)
		d.texts = append(d.texts, string(text))
	}
	n := d.count(len(journal.ID{}))
	s.principals.rows = make(map[journal.ID]layered[principal], n)
	for range n {
		s.principals.put(d.id(), d.principal())
	}
	n = d.count(digestSize)
	s.apiKeys.rows = make(map[keyID]layered[apiKey], n)
	for range n {
		key := d.apiKey()
		s.apiKeys.put(digest(key.Digest).id(), key)
	}
	for range d.count(1) {
		s.tenancies.put(d.text(), d.tenancy())
	}
	if d.fault || len(d.rest) > 0 {
		return nil, errStored
	}
	return s, nil
}

// Store stores the state as it is now. It does nothing while the journal has no shipping key to authenticate it with.
func (a *Authority) Store(ctx context.Context) error {
	a.mu.RLock()
	raw, err := a.known.encode()
	begun, count := a.known.begun, a.known.count
	a.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("storing who may do what: %w", err)
	}
	mac, ok := a.journal.Authenticate(storedPurpose, raw)
	if !ok || !begun {
		return nil
	}
	if err := a.journal.StoreAuthority(ctx, append(mac, raw...)); err != nil {
		return fmt.Errorf("storing who may do what: %w", err)
	}
	a.mu.Lock()
	a.stored = count
	a.mu.Unlock()
	return nil
}

// passedOver is what the log says of a stored state that is not read.
const passedOver = "the stored state of principals and keys is passed over; all events about them are read"

// loadStored reads the stored state: nil if there is none, if this journal has not written it, or if its newest event
// does not stand in the log.
func (a *Authority) loadStored(r journal.Reader) (*state, error) {
	raw, err := journal.StoredAuthority(r)
	if err != nil || raw == nil {
		return nil, err
	}
	s, err := a.open(raw)
	if err == nil {
		err = a.standsIn(r, s)
	}
	if err != nil {
		a.log.Warn(passedOver, "error", err)
		return nil, nil
	}
	return s, nil
}

// standsIn says whether the newest event of a state stands in the log.
func (a *Authority) standsIn(r journal.Reader, s *state) error {
	prover, err := a.journal.Prover(r)
	if err != nil {
		return err
	}
	rec, err := prover.Record(s.at)
	if err == nil && leafOf(rec) != s.leaf {
		err = errStored
	}
	return err
}

// open checks the authenticator, then reads.
func (a *Authority) open(raw []byte) (*state, error) {
	if len(raw) < sha256.Size {
		return nil, errStored
	}
	mac, ok := a.journal.Authenticate(storedPurpose, raw[sha256.Size:])
	if !ok {
		return nil, errors.New("the journal's shipping key is not there to check it with")
	}
	if !hmac.Equal(mac, raw[:sha256.Size]) {
		return nil, errStored
	}
	return decodeState(raw[sha256.Size:])
}
