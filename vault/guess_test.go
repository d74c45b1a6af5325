package vault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"muniment/vault"
	"muniment/vault/access"
)

// A deposit under a known external id does not tell whether a guess at the content is right, unless the content is open
// to the principal anyway; then the answer is on record.
func TestGuessingContent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	id := r.deposit(vault.Deposit{ExternalID: "claim", Title: "T"}, []byte("pin=4711")).ID
	depositor := access.Grant{Role: access.Depositor}
	for _, test := range []struct {
		name         string
		grants       []access.Grant
		series       string
		right, wrong error
		record       string
	}{
		{"depositor", []access.Grant{depositor}, "", access.ErrDenied, access.ErrDenied, "access.denied/1"},
		{"depositor of the series", []access.Grant{{Role: access.Depositor, Series: "default"}}, "default",
			access.ErrDenied, access.ErrDenied, "access.denied/1"},
		{"depositor and approver", []access.Grant{depositor, {Role: access.Approver}}, "", access.ErrDenied,
			access.ErrDenied, "access.denied/1"},
		{"depositor and reader", []access.Grant{depositor, {Role: access.ReaderRole}}, "", nil, vault.ErrConflict,
			"document.compared/1"},
		{"depositor, and reader of another series", []access.Grant{depositor, {Role: access.ReaderRole, Series: "a"}},
			"", access.ErrDenied, access.ErrDenied, "access.denied/1"},
	} {
		who := r.principal(test.grants...)
		for content, want := range map[string]error{"pin=4711": test.right, "pin=0000": test.wrong} {
			before := r.journal.Size()
			source := &countingReader{Reader: strings.NewReader(content)}
			out, err := r.vault.Deposit(context.Background(), who,
				vault.Deposit{ExternalID: "claim", Series: test.series, Length: 8, Content: source})
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %s: got %v, want %v", test.name, content, err, want)
			}
			if errors.Is(want, access.ErrDenied) && source.n > 0 {
				t.Errorf("%s: refused after %d bytes", test.name, source.n)
			}
			if err == nil && (out.ID != id || out.Created || out.Document.Title != "") {
				t.Errorf("%s: %+v", test.name, out)
			}
			if err != nil && out.ID != (vault.Deposited{}).ID {
				t.Errorf("%s: refused, and told of %s", test.name, out.ID)
			}
			rec, _ := r.last(test.record)
			if r.journal.Size() != before+1 || rec.Doc != id || rec.Actor != who.Principal.String() {
				t.Errorf("%s: %d events, the last is %s", test.name, r.journal.Size()-before, rec.Body)
			}
			if test.record == "document.compared/1" && string(rec.Data) != fmt.Sprintf(`{"same":%v}`, want == nil) {
				t.Errorf("%s: on record is %s", test.name, rec.Data)
			}
		}
	}
}

// Of many deposits at once under one token, one uploads.
func TestRaceLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	for _, d := range []vault.Deposit{{IdempotencyKey: "k"}, {ExternalID: "x"},
		{IdempotencyKey: "k", ExternalID: "x"}} {
		r := newRig(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				d := d
				d.Length, d.Content = 4, strings.NewReader("race")
				if _, err := r.vault.Deposit(context.Background(), r.who, d); err != nil {
					t.Errorf("racing: %v", err)
				}
			})
		}
		all.Wait()
		stored := 0
		for range r.objects.List(context.Background(), "", "") {
			stored++
		}
		if stored != 1 || r.count("document.deposited/1") != 1 {
			t.Errorf("%d objects and %d documents, want one of each", stored, r.count("document.deposited/1"))
		}
	}
}

