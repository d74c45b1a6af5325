package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/openapi"
	"muniment/vault/access"
)

// eventData is what the events say that a person wants to know of, of every type together.
type eventData struct {
	ID        string   `json:"id"`
	Purpose   string   `json:"purpose"`
	Note      string   `json:"note"` // an id: the text is sealed
	Series    string   `json:"series"`
	Action    string   `json:"action"`
	Bytes     *int64   `json:"bytes"`
	Disclosed *bool    `json:"disclosed"`
	Authority string   `json:"authority"`
	Purposes  []string `json:"purposes"`
	Oldest    int      `json:"oldest"`
	Before    int      `json:"before"`
	Count     *int64   `json:"count"`
	Label     string   `json:"label"`

	Principal     string         `json:"principal"`
	Administrator string         `json:"administrator"`
	Approver      string         `json:"approver"`
	Grants        []access.Grant `json:"grants"`
	Digest        []byte         `json:"digest"`
	Keys          [][]byte       `json:"keys"`
	NotBefore     time.Time      `json:"not_before"`
	Lapses        time.Time      `json:"lapses"`

	Gap    uint64 `json:"gap"`
	Length string `json:"length"`
}

// detail is what a person wants to know of an event besides who did it and when: for what, about whom, how much, and
// what was given out. Events that say nothing of the kind have none.
func detail(e openapi.Entry) string {
	var body struct {
		Data eventData `json:"data"`
	}
	if json.Unmarshal([]byte(e.Body), &body) != nil {
		return ""
	}
	d := body.Data
	named := func(id string) string {
		name := ""
		if e.Names != nil {
			name = (*e.Names)[id]
		}
		return cli.Actor(name, id)
	}
	kind, _, _ := strings.Cut(e.Type, "/")
	switch {
	case d.Administrator != "":
		return foundersDetail(kind, d, named)
	case d.Principal != "":
		return personDetail(kind, d, named)
	case d.Gap > 0:
		return fmt.Sprintf("gap %d, %s", d.Gap, d.Length)
	case strings.HasPrefix(kind, "key.trim"):
		return trimDetail(d)
	}
	return documentDetail(d)
}

// foundersDetail is of events that put two people in place.
func foundersDetail(kind string, d eventData, named func(string) string) string {
	said := named(d.Administrator) + ", " + named(d.Approver)
	switch {
	case !d.NotBefore.IsZero():
		return "recovery: " + said + ", from " + d.NotBefore.Format(time.DateOnly)
	case kind == "tenant.founding_begun":
		return "founding: " + said
	}
	return said
}

// personDetail is of events about a principal.
func personDetail(kind string, d eventData, named func(string) string) string {
	who := named(d.Principal)
	switch kind {
	case "principal.key_added", "principal.key_revoked":
		return "key " + fingerprint(d.Digest) + " of " + who
	case "principal.code_issued":
		return "for " + who + ", until " + d.Lapses.Format(time.DateOnly)
	case "principal.named":
		return who
	}
	said := "for " + who
	if len(d.Grants) > 0 {
		held := make([]string, len(d.Grants))
		for i, g := range d.Grants {
			held[i] = strings.TrimSuffix(string(g.Role)+":"+g.Series, ":")
		}
		said += ": " + strings.Join(held, ", ")
	}
	for _, key := range d.Keys {
		said += "; key " + fingerprint(key)
	}
	return said
}

// fingerprint is that of the API key with a digest.
func fingerprint(digest []byte) string {
	if len(digest) != len(access.APIKey{}.Digest()) {
		return ""
	}
	return string(access.FingerprintOf(digest))
}

// trimDetail is of events about a trim.
func trimDetail(d eventData) string {
	said := "trim " + cli.Actor("", d.ID)
	if d.Oldest > 0 {
		said += fmt.Sprintf(", versions before %d", d.Oldest)
	}
	if !d.NotBefore.IsZero() {
		said += ", from " + d.NotBefore.Format(time.DateOnly)
	}
	return said
}

// documentDetail is of every other event.
func documentDetail(d eventData) string {
	var said []string
	add := func(what, value string) {
		if value != "" {
			said = append(said, what+" "+value)
		}
	}
	add("purpose", d.Purpose)
	if d.Note != "" {
		said = append(said, "with a note")
	}
	add("action", d.Action)
	add("series", d.Series)
	if d.Bytes != nil {
		said = append(said, fmt.Sprintf("%d bytes", *d.Bytes))
	}
	if d.Disclosed != nil && *d.Disclosed {
		said = append(said, "with the content's digest")
	}
	add("purposes", strings.Join(d.Purposes, " "))
	add("authority", d.Authority)
	add("label", d.Label)
	if d.Before > 0 {
		said = append(said, fmt.Sprintf("versions before %d", d.Before))
	}
	if d.Count != nil {
		said = append(said, fmt.Sprintf("%d in all", *d.Count))
	}
	return strings.Join(said, ", ")
}
