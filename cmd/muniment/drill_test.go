package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"muniment/anchor/processtest"
)

// signedHead is what a checkpoint says.
type signedHead struct {
	size int64
	root tlog.Hash
}

// openCheckpoint reads a checkpoint that the verifier's key has signed.
func (v *victim) openCheckpoint(verifier note.Verifier, signed string) signedHead {
	v.t.Helper()
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		v.t.Fatal(err)
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		v.t.Fatal(err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		v.t.Fatal(err)
	}
	return signedHead{size, root}
}

// handedOut are the checkpoints of all receipts so far.
func (v *victim) handedOut() (heads []signedHead) {
	v.t.Helper()
	verifier, err := note.NewVerifier(v.policyKey())
	if err != nil {
		v.t.Fatal(err)
	}
	for _, d := range v.acked {
		if d.Receipt.Checkpoint != "" {
			heads = append(heads, v.openCheckpoint(verifier, d.Receipt.Checkpoint))
		}
	}
	return heads
}

// oneHistory proves from the public tiles that every head which was ever signed is a prefix of the present one.
func (v *victim) oneHistory(heads []signedHead) {
	v.t.Helper()
	verifier, err := note.NewVerifier(v.policyKey())
	if err != nil {
		v.t.Fatal(err)
	}
	resp, body := v.call(http.MethodGet, "/v1/journal/checkpoint", nil, nil)
	if resp == nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("reading the checkpoint: %v %s", resp, body)
	}
	now := v.openCheckpoint(verifier, string(body))
	var stored storedHashes
	for n := int64(0); n < now.size; n += 256 {
		width := min(256, now.size-n)
		path := fmt.Sprintf("/v1/journal/tile/0/%03d", n/256)
		if width < 256 {
			path += fmt.Sprintf(".p/%d", width)
		}
		resp, tile := v.call(http.MethodGet, path, nil, nil)
		if resp == nil || resp.StatusCode != http.StatusOK || int64(len(tile)) != 32*width {
			v.t.Fatalf("reading %s: %v", path, resp)
		}
		for i := range width {
			more, err := tlog.StoredHashesForRecordHash(n+i, tlog.Hash(tile[32*i:32*i+32]), stored)
			if err != nil {
				v.t.Fatal(err)
			}
			stored = append(stored, more...)
		}
	}
	for _, old := range heads {
		if old.size > now.size {
			v.t.Errorf("a checkpoint was signed at %d, and the log is at %d", old.size, now.size)
			continue
		}
		proof, err := tlog.ProveTree(now.size, old.size, stored)
		if err == nil {
			err = tlog.CheckTree(proof, now.size, now.root, old.size, old.root)
		}
		if err != nil {
			v.t.Errorf("the checkpoint signed at %d is not a prefix of the one at %d: %v", old.size, now.size, err)
		}
	}
}

// storedHashes are the hashes of a tree in the order of tlog.StoredHashIndex.
type storedHashes []tlog.Hash

// ReadHashes implements [tlog.HashReader].
func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(s)) {
			return nil, fmt.Errorf("there is no hash %d", at)
		}
		out[i] = s[at]
	}
	return out, nil
}

// backgroundLoad deposits until the server is gone.
func (v *victim) backgroundLoad(round string) (wait func()) {
	var load sync.WaitGroup
	load.Go(func() { v.load(round, 1<<20) })
	return load.Wait
}

// reach waits until so many deposits were acknowledged.
func (v *victim) reach(n int) {
	v.t.Helper()
	processtest.Await(v.t, fmt.Sprintf("%d deposits are acknowledged", n), func() bool { return v.known() >= n })
}

func (v *victim) journalFile() string { return filepath.Join(v.dir, "journal.db") }

// TestDrillOldDatabase puts a database file back to an earlier time, after a crash under load: it catches up with what
// was released since, loses nothing that was acknowledged, and goes on with one history.
func TestDrillOldDatabase(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("early", 5)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	copyFile(t, old, v.journalFile(), 0o600)
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	wait := v.backgroundLoad("late")
	v.reach(120)
	v.end(syscall.SIGKILL)
	wait()
	heads := v.handedOut()
	v.replaceJournal(old)
	if !v.start(nil) {
		t.Fatalf("with the old file it does not start\n%s", v.stderr)
	}
	if !strings.Contains(v.stderr.String(), "catching up") {
		t.Errorf("the log does not say that it caught up\n%s", v.stderr)
	}
	acked := len(v.acked)
	v.checkPromise()
	v.oneHistory(heads)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	v.fsck()
	t.Logf("%d deposits were acknowledged, 20 of them before the old file; %d checkpoints are prefixes of the last",
		acked, len(heads))
}

func (v *victim) replaceJournal(from string) {
	v.t.Helper()
	if err := os.Remove(v.journalFile()); err != nil {
		v.t.Fatal(err)
	}
	copyFile(v.t, v.journalFile(), from, 0o600)
}

