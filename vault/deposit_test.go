package vault_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/invalid"
	"muniment/vault/objects"
)

func TestDepositAndRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, size := range []int{0, 1, 1000, 300 << 10, 1 << 20, 1<<20 + 1, 5<<20 + 17} {
		for _, known := range []bool{true, false} {
			content := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
			digest := sha256.Sum256(content)
			d := vault.Deposit{
				FileName: "letter.txt", Title: "A letter", MediaType: "text/plain",
				Attributes: map[string]string{"a": "b"},
				Digest:     digest[:], Length: -1, Content: iotest.OneByteReader(bytes.NewReader(content)),
			}
			if known {
				d.Length, d.Content = int64(size), bytes.NewReader(content)
			}
			out, err := r.vault.Deposit(context.Background(), r.who, d)
			if err != nil {
				t.Fatal(err)
			}
			if !out.Created || out.Receipt.Checkpoint == nil || out.Document.Series != "default" {
				t.Errorf("%d bytes, length known %v: got %+v", size, known, out)
			}
			got, err := r.read(out.ID)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, length known %v: read %d bytes, error %v", size, known, len(got), err)
			}
			doc, err := r.vault.Describe(context.Background(), r.who, out.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(out.Document, doc); diff != "" {
				t.Errorf("described otherwise than deposited (-deposited +described):\n%s", diff)
			}
		}
	}
}

func TestDepositRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *rig, c *vault.Config) { c.MaxSize = 100 })
	content := "some content"
	digest := sha256.Sum256([]byte(content))
	wrong := sha256.Sum256(nil)
	broken := errors.New("broken pipe")
	for _, test := range []struct {
		name string
		d    vault.Deposit
		want error
	}{
		{"digest", vault.Deposit{Length: -1, Digest: wrong[:], Content: strings.NewReader(content)}, vault.ErrMismatch},
		{"digest and length", vault.Deposit{Length: 12, Digest: wrong[:], Content: strings.NewReader(content)},
			vault.ErrMismatch},
		{"too short", vault.Deposit{Length: 13, Digest: digest[:], Content: strings.NewReader(content)},
			vault.ErrMismatch},
		{"too long", vault.Deposit{Length: 11, Digest: digest[:], Content: strings.NewReader(content)},
			vault.ErrMismatch},
		{"hung up", vault.Deposit{Length: 13,
			Content: io.MultiReader(strings.NewReader(content), iotest.ErrReader(io.ErrUnexpectedEOF))},
			vault.ErrInterrupted},
		{"hung up, length unknown", vault.Deposit{Length: -1,
			Content: io.MultiReader(strings.NewReader(content), iotest.ErrReader(io.ErrUnexpectedEOF))},
			vault.ErrInterrupted},
		{"source fails", vault.Deposit{Length: -1,
			Content: io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken))}, broken},
		{"announced too large", vault.Deposit{Length: 101, Content: strings.NewReader(content)}, vault.ErrTooLarge},
		{"too large", vault.Deposit{Length: -1, Content: strings.NewReader(strings.Repeat("x", 101))},
			vault.ErrTooLarge},
		{"no such series", vault.Deposit{Series: "nowhere", Length: 12, Content: strings.NewReader(content)},
			vault.ErrNoSeries},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := r.journal.Size()
			_, err := r.vault.Deposit(context.Background(), r.who, test.d)
			if !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if err != nil && errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the error %v holds an io.ErrUnexpectedEOF", err)
			}
			if r.journal.Size() != before {
				t.Error("something was recorded")
			}
			for info := range r.objects.List(context.Background(), "", "") {
				t.Errorf("object %s was stored", info.Key)
			}
		})
	}
}

