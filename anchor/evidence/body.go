package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The event types that this package knows by name. It reads only the envelope of any other type.
const (
	typeDeposited = "document.deposited/1"
	typeErased    = "document.erased/1"
	typeDestroyed = "document.destroyed/1"
)

// body is an event's envelope, with the commitment from the data of a deposit.
type body struct {
	Type       string
	At         time.Time
	Tenant     string
	Seq        uint64
	Actor      string
	Doc        string
	Prev       *uint64 // index of the previous event about the document
	Commitment []byte  // of a deposit
}

var typeForm = regexp.MustCompile(`^[a-z][a-z0-9_.]*/[1-9][0-9]*$`)

// parseBody reads a body's exact bytes. Fields of data may be added within a version of the format, so unknown ones are
// ignored; the envelope has none but its own.
func parseBody(text string) (body, error) {
	var b body
	if strings.ContainsAny(text, "\n\r") {
		return b, errors.New("the body is more than one line")
	}
	if strings.TrimSpace(text) != text {
		return b, errors.New("there is space around the body")
	}
	given, err := tree([]byte(text), MaxBody)
	if err != nil {
		return b, err
	}
	if err := checkVersion(given, 1); err != nil {
		return b, err
	}
	// It is decoded into a map, because a struct would take a field "Doc" for "doc".
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return b, fmt.Errorf("reading the body: %w", err)
	}
	delete(fields, "v")
	var at, wall, settled string
	var auth *uint64 // of an event about principals, keys and grants
	var data map[string]json.RawMessage
	for _, f := range []struct {
		name     string
		required bool
		into     any
	}{
		{"type", true, &b.Type}, {"at", true, &at}, {"wall", false, &wall},
		{"settled", false, &settled}, {"tenant", true, &b.Tenant}, {"seq", true, &b.Seq}, {"actor", true, &b.Actor},
		{"doc", true, &b.Doc}, {"prev", false, &b.Prev}, {"auth", false, &auth}, {"data", true, &data},
	} {
		raw, ok := fields[f.name]
		if !ok && f.required {
			return b, fmt.Errorf("the body has no %s", f.name)
		}
		if ok {
			if err := json.Unmarshal(raw, f.into); err != nil {
				return b, fmt.Errorf("the body's %s is of the wrong type", f.name)
			}
		}
		delete(fields, f.name)
	}
	if len(fields) > 0 {
		return b, errors.New("the body has a field that is none of version 1")
	}
	if b.At, err = time.Parse(time.RFC3339Nano, at); err != nil || !strings.HasSuffix(at, "Z") {
		return b, errors.New("the body's time is not RFC 3339 in UTC")
	}
	if !typeForm.MatchString(b.Type) {
		return b, errors.New("the body's type is not of the form name/version")
	}
	return b, b.readCommitment(data)
}

func (b *body) readCommitment(data map[string]json.RawMessage) error {
	if b.Type != typeDeposited {
		return nil
	}
	var text string
	if err := json.Unmarshal(data["commitment"], &text); err != nil {
		return errors.New("the deposit's body has no commitment")
	}
	raw, err := unbase64(text)
	if err != nil || len(raw) != HashSize {
		return fmt.Errorf("the deposit's commitment is not %d bytes of base64", HashSize)
	}
	b.Commitment = raw
	return nil
}

// story reads all bodies of the file and checks that they can be parts of one document's story, in this order.
func story(f *File) ([]body, error) {
	var bodies []body
	for i, leaf := range f.Bodies {
		b, err := parseBody(leaf.Body)
		if err != nil {
			return nil, fmt.Errorf("the body at index %d: %w", leaf.Index, err)
		}
		if err := follows(f, i, b, bodies); err != nil {
			return nil, fmt.Errorf("the body at index %d: %w", leaf.Index, err)
		}
		bodies = append(bodies, b)
	}
	return bodies, nil
}

// follows says whether b, the i-th body of the file, can follow those before it.
func follows(f *File, i int, b body, before []body) error {
	deposit := strings.HasPrefix(b.Type, "document.deposited/")
	switch {
	case b.Doc != f.Document:
		return errors.New("it is about another document")
	case b.Prev != nil && *b.Prev >= f.Bodies[i].Index:
		return errors.New("the event that it names as the previous one is not before it")
	case i == 0 && !deposit:
		return errors.New("the first body is not the document's deposit")
	case deposit && b.Type != typeDeposited:
		return fmt.Errorf("the deposit is of type %s, and this program knows %s: %w", b.Type, typeDeposited, ErrNewer)
	case i == 0:
		return nil
	case deposit:
		return errors.New("the document is deposited a second time")
	}
	last := before[i-1]
	switch {
	case b.Tenant != last.Tenant:
		return errors.New("it is of another tenant")
	case b.Seq <= last.Seq:
		return errors.New("its number within the tenant does not grow")
	case b.At.Before(last.At):
		return errors.New("its time is before that of the body before it")
	case b.Prev == nil || *b.Prev < f.Bodies[i-1].Index:
		return errors.New("it does not know of the body before it")
	}
	return nil
}
