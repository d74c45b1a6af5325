package fsck

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	"muniment/anchor/journal/journaltest"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault/access"
)

// TestKeyWrittenIntoTheDatabase: somebody with the database's file alone writes a row that gives a new API key to a
// principal. It reads nothing, an alarm goes on record that stays when the row is taken out again, and while the row is
// there fsck names it.
func TestKeyWrittenIntoTheDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := config.Default()
	cfg.Data, cfg.Listen, cfg.AdminListen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", "127.0.0.1:0"
	victim := access.APIKey{}
	var document string
	while(t, cfg, func(s *node.Server) {
		victim = s.Node.Bootstrap
		if err := s.EndFirstStart(); err != nil {
			t.Fatal(err)
		}
		r := client(t, s, victim)
		out, err := r.Send(ctx, remote.Deposit{Length: 10, Content: strings.NewReader("TOP SECRET")})
		if err != nil {
			t.Fatal(err)
		}
		document = out.ID
	})
	forged := journaltest.Must(access.NewAPIKey(rand.Reader))
	digest := forged.Digest()
	keys := journal.Table{Kind: journal.Projection, Name: "api_keys"}
	write := func(change func(journal.Txn) error) {
		t.Helper()
		b, err := bolt.Open(bolt.Config{Path: node.Folder(cfg.Data).Journal()})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Update(ctx, change), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx journal.Txn) error {
		var row map[string]any
		err := tx.Scan(keys, journal.Range{}, func(_, value []byte) error { return json.Unmarshal(value, &row) })
		row["digest"] = digest[:]
		value, encode := json.Marshal(row)
		return errors.Join(err, encode, tx.Put(keys, digest[:16], value))
	})
	reads := func(s *node.Server, key access.APIKey) (string, error) {
		var content strings.Builder
		err := client(t, s, key).Read(ctx, document, remote.ReadOptions{Purpose: "theft"}, &content)
		return content.String(), err
	}
	while(t, cfg, func(s *node.Server) {
		var problem *remote.ProblemError
		if content, err := reads(s, forged); !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized {
			t.Errorf("the forged key reads %q, %v", content, err)
		}
		if content, err := reads(s, victim); err != nil || content != "TOP SECRET" {
			t.Errorf("the victim reads %q, %v", content, err)
		}
	})
	checkFinds(t, cfg, "the log does not explain it")
	write(func(tx journal.Txn) error { return tx.Delete(keys, digest[:16]) })
	checkFinds(t, cfg)
	while(t, cfg, func(s *node.Server) {
		found := 0
		for _, rec := range journaltest.Must(s.Node.Journal.Records(ctx, journal.System, 0, 1000)) {
			if rec.Type == string(access.Contradicted) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d alarms are on record, want 1", found)
		}
		if content, err := reads(s, victim); err != nil || content != "TOP SECRET" {
			t.Errorf("the victim reads %q, %v", content, err)
		}
	})
}

// while runs fn while a server serves the folder.
func while(t *testing.T, cfg config.Config, fn func(*node.Server)) {
	t.Helper()
	s, err := node.Listen(context.Background(), cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), node.OpenStorage)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	fn(s)
	if err := s.Stop(5 * time.Second); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, s *node.Server, key access.APIKey) *remote.Client {
	t.Helper()
	r, err := remote.New(s.URL(), key.Reveal(), remote.NewTransport(8))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// checkFinds runs fsck over the folder, with the keys.
func checkFinds(t *testing.T, cfg config.Config, want ...string) {
	t.Helper()
	result, err := Check(t.Context(), cfg, true, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range result.Findings {
		got = append(got, f.Problem)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("fsck finds %q, want %q", got, want)
	}
}