// A client that drops after any byte leaves nothing behind.
func TestDepositDropsAtAnyByte(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := bytes.Repeat([]byte("muniment"), 40)
	before := r.journal.Size()
	for n := range content {
		source := io.MultiReader(bytes.NewReader(content[:n]), iotest.ErrReader(io.ErrUnexpectedEOF))
		d := vault.Deposit{Length: int64(len(content)), ExternalID: "a", IdempotencyKey: "a", Content: source}
		if _, err := r.vault.Deposit(context.Background(), r.who, d); !errors.Is(err, vault.ErrInterrupted) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	if r.journal.Size() != before {
		t.Error("something was recorded")
	}
	for info := range r.objects.List(context.Background(), "", "") {
		t.Errorf("object %s was stored", info.Key)
	}
	if out := r.deposit(vault.Deposit{ExternalID: "a", IdempotencyKey: "a"}, content); !out.Created {
		t.Error("the deposit after the broken ones was taken for a repetition")
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := vault.Deposit{FileName: "a.txt", IdempotencyKey: "key-1", ExternalID: "EXT-1", RecordDate: "2026-01-31"}
	one, two := []byte("one"), []byte("two")
	done := r.deposit(first, one)
	size := r.journal.Size()
	for _, test := range []struct {
		name    string
		change  func(*vault.Deposit)
		content []byte
		want    error
	}{
		{"same request", func(*vault.Deposit) {}, one, nil},
		{"other content", func(*vault.Deposit) {}, two, vault.ErrIdempotency},
		{"other metadata", func(d *vault.Deposit) { d.Title = "other" }, one, vault.ErrIdempotency},
		{"external id alone, same content", func(d *vault.Deposit) { d.IdempotencyKey = "" }, one, nil},
		{"external id alone, other metadata", func(d *vault.Deposit) { d.IdempotencyKey, d.FileName = "", "b" }, one,
			nil},
		{"external id alone, other content", func(d *vault.Deposit) { d.IdempotencyKey = "" }, two, vault.ErrConflict},
		{"external id with a new key", func(d *vault.Deposit) { d.IdempotencyKey = "key-2" }, one, invalid.ErrField},
		{"external id with a new key, other content", func(d *vault.Deposit) { d.IdempotencyKey = "key-2" }, two,
			invalid.ErrField},
		{"digest that does not match", func(d *vault.Deposit) { d.Digest = make([]byte, 32) }, one, vault.ErrMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := first
			test.change(&d)
			d.Length, d.Content = int64(len(test.content)), bytes.NewReader(test.content)
			out, err := r.vault.Deposit(context.Background(), r.who, d)
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			if err == nil && (out.ID != done.ID || out.Created || out.Receipt.Index != done.Receipt.Index ||
				out.Receipt.Leaf != done.Receipt.Leaf || len(out.Receipt.Checkpoint) == 0) {
				t.Errorf("got %+v, want the deposit of before", out)
			}
			if d.FileName == "b" && out.Document.FileName != "" {
				t.Error("the metadata of another request was given away")
			}
		})
	}
	conflict, n := r.last("document.compared/1")
	if got := r.journal.Size(); got != size+1 || n != 1 || conflict.Doc != done.ID ||
		string(conflict.Data) != `{"same":false}` {
		t.Errorf("the repetitions recorded %d events, want one of the conflict: %s", got-size, conflict.Body)
	}
	// A key that was refused is free.
	if out := r.deposit(vault.Deposit{IdempotencyKey: "key-2"}, two); !out.Created {
		t.Error("a refused deposit took its key")
	}
	other := r.principal(access.Grant{Role: access.Depositor})
	out, err := r.vault.Deposit(context.Background(), other,
		vault.Deposit{IdempotencyKey: "key-1", Length: 3, Content: bytes.NewReader(two)})
	if err != nil || !out.Created {
		t.Errorf("another principal's deposit under the same key: %+v, %v", out, err)
	}
}

// gate holds every reader back until all have arrived, so that none can see another's commit before its upload.
type gate struct {
	io.Reader
	once sync.Once
	wait *sync.WaitGroup
}

func (g *gate) Read(p []byte) (int, error) {
	g.once.Do(func() { g.wait.Done(); g.wait.Wait() })
	return g.Reader.Read(p)
}

// Deposits of several processes race for one token: in one process they would follow each other.
func TestRace(t *testing.T) {
	t.Parallel()
	for _, d := range []vault.Deposit{{IdempotencyKey: "k"}, {ExternalID: "x"},
		{IdempotencyKey: "k", ExternalID: "x"}} {
		r := newRig(t)
		const n = 8
		var wait, all sync.WaitGroup
		wait.Add(n)
		results := make([]vault.Deposited, n)
		for i := range n {
			v, err := vault.Open(context.Background(), r.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			all.Go(func() {
				d := d
				d.Length, d.Content = 4, &gate{Reader: strings.NewReader("race"), wait: &wait}
				out, err := v.Deposit(context.Background(), r.who, d)
				if err != nil {
					t.Errorf("racing: %v", err)
				}
				results[i] = out
			})
		}
		all.Wait()
		created := 0
		for _, out := range results {
			if out.ID != results[0].ID || out.Receipt.Index != results[0].Receipt.Index {
				t.Errorf("two documents: %s and %s", out.ID, results[0].ID)
			}
			if out.Created {
				created++
			}
		}
		if created != 1 || r.count("document.deposited/1") != 1 {
			t.Errorf("%d created, %d recorded, want one", created, r.count("document.deposited/1"))
		}
		// The losers' objects are orphans; the sweep finds them once their lock has ended.
		r.clock.Advance(23 * time.Hour)
		if deleted, err := r.vault.Sweep(context.Background(), vault.DefaultTenant); err != nil || deleted != 0 {
			t.Errorf("swept %d locked objects, error %v", deleted, err)
		}
		if n := r.count("object.abandoned/2"); n != 0 {
			t.Errorf("%d objects abandoned while an upload could still want them", n)
		}
		r.clock.Advance(2 * time.Hour)
		deleted, err := r.vault.Sweep(context.Background(), vault.DefaultTenant)
		if err != nil || deleted != n-1 {
			t.Errorf("swept %d, error %v, want %d", deleted, err, n-1)
		}
		if got, err := r.read(results[0].ID); err != nil || string(got) != "race" {
			t.Errorf("after the sweep: read %q, error %v", got, err)
		}
	}
}

// lateStore is a store in which something happens between an upload and its commit.
type lateStore struct {
	objects.Store
	after func()
}

func (s *lateStore) Put(ctx context.Context, key string, body io.Reader, opt objects.PutOptions) (objects.Info, error) {
	info, err := s.Store.Put(ctx, key, body, opt)
	s.after()
	return info, err
}

// The sweep comes between an upload and its commit.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	late := &lateStore{Store: r.objects}
	late.after = func() {
		r.clock.Advance(25 * time.Hour)
		if n, err := r.vault.Sweep(context.Background(), vault.DefaultTenant); n != 1 || err != nil {
			t.Errorf("swept %d, error %v", n, err)
		}
	}
	v, err := vault.Open(context.Background(), r.config(func(c *vault.Config) { c.Objects = late }))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	d := vault.Deposit{Length: 4, Content: strings.NewReader("late")}
	if _, err := v.Deposit(context.Background(), r.who, d); !errors.Is(err, vault.ErrAbandoned) {
		t.Errorf("got error %v, want %v", err, vault.ErrAbandoned)
	}
	if n := r.count("object.abandoned/2"); n != 1 {
		t.Errorf("%d objects abandoned on record", n)
	}
	if n := r.count("document.deposited/1"); n != 0 {
		t.Errorf("%d documents on record", n)
	}
}

func TestUnreleased(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig, _ *vault.Config) { r.releaseWait = 20 * time.Millisecond })
	r.bucket.Inject(func(journaltest.Call) journaltest.Fault { return journaltest.Fails })
	d := vault.Deposit{IdempotencyKey: "k", Length: 1}
	d.Content = strings.NewReader("x")
	out, err := r.vault.Deposit(context.Background(), r.who, d)
	if !errors.Is(err, access.ErrUnreleased) || out.ID.IsZero() || len(out.Receipt.Body) == 0 {
		t.Fatalf("got %+v, %v", out, err)
	}
	d.Content = strings.NewReader("x")
	again, err := r.vault.Deposit(context.Background(), r.who, d)
	if !errors.Is(err, access.ErrUnreleased) || again.ID != out.ID || again.Created {
		t.Fatalf("again: got %+v, %v", again, err)
	}
	r.bucket.Inject(nil)
	released, err := r.journal.Released(context.Background(), out.Receipt)
	if err != nil || released.Checkpoint == nil {
		t.Fatalf("released: %v", err)
	}
}

func TestDepositDenied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.series("other")
	who := r.principal(access.Grant{Role: access.Depositor, Series: "other"}, access.Grant{Role: access.Administrator})
	source := &countingReader{Reader: strings.NewReader("x")}
	_, err := r.vault.Deposit(context.Background(), who, vault.Deposit{Length: 1, Content: source})
	if !errors.Is(err, access.ErrDenied) || source.n != 0 {
		t.Errorf("got error %v after %d bytes, want a denial before the first", err, source.n)
	}
	last := r.records()[len(r.records())-1]
	if last.Type != "access.denied/1" || last.Actor != who.Principal.String() ||
		string(last.Data) != `{"action":"document.deposit","series":"default"}` {
		t.Errorf("on record is %s %s", last.Type, last.Data)
	}
	if out, err := r.vault.Deposit(context.Background(), who,
		vault.Deposit{Series: "other", Length: 1, Content: source}); err != nil || out.Document.Series != "other" {
		t.Errorf("in its own series: %+v, %v", out, err)
	}
	stranger := access.Who{Tenant: vault.DefaultTenant, Principal: journal.ID{1}}
	if _, err := r.vault.Deposit(context.Background(), stranger,
		vault.Deposit{Length: 1, Content: source}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a stranger: %v", err)
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