// TestDrillTornDatabase puts back a copy that was taken while the file was written to, which is no backup: whatever is
// wrong with it shows at the start or by fsck, and moving it away and restoring brings everything back.
func TestDrillTornDatabase(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	refused, found, sound := 0, 0, 0
	var heads []signedHead
	for round := range 4 {
		wait := v.backgroundLoad(fmt.Sprint("round", round))
		v.reach(len(v.acknowledged()) + 40)
		torn := v.copyTorn(int64(round/2)*700, round%2 == 1)
		v.reach(len(v.acknowledged()) + 20)
		v.end(syscall.SIGKILL)
		wait()
		heads = append(heads, v.handedOut()...)
		v.replaceJournal(torn)
		out, err := exec.Command(v.program, "fsck", "--keys", "--data", v.dir).CombinedOutput()
		switch {
		case err == nil:
			sound++
		case bytes.Contains(out, []byte("journal.db")):
			refused++
		case bytes.Contains(out, []byte("finding")):
			found++
		default:
			t.Errorf("fsck of a torn copy says\n%s", out)
		}
		if err != nil {
			if err := os.Remove(v.journalFile()); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(v.program, "restore", "--data", v.dir).CombinedOutput(); err != nil {
				t.Fatalf("restoring: %v\n%s", err, out)
			}
		}
		if !v.start(nil) {
			t.Fatalf("it does not start\n%s", v.stderr)
		}
		v.checkPromise()
	}
	v.oneHistory(heads)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	v.fsck()
	t.Logf("of the torn copies %d were refused, %d had findings, %d were older but sound; %d documents",
		refused, found, sound, len(v.sent))
}

// copyTorn copies the journal's file while it is written to, its beginning and the rest at two times, in this order or
// the other, and cuts some bytes off the end.
func (v *victim) copyTorn(cut int64, restFirst bool) string {
	v.t.Helper()
	in, err := os.Open(v.journalFile())
	if err != nil {
		v.t.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		v.t.Fatal(err)
	}
	path := filepath.Join(v.t.TempDir(), "torn.db")
	out, err := os.Create(path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer out.Close()
	const begin = 64 << 10
	parts := []*io.SectionReader{io.NewSectionReader(in, 0, begin),
		io.NewSectionReader(in, begin, info.Size()-begin-cut)}
	offsets := []int64{0, begin}
	if restFirst {
		slices.Reverse(parts)
		slices.Reverse(offsets)
	}
	for i, part := range parts {
		if i > 0 {
			v.reach(len(v.acknowledged()) + 20)
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, offsets[i]), part); err != nil {
			v.t.Fatal(err)
		}
	}
	return path
}

// TestDrillDamagedBucket damages each object of a release bucket in turn: a lost journal does not come back from it,
// what is at fault is named, and it does once the object is back.
func TestDrillDamagedBucket(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil, "MUNIMENT_LOG_LEVEL=error") {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("all", 60) // more than the head holds itself
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	contents, err := filepath.Glob(filepath.Join(v.dir, "release", "data", "*", "*",
		"*@????????????????????????????????"))
	if err != nil {
		t.Fatal(err)
	}
	heads, err := filepath.Glob(filepath.Join(v.dir, "release", "data", "*", "head@????????????????????????????????"))
	if err != nil || len(contents) == 0 || len(heads) != 1 {
		t.Fatalf("%d batches, %d heads, %v", len(contents), len(heads), err)
	}
	if err := os.Remove(v.journalFile()); err != nil {
		t.Fatal(err)
	}
	damaged := map[string]func(whole []byte) []byte{
		"a bit is flipped": func(whole []byte) []byte { whole[len(whole)/2] ^= 1; return whole },
		"it is cut short":  func(whole []byte) []byte { return whole[:len(whole)-1] },
		"it is gone":       nil,
	}
	for _, path := range append(contents, heads...) {
		name, _, _ := strings.Cut(filepath.Base(path), "@")
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range slices.Sorted(maps.Keys(damaged)) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if damage := damaged[what]; damage != nil {
				if err := os.WriteFile(path, damage(bytes.Clone(whole)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.Command(v.program, "restore", "--data", v.dir).CombinedOutput()
			named := bytes.Contains(out, []byte(name)) &&
				(name == "head" || bytes.Contains(out, []byte("leaves from "+
					"")) || bytes.Contains(out, []byte("shipping key")))
			if err == nil || !named {
				t.Errorf("%s of %s: restore says %v\n%s", what, name, err, out)
			}
			if _, err := os.Lstat(v.journalFile()); err == nil {
				t.Fatalf("%s of %s: half a journal was left", what, name)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command(v.program, "restore", "--data", v.dir).CombinedOutput(); err != nil {
		t.Fatalf("with all put back: %v\n%s", err, out)
	}
	if !v.start(nil) {
		t.Fatalf("it does not start\n%s", v.stderr)
	}
	v.checkPromise()
}
