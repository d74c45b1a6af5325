package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/keys"
	"muniment/vault/seal"
)

// Deposit is a document as it comes in.
type Deposit struct {
	Series     string // "": the tenant's default one
	ExternalID string // the caller's own id, 1 to 256 visible characters; "" for none
	// IdempotencyKey is 1 to 255 visible ASCII characters; "" for none. A document that is there under the external id already
	// is answered for without a key, or with its own.
	IdempotencyKey string
	FileName       string
	Title          string
	MediaType      string
	Attributes     map[string]string
	LedgerRefs     []LedgerRef
	RecordDate     string // "2026-11-22", the record's own date; "" for none
	// Length is that of the content, in bytes, or -1 when it is not known beforehand.
	Length int64
	// Digest is the caller's SHA-256 of the content, or nil.
	Digest  []byte
	Content io.Reader // nil for an empty document
}

// Deposited is the result of a deposit.
type Deposited struct {
	ID journal.ID
	// Created is false when the same content was there already under this external id or idempotency key.
	Created bool
	// Receipt is the deposit's, with proof and checkpoint once released.
	Receipt journal.Receipt
	// Document has its sealed fields only as far as the caller's own request says the same.
	Document Document
}

// saltSize is the length of a commitment's salt, in bytes.
const saltSize = 32

// errRaced says that another deposit under the same token was committed while this one uploaded.
var errRaced = errors.New("another deposit came first")

// intake is a deposit on its way.
type intake struct {
	*Deposit
	who      access.Who
	indexKey keys.Secret
	external []byte // tokens, nil for none
	repeat   []byte
}

// Deposit takes a document in. Permission, series, external id and idempotency key are looked at before a byte is read, and
// again in the commit. Memory is constant in the size of the content. What was read of content that breaks off, or is not as
// announced, is never visible.
//
// A document that somebody else has deposited under the external id is answered for only to principals who may describe it and
// have its digest disclosed: others are denied, whatever their content is.
//
// When it returns ErrUnreleased the result is filled in but for proof and checkpoint: the deposit is on record, and the
// same request again is safe.
//
// Errors: a *MetadataError, ErrNoSeries, ErrConflict, ErrErased, ErrIdempotency, ErrMismatch, ErrInterrupted, ErrTooLarge,
// ErrAbandoned, ErrUnreleased, access.ErrDenied; objects.ErrFull and journal.ErrFull for a full disk; objects.ErrUnavailable
// and keys.ErrUnavailable where a retry may help.
func (v *Vault) Deposit(ctx context.Context, who access.Who, d Deposit) (Deposited, error) {
	out, err := v.deposit(ctx, who, &d)
	if err != nil && !errors.Is(err, ErrUnreleased) {
		return Deposited{}, fmt.Errorf("depositing: %w", err)
	}
	return out, err
}

func (v *Vault) deposit(ctx context.Context, who access.Who, d *Deposit) (Deposited, error) {
	if err := d.check(); err != nil {
		return Deposited{}, err
	}
	if d.Length > v.cfg.MaxSize {
		return Deposited{}, ErrTooLarge
	}
	if d.Content == nil {
		d.Content = strings.NewReader("")
	}
	key, err := v.indexKey(ctx, who.Tenant)
	if err != nil {
		return Deposited{}, err
	}
	in := &intake{Deposit: d, who: who, indexKey: key}
	if d.ExternalID != "" {
		in.external = externalIDToken(key, d.ExternalID)
	}
	if d.IdempotencyKey != "" {
		in.repeat = idempotencyToken(key, who.Principal.String(), d.IdempotencyKey)
	}
	earlier, err := v.admit(ctx, in)
	free := func() {}
	if tokens := in.external != nil || in.repeat != nil; tokens && err == nil && earlier == nil {
		free = v.claims.take(ctx, v.cfg.Patience, in.external, in.repeat)
		defer free()
		earlier, err = v.admit(ctx, in) // whoever had the claim may have deposited it
	}
	if err != nil {
		return Deposited{}, err
	}
	if earlier != nil {
		free()
		digest, err := v.digestOnly(ctx, d)
		if err != nil {
			return Deposited{}, err
		}
		return v.replay(ctx, in, earlier, digest)
	}
	up, err := v.upload(ctx, who.Tenant, d)
	if err != nil {
		return Deposited{}, err
	}
	out, err := v.record(ctx, in, up)
	free() // the others need not wait for the release
	if errors.Is(err, errRaced) {
		if earlier, err = v.admit(ctx, in); err != nil {
			return Deposited{}, err
		}
		return v.replay(ctx, in, earlier, up.digest)
	}
	if err != nil {
		return Deposited{}, err
	}
	return v.release(ctx, out)
}

