package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/rekey"
)

// The events of an erasure. Both are about the document in the body's doc, and stay in its story for ever.
const (
	DocumentErased  journal.Type[DocumentErasedData]  = "document.erased/1"
	TombstoneErased journal.Type[TombstoneErasedData] = "tombstone.erased/1"
	ObjectErased    journal.Type[ObjectErasedData]    = "object.erased/1"
)

// DocumentErasedData says that the document's sealed row is erased: its key and salt, its names, and what leads to it.
// Its ciphertext follows as soon as no lock stands in the way. It cannot be opened from a backup either once the
// versions of the tenant's key up to KeyVersion are trimmed.
type DocumentErasedData struct {
	// Authority is under which the document was destroyed: a schedule item, such as GRS-3.2-010, or an order.
	Authority  string `json:"authority"`
	KeyVersion int    `json:"key_version"`
	// Tombstone says that its external id stays taken. It binds a sealed row of its own, which an order may take too.
	Tombstone bool `json:"tombstone,omitempty"`
	// Removable is when the lock of the ciphertext ends; nil when none stood in the way, or a hold without an end.
	Removable *time.Time `json:"removable,omitempty"`
	Held      bool       `json:"held,omitempty"`
}

// TombstoneErasedData says that the external id of an erased document is forgotten too.
type TombstoneErasedData struct {
	Authority string `json:"authority"`
}

// ObjectErasedData says that the ciphertext of an erased document was deleted from the store.
type ObjectErasedData struct {
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
}

// erasedUnderRows counts a tenant's erased documents, under tenant, 0, version of the key that their rows had last.
var erasedUnderRows = journal.NewRows[uint64]("erased_under")

// EraseRequest says why a document is erased, and how far.
type EraseRequest struct {
	// Authority is the rule or order: 1 to 128 of [A-Za-z0-9._:/-]. It stands in the body for ever: it must name no
	// person.
	Authority string
	// ExternalID takes the external id too, which otherwise stays taken, so that the answer under it is "erased" and
	// not a new deposit. It may be asked for later.
	ExternalID bool
}

