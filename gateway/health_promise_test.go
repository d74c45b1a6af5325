package gateway_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/gateway"
)

// newClockedRig is a rig whose gateway has a clock of its own, so that its answers about health can be made to age.
func newClockedRig(t *testing.T) (*rig, *journaltest.Clock) {
	clock := journaltest.NewClock()
	clock.Set(time.Now())
	return newRig(t, func(c *gateway.Config) { c.Clock = clock }), clock
}

// spoil changes rows of the database behind the journal's back; nil deletes one.
func (r *rig) spoil(table journal.Table, key []byte, fn func(row []byte) []byte) {
	r.t.Helper()
	err := r.backend.Update(r.t.Context(), func(tx journal.Txn) error {
		row, err := tx.Get(table, key)
		if err != nil {
			return err
		}
		if row = fn(bytes.Clone(row)); row == nil {
			return tx.Delete(table, key)
		}
		return tx.Put(table, key, row)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) spoilBody(index uint64) {
	key := binary.BigEndian.AppendUint64(nil, index)
	r.spoil(journal.Table{Kind: journal.Log, Name: "body"}, key, func(row []byte) []byte {
		row[len(row)-2] ^= 1
		return row
	})
}

// batches are the names of the batches that were shipped.
func (r *rig) batches() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.bucket.Objects())) {
		if strings.HasPrefix(name, "batch/") {
			names = append(names, name)
		}
	}
	return names
}

// want asks for readiness after a minute, and holds one line of it against what is expected.
func (r *rig) want(clock *journaltest.Clock, status int, name string, words ...string) {
	r.t.Helper()
	if status == http.StatusOK {
		r.released()
	}
	clock.Advance(time.Minute)
	got, answer := r.ready("")
	line := answer.line(name)
	for _, word := range words {
		if !strings.Contains(line, word) {
			r.t.Errorf("%s: %s, want %q", name, line, word)
		}
	}
	if got != status || answer.Ready != (status == http.StatusOK) {
		r.t.Errorf("%d ready=%v, want %d: %+v", got, answer.Ready, status, answer.Dependencies)
	}
}

// TestReadinessTellsOfLostBatches: what is shipped again leaves the server ready, what cannot be does not.
func TestReadinessTellsOfLostBatches(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	for len(r.batches()) < 2 {
		r.deposit([]byte("x"))
	}
	if err := r.journal.LookAfterBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(clock, http.StatusOK, "batches", "ok=true needed=false", "hold every released entry")
	r.bucket.Tamper(r.batches()[0], nil)
	if err := r.journal.LookAfterBatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(clock, http.StatusOK, "batches", "ok=true", "were lost from the bucket and shipped again")
	if m := r.admin("/metrics").Body.String(); strings.Contains(m, "\nmuniment_shipped_again_entries_total 0\n") ||
		!strings.Contains(m, "\nmuniment_shipped_lost_entries 0\n") {
		t.Error("the metrics do not tell what was shipped again")
	}
	r.bucket.Tamper(r.batches()[0], []byte("not a batch"))
	r.spoilBody(3)
	if err := r.journal.LookAfterBatches(t.Context()); err == nil {
		t.Fatal("a lost batch is made good from a database that does not have its entries")
	}
	r.want(clock, http.StatusServiceUnavailable, "batches", "ok=false needed=true", "could not be shipped again",
		"→ put back from a backup the batches")
	if m := r.admin("/metrics").Body.String(); strings.Contains(m, "\nmuniment_shipped_lost_entries 0\n") ||
		!strings.Contains(m, `muniment_dependency_up{dependency="batches"} 0`) {
		t.Error("the metrics do not tell what is lost")
	}
}

// TestDamageThatWasMetIsTold: a server that has met a damaged row is not ready until it was started anew.
func TestDamageThatWasMetIsTold(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	doc := r.deposit([]byte("x"))
	r.released()
	r.want(clock, http.StatusOK, "journal", "ok=true")
	r.spoilBody(doc.Receipt.Index)
	if a := r.do(http.MethodGet, "/v1/documents/"+doc.ID+"/history", nil); a.problem() != "damaged" {
		t.Errorf("the history with a damaged entry: %d %s", a.status, a.body)
	}
	r.want(clock, http.StatusServiceUnavailable, "journal", "ok=false needed=true", "damage was met",
		"→ stop the server")
}

