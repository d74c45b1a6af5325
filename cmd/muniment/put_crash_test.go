package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"muniment/anchor/processtest"
)

// job is a nightly job: a manifest, its files, and the receipts.
type job struct {
	t        *testing.T
	v        *victim
	manifest string
	receipts string
	rows     int
}

// newJob writes a manifest of so many rows. Every other one has an external id.
func newJob(t *testing.T, v *victim, rows int) *job {
	t.Helper()
	dir := t.TempDir()
	j := &job{t: t, v: v, manifest: filepath.Join(dir, "in.csv"), receipts: filepath.Join(dir, "out.csv"), rows: rows}
	lines := []string{"path,external_id,title"}
	for i := range rows {
		name, external := fmt.Sprintf("%04d.txt", i), ""
		if i%2 == 0 {
			external = fmt.Sprintf("erp/%d", i)
		}
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte(name), 1+i*37), 0o600); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s,%s,row %d", name, external, i))
	}
	if err := os.WriteFile(j.manifest, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

// start starts the job as a user would.
func (j *job) start() *exec.Cmd {
	j.t.Helper()
	program, err := exec.LookPath("muniment")
	if err != nil {
		j.t.Fatal(err)
	}
	cmd := exec.Command(program, "put", "--manifest", j.manifest, "--receipts", j.receipts, "--url", j.v.url, "-o",
		"json")
	cmd.Env = append(os.Environ(), "MUNIMENT_TOKEN="+j.v.token)
	return cmd
}

// await waits until the receipts have so many lines.
func (j *job) await(lines int) {
	j.t.Helper()
	processtest.Await(j.t, fmt.Sprintf("the receipts have %d lines", lines), func() bool {
		raw, err := os.ReadFile(j.receipts)
		return err == nil && bytes.Count(raw, []byte("\n")) >= lines
	})
}

// lines are the receipts' records, each row's last one, by its path.
func (j *job) lines() map[string]map[string]string {
	j.t.Helper()
	raw, err := os.ReadFile(j.receipts)
	if err != nil {
		j.t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		j.t.Fatalf("the receipts cannot be read: %v\n%s", err, raw)
	}
	out := map[string]map[string]string{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		if earlier, twice := out[row["path"]]; twice && earlier["document_id"] != "" {
			j.t.Errorf("%s has two receipts", row["path"])
		}
		out[row["path"]] = row
	}
	return out
}

// TestManifestSurvivesKill kills a job in the middle, several times and at different places, and lets it go on: each
// row is exactly one document, and each has its receipt, whose leaf is the one that the server has.
func TestManifestSurvivesKill(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	j := newJob(t, v, 120)
	killed := 0
	for _, lines := range []int{1, 2, 15, 40, 80} { // the first line is the heading
		cmd := j.start()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		j.await(lines)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if cmd.Wait() != nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no run was killed before it had ended")
	}
	out, err := j.start().Output()
	if err != nil {
		t.Fatalf("the last run ended with %v", err)
	}
	var result struct{ Created, Replayed, Skipped int }
	if err := json.Unmarshal(out, &result); err != nil || result.Created+result.Replayed+result.Skipped != j.rows ||
		result.Skipped < 79 {
		t.Errorf("%s, %v", out, err)
	}
	j.check()
	t.Logf("killed %d times; the last run: %s", killed, bytes.TrimSpace(out))
}

// check compares the receipts with what the server has.
func (j *job) check() {
	j.t.Helper()
	_, body := j.v.call("GET", "/v1/documents?limit=500", nil, nil)
	var page struct {
		Documents []struct {
			ID       string `json:"id"`
			FileName string `json:"file_name"`
			Index    uint64 `json:"index"`
		} `json:"documents"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		j.t.Fatalf("%v: %s", err, body)
	}
	receipts := j.lines()
	if len(page.Documents) != j.rows || len(receipts) != j.rows {
		j.t.Errorf("%d documents and %d receipts of %d rows", len(page.Documents), len(receipts), j.rows)
	}
	for _, d := range page.Documents {
		row := receipts[d.FileName]
		if row["document_id"] != d.ID || row["index"] != fmt.Sprint(d.Index) ||
			row["status"] != "created" && row["status"] != "replayed" {
			j.t.Errorf("document %s has the receipt %v", d.ID, row)
		}
	}
}

// TestManifestSurvivesServer kills the server in the middle of a job, and starts it again elsewhere: what the job could
// not do, and says so, the next run does.
func TestManifestSurvivesServer(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	j := newJob(t, v, 60)
	cmd := j.start()
	cmd.Args = append(cmd.Args, "--retry-for", "1s")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j.await(5)
	_ = v.end(syscall.SIGKILL)
	if err := cmd.Wait(); err == nil || !strings.Contains(errs.String(), "not tried") ||
		!strings.Contains(errs.String(), "repeat the same command") {
		t.Errorf("the job ended with %v: %s", err, errs.String())
	}
	if !v.start(nil) {
		t.Fatalf("the server did not start again\n%s", v.stderr)
	}
	if out, err := j.start().CombinedOutput(); err != nil {
		t.Errorf("the next run: %v: %s", err, out)
	}
	j.check()
}
