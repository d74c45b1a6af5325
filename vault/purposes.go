package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// maxPurposes is how many codes a tenant's list of purposes has at most.
const maxPurposes = 100

// PurposesSet replaces the tenant's list of purposes.
const PurposesSet journal.Type[PurposesSetData] = "purposes.set/1"

// PurposesSetData says for which purposes documents of the tenant may be read from now on. It is about no document.
type PurposesSetData struct {
	// Purposes are codes, in order. With none, any code will do.
	Purposes []string `json:"purposes"`
}

// purposes is the list of each tenant that has one: tenant → the newest event.
var purposes = journal.NewRows[PurposesSetData]("purposes")

func reducePurposesSet(w *journal.Writer, e journal.Entry, d PurposesSetData) error {
	if len(d.Purposes) == 0 {
		return purposes.Delete(w, []byte(e.Tenant))
	}
	return purposes.Put(w, []byte(e.Tenant), d)
}

// ErrPurposeUnlisted says that the tenant has a list of purposes, and that the one of a read is not on it.
var ErrPurposeUnlisted = errors.New("the purpose is not one of the tenant's")

// PurposeUnlisted names the tenant's purposes to somebody who has given another one. It wraps ErrPurposeUnlisted.
type PurposeUnlisted struct{ Listed []string }

// Error names the purposes.
func (e *PurposeUnlisted) Error() string { return ErrPurposeUnlisted.Error() + ": " + e.Detail() }

// Detail names the purposes to the client.
func (e *PurposeUnlisted) Detail() string {
	return "the purpose is not one of " + strings.Join(e.Listed, ", ")
}

// Unwrap is ErrPurposeUnlisted.
func (e *PurposeUnlisted) Unwrap() error { return ErrPurposeUnlisted }

// listedPurpose says whether a tenant's documents may be read for a purpose.
func listedPurpose(r journal.Reader, tenant, purpose string) error {
	list, bounded, err := purposes.Get(r, []byte(tenant))
	if err != nil || !bounded || slices.Contains(list.Purposes, purpose) {
		return err
	}
	return &PurposeUnlisted{Listed: list.Purposes}
}

// Purposes are the codes for which documents of who's tenant may be read, in order; none means that any code will do.
// access.ViewFile is needed, for the tenant or for some series.
func (v *Vault) Purposes(ctx context.Context, who access.Who) ([]string, error) {
	var list PurposesSetData
	err := v.cfg.Door.Look(ctx, who, func(r journal.Reader, guard *access.Guard) error {
		permission, err := guard.Permission(access.ViewFile)
		if err == nil && permission.None() {
			err = guard.Refuse(access.ViewFile, access.Scope{}, journal.ID{}, access.ErrDenied)
		}
		if err == nil {
			list, _, err = purposes.Get(r, []byte(who.Tenant))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing purposes: %w", err)
	}
	return slices.Clone(list.Purposes), nil
}

// SetPurposes replaces the list of purposes of who's tenant, and returns it in order; access.ManageFile is needed.
// Reads that have begun go on. With no code, documents may be read for any purpose again.
func (v *Vault) SetPurposes(ctx context.Context, who access.Who, codes []string) ([]string, error) {
	codes = slices.Clone(codes)
	slices.Sort(codes)
	err := checkPurposes(codes)
	if err == nil {
		_, err = v.cfg.Door.Act(ctx, who, access.ManageFile, func(view journal.View) (journal.Change, error) {
			known, _, err := purposes.Get(view, []byte(who.Tenant))
			if err != nil || slices.Equal(known.Purposes, codes) {
				return journal.Change{}, err
			}
			set := PurposesSet.New(journal.ID{}, PurposesSetData{Purposes: codes})
			return journal.Change{Events: []journal.Event{set}}, nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("setting the purposes: %w", err)
	}
	return codes, nil
}

// checkPurposes says what is wrong with a list of purposes, which is in order.
func checkPurposes(codes []string) error {
	fault := func(reason string) error { return &invalid.Field{Name: "purposes", Reason: reason} }
	if len(codes) > maxPurposes {
		return fault(fmt.Sprintf("has more than %d codes", maxPurposes))
	}
	for i, code := range codes {
		if !purposePattern.MatchString(code) {
			return fault("has a code that is not 1 to 64 of a-z, 0-9 and -")
		}
		if i > 0 && code == codes[i-1] {
			return fault("has a code twice")
		}
	}
	return nil
}

// forListedPurpose is the rule that a document is read for a purpose of the tenant's.
func forListedPurpose(c *access.Case) error {
	d, err := access.ReadData[DocumentReadData](c)
	if err != nil {
		return err
	}
	return listedPurpose(c, c.Tenant, d.Purpose)
}