// admit says before a byte is read whether the deposit may come in, and which earlier one it repeats, if any.
func (v *Vault) admit(ctx context.Context, in *intake) (*earlier, error) {
	var (
		found  *earlier
		change journal.Change
	)
	look := func(r journal.Reader) (err error) {
		if _, change, err = v.file(r, in); err != nil {
			return err
		}
		if found, err = in.lookup(r); err == nil && found != nil {
			change, err = v.answerable(r, in, found)
		}
		return err
	}
	err := v.cfg.Journal.View(ctx, look)
	if len(change.Events) > 0 {
		// A refusal goes on record; what is permitted by now is let in.
		_, err = v.commit(ctx, in.who, func(view journal.View) (journal.Change, error) {
			err := look(view)
			return change, err
		})
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// file asks for permission and for the rules of filing. Permission comes first, as far as the series is known.
func (v *Vault) file(r journal.Reader, in *intake) (Filing, journal.Change, error) {
	filing, err := v.cfg.Rules.File(r, in.who.Tenant, in.Series)
	series := filing.Series
	if err != nil {
		series = in.Series
	}
	change, denied := v.authorize(r, in.who, access.Deposit, access.Scope{Series: series}, journal.ID{})
	if denied != nil {
		return Filing{}, change, denied
	}
	return filing, journal.Change{}, err
}

// record seals what must be erasable and commits the deposit.
func (v *Vault) record(ctx context.Context, in *intake, up uploaded) (Deposited, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(v.cfg.Rand, salt); err != nil {
		return Deposited{}, fmt.Errorf("drawing a salt: %w", err)
	}
	text, err := newText(in.who.Principal.String(), in.Deposit, up.digest)
	if err != nil {
		return Deposited{}, err
	}
	row, err := v.sealDocument(ctx, in, up, salt, &text)
	if err != nil {
		return Deposited{}, err
	}
	commitment := seal.Commitment(salt, up.digest)
	var (
		filing Filing
		now    time.Time
	)
	receipt, err := v.cfg.Journal.Commit(ctx, in.who.Actor(), func(view journal.View) (journal.Change, error) {
		var change journal.Change
		var err error
		if filing, change, err = v.file(view, in); err != nil {
			return change, err
		}
		if err := in.unclaimed(view, up.object.Key); err != nil {
			return journal.Change{}, err
		}
		now = view.Now()
		event := DocumentDeposited.New(up.id, newDeposited(in, up, filing, commitment[:], now))
		return journal.Change{Events: []journal.Event{event}, Sealed: []journal.Row{row}}, nil
	})
	if err != nil {
		return Deposited{}, err
	}
	doc := Document{
		ID: up.id, Series: filing.Series, State: Kept, Size: up.size, Deposited: now,
		Depositor: in.who.Actor().ID, Index: receipt.Index, RecordDate: in.RecordDate, LedgerRefs: in.LedgerRefs,
		RetainUntil: filing.RetainUntil, Commitment: commitment[:], CiphertextSHA256: up.object.SHA256,
	}
	text.into(&doc, true)
	return Deposited{ID: up.id, Created: true, Receipt: receipt, Document: doc}, nil
}

// unclaimed says that no other deposit has taken the tokens, and that the object was not swept away meanwhile.
func (in *intake) unclaimed(r journal.Reader, objectKey string) error {
	found, err := in.lookup(r)
	if err != nil {
		return err
	}
	if found != nil {
		return errRaced
	}
	_, gone, err := abandoned.Get(r, []byte(objectKey))
	if err != nil {
		return err
	}
	if gone {
		return ErrAbandoned
	}
	return nil
}

// sealDocument makes the document's sealed row.
func (v *Vault) sealDocument(ctx context.Context, in *intake, up uploaded, salt []byte, text *sealedText) (journal.Row, error) {
	raw, err := text.marshal()
	if err != nil {
		return journal.Row{}, err
	}
	item := seal.Item{Binding: seal.Binding(in.who.Tenant, up.id), Keyset: up.keyset, Salt: salt, Text: raw}
	values, err := seal.Seal(ctx, v.cfg.Keys, in.who.Tenant, []seal.Item{item})
	if err != nil {
		return journal.Row{}, fmt.Errorf("sealing a row: %w", err)
	}
	key := sealedKey(sealedDocument, up.id)
	return journal.Row{Key: key, Value: values[0], Tokens: text.tokens(in.indexKey, up.id)}, nil
}

func newDeposited(in *intake, up uploaded, filing Filing, commitment []byte, now time.Time) DocumentDepositedData {
	data := DocumentDepositedData{
		Series: filing.Series, Scheduled: filing.Scheduled, RecordDate: in.RecordDate, LedgerRefs: in.LedgerRefs,
		LockDue: now.Add(lockAfter), Size: up.size, Commitment: commitment, Object: up.object,
	}
	if !filing.RetainUntil.IsZero() {
		until := filing.RetainUntil.UTC().Truncate(time.Second)
		data.RetainUntil = &until
	}
	return data
}

// release waits until the deposit's receipt is a proof.
func (v *Vault) release(ctx context.Context, out Deposited) (Deposited, error) {
	patience, cancel := context.WithTimeout(ctx, v.cfg.Patience)
	defer cancel()
	receipt, err := v.cfg.Journal.Released(patience, out.Receipt)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrUnreleased, err)
	}
	out.Receipt = receipt
	return out, nil
}
