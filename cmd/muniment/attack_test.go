package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/fsck"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault"
	"muniment/vault/access"
)

// attack is what somebody does who can write to one component of an installation and to nothing else. The guide for
// security officers has a line for each; TestAttacksStandInTheGuide compares the two.
type attack struct {
	component string
	act       string        // what the attacker does
	outcome   string        // what comes of it
	do        func(s *site) // before the server starts
	// live is what is done to the database of a running server instead.
	live func(s *site, b journal.Backend)
	// real is what is done to an installation on S3 and Vault instead, or to the copy of its configuration.
	real func(r *realSite, cfg *config.Config)
	// noticed is what each observer must say. The others must say nothing, and without atStart the server must start.
	noticed map[observer]string
	// survives says that what was done is still there when the database is lost, so that a restore comes upon it.
	survives bool
	// reships says that all of the history is shipped again once the server runs, as after a change of the shipping
	// key: a restore must bring all of it back.
	reships bool
	slow    string // why -short leaves it out
}

// observer is somebody who may notice an attack.
type observer int

// The observers, in the order in which they come upon an attack.
const (
	atStart   observer = iota // the server's next start, which is refused
	inLog                     // the server's log
	onRecord                  // an event, when the server comes upon it: at its start, each hour, or at a request
	inHealth                  // /readyz
	atCommit                  // the next commit, which is refused
	atRead                    // the next read of a document, which is refused
	inProofs                  // the next evidence of a document, which is not given
	byFsck                    // muniment fsck --keys
	byRestore                 // muniment restore, which is refused
	observers
)

// String is how the guide names an observer.
func (o observer) String() string {
	return [...]string{
		"the next start, which is refused", "the server's log", "the record", "`/readyz`",
		"the next commit, which is refused", "the next read, which is refused", "the next evidence, which is refused",
		"`fsck`", "`restore`, which is refused",
	}[o]
}

// noticedBy is the guide's text for who notices an attack, and when.
func (a attack) noticedBy() string {
	var all []string
	for o := range observers {
		said, ok := a.noticed[o]
		switch {
		case ok && o == onRecord:
			all = append(all, fmt.Sprintf("%s (`%s`), when it is met", o, strings.TrimSuffix(said, "/1")))
		case ok:
			all = append(all, o.String())
		}
	}
	if len(all) == 0 {
		return "nobody"
	}
	return strings.Join(all, "; ")
}

// attacks are all attacks, component by component.
func attacks() []attack {
	return slices.Concat(releaseAttacks(), documentsAttacks(), databaseAttacks(), liveAttacks(), keysAttacks(),
		ledgerAttacks(), configurationAttacks())
}

// TestAttackerInOneComponent: for every attack, what each observer says is what the table promises; and whatever was
// done, a document that is served is the one that was deposited, nobody reads with a key that was forged or revoked,
// and a journal that comes back has lost nothing that was acknowledged.
func TestAttackerInOneComponent(t *testing.T) {
	t.Parallel()
	for _, a := range attacks() {
		t.Run(a.component+"/"+a.act, func(t *testing.T) {
			t.Parallel()
			if a.slow != "" {
				long(t, a.slow)
			}
			s := newSite(t)
			if a.live != nil {
				a.checkLive(t, s)
				return
			}
			a.do(s)
			a.says(t, byFsck, s.fsck())
			if a.survives {
				a.checkRestore(t, s)
			}
			a.checkStart(t, s)
		})
	}
}

// says holds what an observer says against what it must say: a part of it, or nothing.
func (a attack) says(t *testing.T, o observer, said string) {
	t.Helper()
	want, notices := a.noticed[o]
	switch {
	case notices && (said == "" || !strings.Contains(said, want)):
		t.Errorf("%s: %q, want %q", o, said, want)
	case !notices && said != "":
		t.Errorf("%s: %q, want nothing", o, said)
	}
}

// fsck is what fsck --keys says; nothing when all agrees. It changes nothing.
func (s *site) fsck() string {
	s.t.Helper()
	result, err := fsck.Check(s.t.Context(), s.cfg, true, true)
	if err != nil {
		return err.Error()
	}
	var said []string
	for _, f := range result.Findings {
		said = append(said, fmt.Sprintf("%s %s %s", f.Where, f.Key, f.Problem))
	}
	return strings.Join(said, "; ")
}

// checkRestore restores a copy of the installation that has lost its database. All that was acknowledged must come
// back, and nothing else.
func (a attack) checkRestore(t *testing.T, s *site) {
	t.Helper()
	c := s.copy()
	if err := os.Remove(c.folder.Journal()); err != nil {
		t.Fatal(err)
	}
	said, code := c.program("restore", "--data", string(c.folder))
	if code == 0 {
		said = ""
	}
	a.says(t, byRestore, said)
	if code != 0 {
		return
	}
	n, err := c.start(io.Discard)
	if err != nil {
		if _, refused := a.noticed[atStart]; !refused {
			t.Errorf("after a restore it does not start: %v", err)
		}
		return
	}
	c.checkServed(n)
	c.stop(n)
}

// checkStart starts the server over what the attacker has left, and reads every document.
func (a attack) checkStart(t *testing.T, s *site) {
	t.Helper()
	var log bytes.Buffer
	n, err := s.start(&log)
	if err != nil {
		if hint, ok := cli.HintOf(err); !ok || hint == "" {
			t.Errorf("the refusal does not say what to do: %v", err)
		}
		a.says(t, atStart, err.Error())
		return
	}
	a.says(t, atStart, "")
	refused := s.checkServed(n)
	a.says(t, atRead, refused)
	a.says(t, inProofs, s.checkProofs(n))
	a.checkRecord(t, n)
	a.checkHealth(t, n)
	if a.reships {
		s.reship(n)
	}
	s.stop(n)
	if a.reships {
		a.checkRestore(t, s)
	}
	if want, ok := a.noticed[inLog]; ok && !strings.Contains(log.String(), want) {
		t.Errorf("%s: %s, want %q", inLog, &log, want)
	}
}

