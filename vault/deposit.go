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
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// Deposit is a document as it comes in.
type Deposit struct {
	Series     string // "": the tenant's default one
	ExternalID string // the caller's own id within the series, 1 to 256 visible characters; "" for none
	// IdempotencyKey is 1 to 255 visible ASCII characters; "" for none. A document that is there under the external id
	// already is answered for without a key, or with its own.
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
	// Committed asks for an answer as soon as the deposit is on record here, without waiting for its release. Its
	// receipt is no proof yet, and the deposit is lost with the journal's database if that is lost first.
	Committed bool
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

// Deposit takes a document in. Permission, series, external id and idempotency key are looked at before a byte is read,
// and again in the commit; the document's keys are wrapped before a byte is read, so that a key service that is down
// costs nobody an upload. Memory is constant in the size of the content. Content that breaks off, or is not as
// announced, never becomes visible.
//
// A document that somebody else has deposited under the external id is answered for only to principals who may describe
// it and have its digest disclosed: others are denied, whatever their content is.
//
// When it returns access.ErrUnreleased the result is filled in but for proof and checkpoint: the deposit is on record,
// and the same request again is safe.
//
// Errors: a *invalid.Field, ErrNoSeries, ErrNotImmutable, ErrConflict, ErrErased, ErrIdempotency, ErrMismatch,
// ErrInterrupted, ErrTooLarge, ErrAbandoned, access.ErrUnreleased, access.ErrDenied; objects.ErrFull and
// journal.ErrFull for a full disk; objects.ErrUnavailable and keys.ErrUnavailable where a retry may help.
func (v *Vault) Deposit(ctx context.Context, who access.Who, d Deposit) (Deposited, error) {
	out, err := v.deposit(ctx, who, &d)
	if err != nil && !errors.Is(err, access.ErrUnreleased) {
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
	if d.IdempotencyKey != "" {
		in.repeat = idempotencyToken(key, who.Principal.String(), d.IdempotencyKey)
	}
	earlier, err := v.admit(ctx, in)
	free := func() {}
	if tokens := in.external != nil || in.repeat != nil; tokens && err == nil && earlier == nil {
		free = v.locks.take(ctx, v.cfg.LockWait, in.external, in.repeat)
		defer free()
		earlier, err = v.admit(ctx, in) // the deposit that was waited for may have made it
	}
	if err != nil {
		return Deposited{}, err
	}
	if earlier != nil {
		free()
		return v.repeat(ctx, in, earlier)
	}
	own, err := v.drawKeys(ctx, who.Tenant, d)
	if err != nil {
		return Deposited{}, err
	}
	up, err := v.upload(ctx, who, d, own)
	if err != nil {
		return Deposited{}, err
	}
	out, err := v.record(ctx, in, own, up)
	free() // the others need not wait for the release
	if errors.Is(err, errRaced) {
		if earlier, err = v.admit(ctx, in); err != nil {
			return Deposited{}, err
		}
		if err := v.openEarlier(ctx, in, earlier); err != nil {
			return Deposited{}, err
		}
		return v.replay(ctx, in, earlier, up.digest)
	}
	if err != nil {
		return Deposited{}, err
	}
	return v.acknowledge(ctx, d, out)
}

// MayDeposit says, before anything is known of a deposit, whether the principal may make one at all: whoever may do so
// in no series is denied, on record. Deposit asks again, for the series.
func (v *Vault) MayDeposit(ctx context.Context, who access.Who) error {
	return v.cfg.Door.Look(ctx, who, func(_ journal.Reader, guard *access.Guard) error {
		permission, err := guard.Permission(access.Deposit)
		if err != nil || !permission.None() {
			return err
		}
		return guard.Refuse(access.Deposit, access.Scope{}, journal.ID{}, access.ErrDenied)
	})
}

// admit says before a byte is read whether the deposit may come in, and which earlier one it repeats, if any. From then
// on the deposit names its series, which external ids belong to.
func (v *Vault) admit(ctx context.Context, in *intake) (*earlier, error) {
	var found *earlier
	err := v.cfg.Door.Look(ctx, in.who, func(r journal.Reader, guard *access.Guard) error {
		filing, err := v.file(r, guard, in)
		if err != nil {
			return err
		}
		if in.Series = filing.Series; in.ExternalID != "" {
			in.external = externalIDToken(in.indexKey, in.Series, in.ExternalID)
		}
		if found, err = in.lookup(r); err == nil && found != nil {
			err = in.answerable(guard, found)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// file asks for permission and for the rules of filing. Permission comes first, as far as the series is known.
func (v *Vault) file(r journal.Reader, guard *access.Guard, in *intake) (Filing, error) {
	filing, err := v.cfg.Rules.File(r, in.who.Tenant, in.Series)
	series := filing.Series
	if err != nil {
		series = in.Series
	}
	if denied := guard.Authorize(access.Deposit, access.Scope{Series: series}, journal.ID{}); denied != nil {
		return Filing{}, denied
	}
	if err == nil && filing.Immutable {
		err = v.immutable(r)
	}
	return filing, err
}

// record seals what must be erasable and commits the deposit.
func (v *Vault) record(ctx context.Context, in *intake, own *ownKeys, up uploaded) (Deposited, error) {
	text, err := newText(in.who.Principal.String(), in.Deposit, up.digest)
	if err != nil {
		return Deposited{}, err
	}
	row, err := own.seal(in.indexKey, in.Series, &text)
	if err != nil {
		return Deposited{}, err
	}
	commitment := seal.Commitment(own.salt, up.digest)
	var (
		filing Filing
		now    time.Time
	)
	decide := func(view journal.View, guard *access.Guard) (journal.Change, error) {
		var err error
		if filing, err = v.file(view, guard, in); err != nil {
			return journal.Change{}, err
		}
		if err := in.unclaimed(view, up.object.Key); err != nil {
			return journal.Change{}, err
		}
		now = view.Now()
		event := DocumentDeposited.New(own.id, newDeposited(in, up, filing, commitment[:], now))
		return journal.Change{Events: []journal.Event{event}, Sealed: []journal.Row{row}}, nil
	}
	receipt, err := rekey.CommitRow(ctx, v.cfg.Door, v.cfg.Keys, in.who, &row, decide)
	if err != nil {
		return Deposited{}, err
	}
	doc := Document{
		ID: own.id, Series: filing.Series, State: Kept, Size: up.size, Deposited: now,
		Depositor: in.who.Actor().ID, Index: receipt.Index, RecordDate: in.RecordDate, LedgerRefs: in.LedgerRefs,
		RetainUntil: filing.RetainUntil, Commitment: commitment[:], CiphertextSHA256: up.object.SHA256,
	}
	text.into(&doc, true)
	return Deposited{ID: own.id, Created: true, Receipt: receipt, Document: doc}, nil
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

func newDeposited(in *intake, up uploaded, filing Filing, commitment []byte, now time.Time) DocumentDepositedData {
	data := DocumentDepositedData{
		Series: filing.Series, Scheduled: filing.Scheduled, RecordDate: in.RecordDate, LedgerRefs: in.LedgerRefs,
		LockDue: lockDue(up.locked, now), Size: up.size, Commitment: commitment, Object: up.object,
	}
	if !filing.RetainUntil.IsZero() {
		until := filing.RetainUntil.UTC().Truncate(time.Second)
		data.RetainUntil = &until
	}
	return data
}

// acknowledge waits until the deposit's receipt is a proof, unless it was asked not to.
func (v *Vault) acknowledge(ctx context.Context, d *Deposit, out Deposited) (Deposited, error) {
	if d.Committed {
		return out, nil
	}
	var err error
	out.Receipt, err = v.cfg.Door.Released(ctx, out.Receipt)
	return out, err
}
