package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// The first byte of a sealed row's key says what the row is about; the rest is an id: the document's, or one of the
// row's own. access.SealedName is another one.
const (
	sealedDocument = 'd'
	sealedNote     = 'n' // the free text of a purpose
	sealedIndexKey = 't' // a tenant's index key
	// sealedTombstone keeps the external id of an erased document taken; the id is the document's.
	sealedTombstone = 'x'
)

// Kinds of sealed rows that are not a document's, in their bindings.
const (
	noteBinding      = "note"
	indexKeyBinding  = "index key"
	tombstoneBinding = "tombstone"
)

// textVersion is that of sealedText. A newer one is refused.
const textVersion = 1

// sealedText is what a document's sealed row holds besides its key and salt: all that is erased with it.
type sealedText struct {
	V int `json:"v"`
	// Series is the one that the document is filed in. The table of documents says so too, and decides with it who may
	// do what; a document whose row names another does not open. Who files it elsewhere writes the sealed row anew.
	Series        string            `json:"series"`
	FileName      string            `json:"file_name,omitempty"`
	Title         string            `json:"title,omitempty"`
	MediaType     string            `json:"media_type,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	ExternalID    string            `json:"external_id,omitempty"`
	ContentSHA256 []byte            `json:"content_sha256"`
	// Fingerprint is what a replay of the request is compared with.
	Fingerprint []byte `json:"fingerprint"`
	// Idempotency is what the row's token is computed from, so that a restore can compute it again.
	Idempotency *idempotency `json:"idempotency,omitempty"`
}

type idempotency struct {
	Principal string `json:"principal"`
	Key       string `json:"key"`
}

// sealedKey is the key of a sealed row.
func sealedKey(kind byte, id journal.ID) []byte { return append([]byte{kind}, id[:]...) }

// bindIndexKey is what a tenant's index key is bound to. The journal id is in it, so that the row shows, before a trim,
// that the key service has the key of this journal's tenant and not another installation's.
func bindIndexKey(tenant string, of, id journal.ID) []byte {
	return seal.RowBinding(tenant, indexKeyBinding, append(id[:], of[:]...))
}

// documentOf is the id in the key of a document's sealed row.
func documentOf(key []byte) (id journal.ID, ok bool) {
	if len(key) != 1+len(id) || key[0] != sealedDocument {
		return id, false
	}
	copy(id[:], key[1:])
	return id, true
}

// newText is the text of a deposit whose content has the digest.
func newText(principal string, d *Deposit, digest [sha256.Size]byte) (sealedText, error) {
	print, err := fingerprint(d, digest)
	if err != nil {
		return sealedText{}, err
	}
	text := sealedText{
		V: textVersion, Series: d.Series, FileName: d.FileName, Title: d.Title, MediaType: d.MediaType,
		Attributes: d.Attributes,
		ExternalID: d.ExternalID, ContentSHA256: digest[:], Fingerprint: print,
	}
	if d.IdempotencyKey != "" {
		text.Idempotency = &idempotency{Principal: principal, Key: d.IdempotencyKey}
	}
	return text, nil
}

// fingerprint is SHA-256 over the canonical form of all that a request says: two requests with one idempotency key are
// the same if theirs are. Go marshals maps in the order of their keys, so equal metadata gives equal bytes.
func fingerprint(d *Deposit, digest [sha256.Size]byte) ([]byte, error) {
	canonical, err := json.Marshal(struct {
		V          int
		Content    []byte
		Series     string
		ExternalID string
		FileName   string
		Title      string
		MediaType  string
		Attributes map[string]string `json:",omitempty"`
		LedgerRefs []LedgerRef       `json:",omitempty"`
		RecordDate string
	}{1, digest[:], d.Series, d.ExternalID, d.FileName, d.Title, d.MediaType, d.Attributes, d.LedgerRefs, d.RecordDate})
	if err != nil {
		return nil, errors.New("fingerprinting a request: its metadata cannot be written as JSON")
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}

// into fills the sealed fields of a description. The content's digest is among them for those to whom it may be
// disclosed: whoever has it can tell whether a guess at the content is right.
func (t *sealedText) into(d *Document, disclose bool) {
	d.FileName, d.Title, d.MediaType, d.ExternalID = t.FileName, t.Title, t.MediaType, t.ExternalID
	d.Attributes = t.Attributes
	if disclose {
		d.ContentSHA256 = t.ContentSHA256
	}
}

// opened is a document's sealed row after unwrapping. Its keyset lives for one request.
type opened struct {
	keyset keys.Secret
	salt   keys.Secret
	text   sealedText
	err    error // why it could not be opened
}

// parseText reads the text of a document's sealed row.
func parseText(raw []byte) (sealedText, error) {
	var text sealedText
	if err := json.Unmarshal(raw, &text); err != nil {
		return text, fmt.Errorf("the text of a sealed row is not what it should be: %w", errRow)
	}
	if text.V > textVersion {
		return text, fmt.Errorf("%w: its text is of format %d, this program knows %d",
			seal.ErrNewer, text.V, textVersion)
	}
	return text, nil
}

// textIn reads the text of the sealed row of a document that is filed in a series by its record.
func textIn(series string, raw []byte) (sealedText, error) {
	text, err := parseText(raw)
	if err == nil && text.Series != series {
		err = fmt.Errorf("the document is of another series than its record says: %w", errRow)
	}
	return text, err
}

// unsealer opens sealed rows. It needs no open journal, so that a check of one that is closed can use it.
type unsealer struct {
	view func(ctx context.Context, fn func(journal.Reader) error) error
	keys keys.Service // for tenants of whatever journal

	mu      sync.Mutex
	ours    keys.Service           // for the tenants of the journal that view shows; nil until it is asked for
	indexes map[string]keys.Secret // see indexKey
}

// service finds the keys of the tenants of the journal that view shows.
func (u *unsealer) service(ctx context.Context) (keys.Service, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ours != nil {
		return u.ours, nil
	}
	err := u.view(ctx, func(r journal.Reader) error {
		id, err := journal.ReadID(r)
		if err == nil {
			u.ours = keys.ForJournal(u.keys, id)
		}
		return err
	})
	return u.ours, err
}

// openSealed opens sealed rows of one tenant in one batch.
func (u *unsealer) openSealed(ctx context.Context, tenant string, rows []seal.Sealed) ([]seal.Opened, error) {
	service, err := u.service(ctx)
	if err != nil {
		return nil, err
	}
	return seal.Open(ctx, service, tenant, rows)
}

// open unwraps the sealed row of one document, which its record files in a series. A row that is not what was recorded
// raises the alarm: ErrDamagedContent.
func (v *Vault) open(ctx context.Context, who access.Who, id journal.ID, series string, value []byte) (opened, error) {
	rows, err := v.openAll(ctx, who.Tenant, []sealedOne{{id: id, series: series, value: value}})
	if err == nil {
		err = rows[0].err
	}
	if err != nil {
		return opened{}, v.damage(ctx, who, id, err)
	}
	return rows[0], nil
}

// sealedOne is a document's sealed row, and the series that the document's own row names.
type sealedOne struct {
	id     journal.ID
	series string
	value  []byte
}

// openAll unwraps the sealed rows of many documents in one batch. A row that cannot be opened has its own error and
// spoils no other: it is not what was recorded, or its key is gone without an erasure on record.
func (u *unsealer) openAll(ctx context.Context, tenant string, rows []sealedOne) ([]opened, error) {
	sealed := make([]seal.Sealed, len(rows))
	for i, row := range rows {
		sealed[i] = seal.Sealed{Binding: seal.Binding(tenant, row.id), Value: row.value}
	}
	results, err := u.openSealed(ctx, tenant, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening sealed rows: %w", err)
	}
	out := make([]opened, len(results))
	for i, r := range results {
		text, err := sealedText{}, r.Err
		if err == nil {
			text, err = textIn(rows[i].series, r.Text)
		}
		if err != nil {
			out[i].err = fmt.Errorf("opening the sealed row of document %s: %w", rows[i].id, err)
			continue
		}
		out[i] = opened{keyset: r.Keyset, salt: r.Salt, text: text}
	}
	return out, nil
}

func (t *sealedText) marshal() ([]byte, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, errors.New("writing a sealed row: its text cannot be written as JSON")
	}
	return raw, nil
}