// alarms are the types of the events that say that something is wrong.
var alarms = []string{"access.contradicted/1", "object.damaged/1", "objects.unknown/1", "journal.batches_lost/1"}

// checkRecord waits for the alarm that must go on record, and demands that there is no other.
func (a attack) checkRecord(t *testing.T, n *node.Server) {
	t.Helper()
	want := a.noticed[onRecord]
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := strings.Join(alarmsOf(t, n.Node.Journal), " ")
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("on record is %q, want %q", got, want)
		}
		select {
		case <-t.Context().Done():
			t.FailNow()
		case <-time.After(5 * time.Millisecond): // what is waited for is done by others
		}
	}
}

// alarmsOf are the alarms that are on record.
func alarmsOf(t *testing.T, j *journal.Journal) (found []string) {
	t.Helper()
	for i := range j.Size() {
		rec, err := j.Record(t.Context(), i)
		if err != nil && !errors.Is(err, journal.ErrDamaged) {
			t.Fatal(err)
		}
		if err == nil && slices.Contains(alarms, rec.Type) && !slices.Contains(found, rec.Type) {
			found = append(found, rec.Type)
		}
	}
	return found
}

// checkHealth asks /readyz.
func (a attack) checkHealth(t *testing.T, n *node.Server) {
	t.Helper()
	want, ok := a.noticed[inHealth]
	if !ok {
		return
	}
	resp, err := http.Get(n.AdminURL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(said, []byte(want)) {
		t.Errorf("%s: %s, want %q", inHealth, said, want)
	}
}

// checkServed reads every document that was acknowledged, and returns what was said of those that are refused. Each
// that is served must be the one that was deposited, and keys that were forged or revoked must open nothing.
func (s *site) checkServed(n *node.Server) (refused string) {
	s.t.Helper()
	for _, d := range s.facts.documents {
		var content bytes.Buffer
		err := s.client(n, s.facts.reader).Read(s.t.Context(), d.id, remote.ReadOptions{Purpose: "audit"}, &content)
		var problem *remote.ProblemError
		switch {
		case errors.As(err, &problem):
			refused += problem.Error()
		case err != nil:
			refused += err.Error()
		case content.String() != d.content:
			s.t.Errorf("document %s is served as %q", d.id, content.String())
		}
	}
	reader := access.Who{Tenant: vault.DefaultTenant, Principal: s.facts.readerID}
	if _, err := n.Node.Keys.Rotate(s.t.Context(), reader); err == nil {
		s.t.Error("a reader has rotated the tenant's key")
	}
	if status, err := n.Node.Keys.Status(s.t.Context(), reader); err == nil && len(status.Trims) > 0 {
		s.t.Errorf("a trim is shown that nobody has proposed: %+v", status.Trims)
	}
	for what, key := range map[string]access.APIKey{"forged": s.facts.forged, "revoked": s.facts.revoked} {
		var content bytes.Buffer
		err := s.client(n, key).Read(s.t.Context(), s.facts.documents[0].id, remote.ReadOptions{Purpose: "theft"},
			&content)
		var problem *remote.ProblemError
		if !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized {
			s.t.Errorf("the %s key reads %q, %v", what, content.String(), err)
		}
	}
	return refused
}

// checkProofs asks for every document's evidence, and returns what was said where it is refused. Evidence that is given
// must hold by the policy that an auditor has kept, and be about the document that was deposited.
func (s *site) checkProofs(n *node.Server) (refused string) {
	s.t.Helper()
	policy, err := node.ReadPolicy(s.facts.now)
	s.must(err)
	for _, d := range s.facts.documents {
		raw, err := s.client(n, s.facts.reader).Evidence(s.t.Context(), d.id, true)
		if err != nil {
			refused += err.Error()
			continue
		}
		digest := sha256.Sum256([]byte(d.content))
		report := evidence.Verify(evidence.Input{Evidence: raw, Digest: digest[:], Policy: policy})
		for _, step := range report.Steps {
			if step.State == evidence.DoesNotHold {
				s.t.Errorf("evidence was given for %s that does not hold: %s, %s", d.id, step.Name, step.Why)
			}
		}
	}
	return refused
}

// reship changes the shipping key, and waits until all is shipped again under it.
func (s *site) reship(n *node.Server) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	event, err := n.Node.Journal.NextShippingKey(ctx)
	s.must(err)
	actor := journal.Actor{Tenant: journal.System, ID: access.OperatorActor}
	r, err := n.Node.Journal.Commit(ctx, actor, func(journal.View) (journal.Change, error) {
		return journal.Change{Events: []journal.Event{event}}, nil
	})
	s.must(err)
	s.must(n.Node.Journal.Shipped(ctx, r))
}

// start starts a server, which logs to w.
func (s *site) start(w io.Writer) (*node.Server, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	n, err := node.Listen(ctx, s.cfg, slog.New(slog.NewTextHandler(w, nil)), s.open)
	if err == nil {
		n.Serve()
	}
	return n, err
}

// stop stops a server. One whose journal has stopped says so.
func (s *site) stop(n *node.Server) {
	s.t.Helper()
	if err := n.Stop(10 * time.Second); err != nil && n.Node.Journal.Err() == nil {
		s.t.Errorf("stopping: %v", err)
	}
}