// A deposit that hangs, or has failed, does not keep others from its token.
func TestClaimEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig, c *vault.Config) {
		r.releaseWait, c.LockWait = 50*time.Millisecond, 50*time.Millisecond
	})
	d := vault.Deposit{ExternalID: "x", Length: 4, Content: iotest.ErrReader(io.ErrUnexpectedEOF)}
	if _, err := r.vault.Deposit(context.Background(), r.who, d); !errors.Is(err, vault.ErrInterrupted) {
		t.Fatal(err)
	}
	slow, writer := io.Pipe()
	begun := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		d := vault.Deposit{ExternalID: "x", Length: 4, Content: io.MultiReader(&signal{begun: begun}, slow)}
		if out, err := r.vault.Deposit(context.Background(), r.who, d); err != nil &&
			!errors.Is(err, access.ErrUnreleased) || out.Created {
			t.Errorf("the slow one: %+v, %v", out, err)
		}
	})
	<-begun
	d.Content = strings.NewReader("fast")
	if out, err := r.vault.Deposit(context.Background(), r.who, d); err != nil &&
		!errors.Is(err, access.ErrUnreleased) || !out.Created {
		t.Errorf("the one after it: %+v, %v", out, err)
	}
	_, _ = io.WriteString(writer, "fast")
	writer.Close()
	all.Wait()
}

// signal is an empty reader that tells when it is read.
type signal struct {
	begun chan struct{}
	once  sync.Once
}

func (s *signal) Read([]byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	return 0, io.EOF
}

// A principal of one series cannot tell other series' documents from none, and what it tries is on record.
func TestGuessingIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("a")
	mine := r.deposit(vault.Deposit{ExternalID: "mine", Series: "a"}, []byte("x")).ID
	other := r.deposit(vault.Deposit{ExternalID: "other"}, []byte("x")).ID
	ctx := context.Background()
	who := r.principal(access.Grant{Role: access.ReaderRole, Series: "a"})
	if _, err := r.vault.Find(ctx, who, "", "mine"); err != nil {
		t.Fatal(err)
	}
	missing := mine
	missing[15] ^= 1
	texts := map[string]string{} // by call
	for name, call := range map[string]func() error{
		"find other":       func() error { _, err := r.vault.Find(ctx, who, "", "other"); return err },
		"find missing":     func() error { _, err := r.vault.Find(ctx, who, "", "nothing"); return err },
		"describe other":   func() error { _, err := r.vault.Describe(ctx, who, other); return err },
		"describe missing": func() error { _, err := r.vault.Describe(ctx, who, missing); return err },
		"history other":    func() error { _, err := r.vault.History(ctx, who, other, 0, 10); return err },
		"history missing":  func() error { _, err := r.vault.History(ctx, who, missing, 0, 10); return err },
		"evidence other":   func() error { _, err := r.vault.Evidence(ctx, who, other, true); return err },
		"evidence missing": func() error { _, err := r.vault.Evidence(ctx, who, missing, true); return err },
		"read other": func() error {
			_, err := r.vault.Read(ctx, who, other, vault.ReadRequest{Purpose: "test"})
			return err
		},
		"read missing": func() error {
			_, err := r.vault.Read(ctx, who, missing, vault.ReadRequest{Purpose: "test"})
			return err
		},
	} {
		before := r.journal.Size()
		err := call()
		if !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		rec, _ := r.last("access.denied/1")
		if r.journal.Size() != before+1 || rec.Index != before || rec.Actor != who.Principal.String() {
			t.Errorf("%s: %d events, the last denial is %s", name, r.journal.Size()-before, rec.Body)
		}
		// An external id is not even looked at in other series.
		want := strings.HasSuffix(name, "other") && !strings.HasPrefix(name, "find")
		if want != (rec.Doc == other) || !want && !rec.Doc.IsZero() {
			t.Errorf("%s: on record is %s", name, rec.Body)
		}
		verb, _, _ := strings.Cut(name, " ")
		if text, ok := texts[verb]; ok && text != err.Error() {
			t.Errorf("%s: answered %q, and %q", verb, text, err)
		}
		texts[verb] = err.Error()
	}
	reader := r.principal(access.Grant{Role: access.ReaderRole})
	before := r.journal.Size()
	if _, err := r.vault.Find(ctx, reader, "", "nothing"); !errors.Is(err, vault.ErrNotFound) ||
		r.journal.Size() != before {
		t.Errorf("a reader of all: %v, %d events", err, r.journal.Size()-before)
	}
}