var authorityPattern = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,128}$`)

// erasure is an erasure on its way.
type erasure struct {
	EraseRequest
	who access.Who
	id  journal.ID

	tokens    [][]byte    // that lead to the document
	tombstone journal.Row // without a key for none
	removable *time.Time
	held      bool
	// newest is the newest version of the tenant's key that the row can have been wrapped with; set only of a row that
	// does not open, and so is no witness to its own version.
	newest int
}

// Erase erases a document: access.Erase is needed, and the rules must let it go; both are asked in the transaction that
// erases. The record stays. The caller carries out a disposition or an order that others have approved. Erasing again
// returns the receipt of the first time, unless the external id is to go too.
//
// A document whose sealed row is damaged is erased as well; as nobody can tell its external id any more, that is free
// again.
//
// Errors: a *invalid.Field for the authority; ErrRetained and others of the rules; ErrNotFound; access.ErrDenied;
// keys.ErrUnavailable, objects.ErrUnavailable.
func (v *Vault) Erase(ctx context.Context, who access.Who, id journal.ID, req EraseRequest) (journal.Receipt, error) {
	receipt, err := v.erase(ctx, &erasure{EraseRequest: req, who: who, id: id})
	if err != nil {
		return journal.Receipt{}, fmt.Errorf("erasing a document: %w", err)
	}
	return receipt, nil
}

func (v *Vault) erase(ctx context.Context, x *erasure) (journal.Receipt, error) {
	if !authorityPattern.MatchString(x.Authority) {
		return journal.Receipt{}, &invalid.Field{Name: "authority", Reason: "is not 1 to 128 of [A-Za-z0-9._:/-]"}
	}
	if err := v.prepareErasure(ctx, x); err != nil {
		return journal.Receipt{}, err
	}
	again := false
	var row document
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var sealed []byte
		var err error
		if row, sealed, err = v.erasable(view, guard, x.id); err != nil {
			return journal.Change{}, err
		}
		if again = row.Erased && (!x.ExternalID || !row.Tombstone); again {
			return journal.Change{}, nil
		}
		if row.Erased {
			return x.forget(), nil
		}
		if err := v.cfg.Rules.MayErase(view, x.who.Tenant, x.id); err != nil {
			return journal.Change{}, err
		}
		return x.change(view, sealed)
	}
	receipt, err := rekey.CommitRow(ctx, v.cfg.Door, v.cfg.Keys, x.who, &x.tombstone, decide)
	if err != nil {
		return journal.Receipt{}, err
	}
	if again {
		return v.cfg.Journal.Receipt(ctx, row.ErasedIndex)
	}
	v.sessions.expel(x.id)
	return receipt, nil
}

// erasable reads a document that is to be erased. A sealed row that is missing does not stand in the way; a record that
// its deposit contradicts does, since by it the permission was asked for.
func (v *Vault) erasable(r journal.Reader, guard *access.Guard, id journal.ID) (document, []byte, error) {
	row, sealed, err := visible(r, guard, access.Erase, id)
	if errors.Is(err, ErrDamagedContent) {
		if row, sealed, err = storedFor(r, guard.Who().Tenant, id); errors.Is(err, errRow) {
			err = nil
		}
	}
	if err == nil {
		err = v.deposited(r, id, row)
	}
	return row, sealed, err
}

// deposited proves by the event of a document's deposit whose the document is, and in which series:
// ErrDamagedContent, which goes on record, if its row says otherwise.
func (v *Vault) deposited(r journal.Reader, id journal.ID, row document) error {
	prover, err := v.cfg.Journal.Prover(r)
	if err != nil {
		return err
	}
	e, data, err := access.EventAt(prover, row.Tenant, DocumentDeposited, row.Index)
	if err == nil && (e.Doc != id || data.Series != row.Series) {
		err = access.ErrForged
	}
	if errors.Is(err, access.ErrForged) {
		err = fmt.Errorf("%w: document %s: %w", ErrDamagedContent, id, err)
		return access.Recorded(err, row.alarm(id, foundRow).Events...)
	}
	return err
}

// prepareErasure computes outside of the commit what erasing needs: the tokens that lead to the document, a tombstone,
// and what the store says of its locks.
func (v *Vault) prepareErasure(ctx context.Context, x *erasure) error {
	var row document
	var sealed []byte
	err := v.cfg.Door.Look(ctx, x.who, func(r journal.Reader, guard *access.Guard) (err error) {
		row, sealed, err = v.erasable(r, guard, x.id)
		return err
	})
	if err != nil {
		return err
	}
	key, err := v.indexKey(ctx, x.who.Tenant)
	if err != nil {
		return err
	}
	if row.Erased {
		return v.prepareForgetting(ctx, x, row)
	}
	opened, err := v.open(ctx, x.who, x.id, row.Series, sealed)
	switch {
	case errors.Is(err, ErrDamagedContent):
		if err = v.findTokens(ctx, x); err == nil {
			x.newest, err = v.newestThereIs(ctx, x.who.Tenant)
		}
	case err == nil:
		x.tokens = opened.text.tokens(key, row.Series, x.id)
		if opened.text.ExternalID != "" && !x.ExternalID {
			x.tombstone, err = v.newTombstone(ctx, x, key, row.Series, opened.text.ExternalID)
		}
	}
	if err != nil {
		return err
	}
	info, err := v.cfg.Objects.Stat(ctx, row.Object.Key, row.Object.Version)
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrDamaged) {
		return nil
	}
	if x.held = info.Held; info.RetainUntil.After(v.cfg.Clock.Now()) {
		x.removable = &info.RetainUntil
	}
	return err
}

// findTokens finds the tokens that lead to a document whose row cannot be opened, in all that there are.
func (v *Vault) findTokens(ctx context.Context, x *erasure) error {
	key := sealedKey(sealedDocument, x.id)
	return v.cfg.Journal.View(ctx, func(r journal.Reader) error {
		x.tokens = nil
		return journal.LookupAll(r, nil, func(token, row []byte) error {
			if bytes.Equal(row, key) {
				x.tokens = append(x.tokens, bytes.Clone(token))
			}
			return nil
		})
	})
}

// newestThereIs is the newest version of a tenant's key, which need not be on record yet.
func (v *Vault) newestThereIs(ctx context.Context, tenant string) (int, error) {
	versions, err := v.cfg.Keys.Versions(ctx, tenant)
	if errors.Is(err, keys.ErrNoKey) { // then nothing opens anything
		return 1, nil
	}
	return versions.Newest, err
}

// change is what erases a document whose sealed row is as it is in decide.
func (x *erasure) change(r journal.Reader, sealed []byte) (journal.Change, error) {
	version, err := rekey.VersionOf(sealed)
	if err != nil || x.newest > 0 {
		// It dies with every version that there is now.
		key, err := rekey.VersionsOf(r, x.who.Tenant)
		if err != nil {
			return journal.Change{}, err
		}
		version = max(key.Newest, x.newest)
	}
	data := DocumentErasedData{
		Authority: x.Authority, KeyVersion: version, Tombstone: x.tombstone.Key != nil, Removable: x.removable,
		Held: x.held,
	}
	rows := []journal.Row{{Key: sealedKey(sealedDocument, x.id), Tokens: x.tokens}}
	if x.tombstone.Key != nil {
		rows = append(rows, x.tombstone)
	}
	return journal.Change{Events: []journal.Event{DocumentErased.New(x.id, data)}, Sealed: rows}, nil
}

func reduceErased(w *journal.Writer, e journal.Entry, d DocumentErasedData) error {
	if err := w.Unbind(sealedKey(sealedDocument, e.Doc)); err != nil {
		return err
	}
	if d.Tombstone {
		if err := w.Bind(sealedKey(sealedTombstone, e.Doc)); err != nil {
			return err
		}
	}
	row, ok, err := documents.Get(w, e.Doc[:])
	if err != nil {
		return err
	}
	if !ok || row.Erased {
		return errors.New("erasing a document: there is none, or it is erased already")
	}
	if err := w.Owe(eraseDuty, time.Time{}); err != nil {
		return err
	}
	counted := versionKey(e.Tenant, d.KeyVersion)
	n, _, err := erasedUnderRows.Get(w, counted)
	if err != nil {
		return err
	}
	if err := erasedUnderRows.Put(w, counted, n+1); err != nil {
		return err
	}
	row.Erased, row.ErasedAt, row.ErasedIndex, row.ErasedKey = true, e.At.UnixMicro(), e.Index, d.KeyVersion
	row.Tombstone, row.Held = d.Tombstone, d.Held
	if d.Removable != nil {
		row.Removable = d.Removable.Unix()
	}
	return documents.Put(w, e.Doc[:], row)
}

// erasedUnder counts the erased documents whose rows had last a version from oldest on and before the other.
func erasedUnder(r journal.Reader, tenant string, oldest, before int) (n uint64, err error) {
	rg := journal.Range{From: versionKey(tenant, oldest), To: versionKey(tenant, before)}
	err = erasedUnderRows.Scan(r, rg, func(_ []byte, some uint64) error {
		n += some
		return nil
	})
	return n, err
}

// erasedInBackups says whether a document was erased and cannot be opened from a backup any more.
func (d document) erasedInBackups(key rekey.Versions) bool {
	return d.Erased && d.ErasedKey < key.Oldest
}

// versionKey is a version under a tenant, in the order of versions.
func versionKey(tenant string, version int) []byte {
	return binary.BigEndian.AppendUint32(join(tenant), uint32(version))
}
