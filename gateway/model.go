package gateway

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"muniment/anchor/journal"
	"muniment/openapi"
	"muniment/vault"
)

// optional is a field that is left out when it is empty.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func document(names names, d vault.Document) openapi.Document {
	out := openapi.Document{
		ID: d.ID.String(), Series: d.Series, State: openapi.DocumentState(d.State), Size: d.Size,
		DepositedAt: d.Deposited,
		Depositor:   d.Depositor, DepositorName: names.of(d.Depositor), Index: d.Index,
		RecordDate:       optional(d.RecordDate),
		Commitment:       base64.StdEncoding.EncodeToString(d.Commitment),
		CiphertextSHA256: hex.EncodeToString(d.CiphertextSHA256), Withheld: optional(d.Withheld),
		WithheldBecause: optional(openapi.WithheldBecause(d.WithheldBecause)),
		FileName:        optional(d.FileName), Title: optional(d.Title), MediaType: optional(d.MediaType),
		ExternalID: optional(d.ExternalID), ContentSHA256: optional(hex.EncodeToString(d.ContentSHA256)),
	}
	if !d.RetainUntil.IsZero() {
		out.RetainUntil = optional(d.RetainUntil.Truncate(time.Second))
	}
	if d.State == vault.Erased {
		out.ErasedAt, out.ErasedInBackups = moment(d.ErasedAt), &d.ErasedInBackups
		out.ContentRemoved, out.ContentRemovable = &d.ContentRemoved, moment(d.ContentRemovable)
	}
	if len(d.Attributes) > 0 {
		out.Attributes = &d.Attributes
	}
	if len(d.LedgerRefs) > 0 {
		refs := make([]openapi.LedgerRef, len(d.LedgerRefs))
		for i, ref := range d.LedgerRefs {
			refs[i] = openapi.LedgerRef{Chain: ref.Chain, Transaction: ref.Transaction, Role: optional(ref.Role)}
		}
		out.LedgerRefs = &refs
	}
	return out
}

func documentPage(names names, p vault.Page) openapi.DocumentPage {
	out := openapi.DocumentPage{Documents: make([]openapi.Document, len(p.Documents)), Next: optional(p.Next)}
	for i, d := range p.Documents {
		out.Documents[i] = document(names, d)
	}
	return out
}

func receipt(r journal.Receipt) openapi.Receipt {
	out := openapi.Receipt{Index: r.Index, Leaf: r.Leaf.String(), Nonce: r.Nonce[:], Body: string(r.Body)}
	if r.Checkpoint != nil {
		proof := make([]openapi.Hash, len(r.Proof))
		for i, hash := range r.Proof {
			proof[i] = hash.String()
		}
		out.Proof = &proof
		out.Checkpoint = optional(string(r.Checkpoint))
	}
	return out
}

func entries(names names, records []journal.Record) []openapi.Entry {
	out := make([]openapi.Entry, len(records))
	for i, r := range records {
		out[i] = openapi.Entry{
			Index: r.Index, Seq: r.Seq, At: r.At, Type: r.Type, Actor: r.Actor, ActorName: names.of(r.Actor),
			Nonce: r.Nonce[:], Body: string(r.Body),
		}
		if !r.Doc.IsZero() {
			out[i].Document = optional(r.Doc.String())
		}
		about := map[string]string{}
		for _, id := range peopleIn(r) {
			if name := names[id]; name != "" {
				about[id] = name
			}
		}
		if len(about) > 0 {
			out[i].Names = &about
		}
	}
	return out
}

// peopleIn are the principals whom an event is about, besides the one that has caused it.
func peopleIn(r journal.Record) []string {
	var data struct {
		Principal     string `json:"principal"`
		Administrator string `json:"administrator"`
		Approver      string `json:"approver"`
	}
	if json.Unmarshal(r.Data, &data) != nil {
		return nil
	}
	return slices.DeleteFunc([]string{data.Principal, data.Administrator, data.Approver},
		func(id string) bool { return id == "" })
}

// names are display names, by the ids of actors, without those that the caller may not see.
type names map[string]string

// names looks up the display names that the caller may see, of those who did what it is told of. Names are a help to
// the reader of an answer: an answer without them is whole.
func (s *Server) names(r *request, actors ...string) names {
	slices.Sort(actors)
	actors = slices.DeleteFunc(slices.Compact(actors), func(id string) bool { return id == "" })
	if len(actors) == 0 {
		return nil
	}
	known, err := s.cfg.People.Names(r.Request().Context(), r.who, actors)
	if err != nil {
		s.cfg.Log.WarnContext(r.Request().Context(), "display names are left out of an answer", "error", err)
	}
	return known
}

// actors looks up who caused some events, and whom they are about.
func (s *Server) actors(r *request, records []journal.Record) names {
	var ids []string
	for _, one := range records {
		ids = append(append(ids, one.Actor), peopleIn(one)...)
	}
	return s.names(r, ids...)
}

// depositors looks up who deposited the documents of a page.
func (s *Server) depositors(r *request, p vault.Page) names {
	ids := make([]string, len(p.Documents))
	for i, d := range p.Documents {
		ids[i] = d.Depositor
	}
	return s.names(r, ids...)
}

// of is the name of an actor, as answers have it.
func (n names) of(actor string) *string { return optional(n[actor]) }
