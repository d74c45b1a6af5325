// Package samples makes about forty synthetic documents that look like what public agencies file, for demonstrations.
// Every one is marked SYNTHETIC, and every number in them is from a range that is never issued: social security numbers
// that begin with 000 or have the group 00 (SSA POMS RM 10201.035), employer numbers with the prefix 00, telephone
// numbers 555-01xx, and mail domains that end in .example (RFC 2606).
package samples

import (
	"fmt"
	"time"
)

// Document is one synthetic document, with the metadata that a depositor would give.
type Document struct {
	Name       string // of the file, with its extension
	Title      string
	MediaType  string
	RecordDate string            // the record's own date, "2026-03-02"
	Attributes map[string]string // form and case number
	Content    []byte
}

// mark stands in every document.
const mark = "SYNTHETIC - made for demonstration; no real person, place or payment"

// All returns the documents, always the same and in the same order.
func All() ([]Document, error) {
	var docs []Document
	for _, c := range cases() {
		for _, write := range c.papers {
			d, err := write(&c)
			if err != nil {
				return nil, fmt.Errorf("making a sample for %s: %w", c.number, err)
			}
			d.RecordDate = c.opened.AddDate(0, 0, len(docs)%20).Format(time.DateOnly)
			if d.Attributes == nil {
				d.Attributes = map[string]string{}
			}
			d.Attributes["case"] = c.number
			docs = append(docs, d)
		}
	}
	return docs, nil
}

// paper makes one document of a case.
type paper func(*matter) (Document, error)

// matter is one case of the agency's: what its papers are about.
type matter struct {
	number  string
	opened  time.Time
	subject string
	person  person
	company company
	amount  int // US cents
	papers  []paper
}

// person is somebody who never lived.
type person struct {
	first, last, ssn, phone, street string
}

func (p person) name() string { return p.first + " " + p.last }
func (p person) mail() string { return p.first + "." + p.last + "@mail.example" }

// company is a firm that was never founded.
type company struct {
	name, ein, domain string
}

// dollars writes an amount of cents.
func dollars(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