// TestADepositIntoDamageIsAnswered at once: it is on record, and cannot be released.
func TestADepositIntoDamageIsAnswered(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	r.released()
	r.bucket.Inject(func(c journaltest.Call) journaltest.Fault {
		if c.Op == "put" {
			return journaltest.Fails
		}
		return journaltest.Works
	})
	size := r.journal.Size()
	if a := r.do(http.MethodPost, "/v1/documents?acknowledge=committed", strings.NewReader("x")); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	body := journal.Table{Kind: journal.Log, Name: "body"}
	r.spoil(body, binary.BigEndian.AppendUint64(nil, size), func([]byte) []byte { return nil })
	r.bucket.Inject(nil)
	begun := time.Now()
	a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("y"))
	if a.problem() != "unreleasable" || time.Since(begun) > 10*time.Second {
		t.Errorf("after %v: %d %s", time.Since(begun), a.status, a.body)
	}
	r.want(clock, http.StatusServiceUnavailable, "journal", "ok=false")
}

// TestAFolderThatTakesNoDocumentsIsSeen, though the store around it can be written.
func TestAFolderThatTakesNoDocumentsIsSeen(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	folder := filepath.Join(r.folder, "data", "default")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(clock, http.StatusServiceUnavailable, "objects", "ok=false", "where documents go")
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	r.deposit([]byte("x"))
	r.want(clock, http.StatusOK, "objects", "ok=true")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := r.do(http.MethodPost, "/v1/documents", strings.NewReader("x")); a.status < 500 {
		t.Errorf("a deposit into a folder that is none: %d", a.status)
	}
	r.want(clock, http.StatusServiceUnavailable, "objects", "ok=false", "where documents go")
}

// TestWhatDoesNotStopAServerIsTold: damaged contents, and that no backup was verified for long.
func TestWhatDoesNotStopAServerIsTold(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	doc := r.deposit([]byte("x"))
	r.released()
	r.want(clock, http.StatusOK, "contents", "ok=true needed=false")
	r.want(clock, http.StatusOK, "locks", "ok=true needed=false")
	r.want(clock, http.StatusOK, "verified backup", "ok=true needed=false none yet")
	clock.Advance(-time.Hour) // the journal began while the clock was ahead
	r.want(clock, http.StatusOK, "verified backup", "ok=false needed=false", "no backup was ever verified")
	clock.Advance(time.Hour)
	clock.Advance(9 * 24 * time.Hour)
	r.want(clock, http.StatusOK, "verified backup", "ok=false needed=false", "no backup was ever verified",
		"→ make one")
	if err := os.RemoveAll(filepath.Join(r.folder, "data", "default")); err != nil {
		t.Fatal(err)
	}
	if a := r.do(http.MethodGet, "/v1/documents/"+doc.ID+"/content", nil,
		with("Muniment-Purpose", "audit")); a.problem() != "damaged" {
		t.Errorf("content that is gone: %d %s", a.status, a.body)
	}
	r.want(clock, http.StatusOK, "contents", "ok=false needed=false", "1 documents are on record as damaged",
		"→ put the objects back")
	if m := r.admin("/metrics").Body.String(); !strings.Contains(m, "\nmuniment_damaged_documents 1\n") {
		t.Error("the metrics do not count the damaged document")
	}
}

// TestDutiesThatFailAreTold: locks that cannot be extended, and contents of erased documents that cannot be deleted.
func TestDutiesThatFailAreTold(t *testing.T) {
	t.Parallel()
	r, clock := newClockedRig(t)
	r.want(clock, http.StatusOK, "erasures", "ok=true needed=false", "none is behind")
	begun := time.Now().Add(-7 * time.Hour).UTC()
	fails := func(kind string) {
		key := append([]byte(kind), 0)
		key = binary.BigEndian.AppendUint64(key, uint64(begun.UnixMicro()))
		key = binary.BigEndian.AppendUint64(key, 1)
		r.spoil(journal.Table{Kind: journal.Projection, Name: "journal.duty"}, key, func([]byte) []byte {
			return bytes.Repeat([]byte{1}, len(journal.ID{}))
		})
		r.spoil(journal.Table{Kind: journal.Volatile, Name: "duty.failed"}, key, func([]byte) []byte {
			return []byte(`{"tries":3,"since":"` + begun.Format(time.RFC3339) + `","next":"9999-01-01T00:00:00Z"}`)
		})
	}
	fails("lock")
	fails("erase")
	since := "the first since " + begun.Format(time.RFC3339)
	r.want(clock, http.StatusOK, "locks", "ok=false needed=false", "the locks of 1 documents are behind", since,
		"→ permit this server to extend locks")
	r.want(clock, http.StatusOK, "erasures", "ok=false needed=false", "could not be deleted", since,
		"→ permit this server to delete")
	m := r.admin("/metrics").Body.String()
	for _, line := range []string{"muniment_locks_overdue 1", "muniment_locks_failing 1",
		"muniment_erasures_failing 1"} {
		if !strings.Contains(m, "\n"+line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
}
