package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"muniment/anchor/processtest"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
	"muniment/vault/objects"
)

// TestRealMainJob does the whole main job on S3 and Vault: documents of many sizes are deposited, anchored, read,
// verified down to the ledger, listed and told of; and all of it again after a restart.
func TestRealMainJob(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	d := r.mainJob(v, []int64{0, 1, 10 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 20 << 20})
	steps := []func(context.Context) error{d.deposit, d.anchor, d.read, d.prove}
	for range 2 { // the second time each deposit is a repeated one
		for _, step := range steps {
			if err := step(t.Context()); err != nil {
				t.Fatalf("%v\n%s", err, v.stderr)
			}
		}
		r.ranges(v, d)
		r.verify(d)
		if n := len(v.list()); n != len(d.papers) {
			t.Errorf("%d documents are listed, want %d", n, len(d.papers))
		}
		if _, story := v.call(http.MethodGet, "/v1/documents/"+d.papers[0].id+"/history", nil,
			nil); !bytes.Contains(story, []byte("document.read/1")) {
			t.Errorf("the history has no read: %s", story)
		}
		if err := v.end(syscall.SIGTERM); err != nil {
			t.Errorf("it ends with %v\n%s", err, v.stderr)
		}
		if !v.start(nil) {
			t.Fatalf("the server did not start again\n%s", v.stderr)
		}
		d.remote = r.remote(v)
	}
	v.end(syscall.SIGTERM)
	v.fsck()
	for _, left := range []string{"release", "objects", "keys.json"} {
		if _, err := os.Lstat(filepath.Join(v.dir, left)); err == nil {
			t.Errorf("the data folder has %s", left)
		}
	}
}

// mainJob is the main job with documents of several sizes against a server.
type mainJob struct {
	remote *remote.Client
	policy string
	papers []*paper
}

// paper is a document of the main job.
type paper struct {
	title    string
	content  []byte
	id       string // once it was deposited
	evidence []byte // the evidence file
}

func (r *real) mainJob(v *victim, sizes []int64) *mainJob {
	r.t.Helper()
	c, err := newContent()
	if err != nil {
		r.t.Fatal(err)
	}
	j := &mainJob{remote: r.remote(v), policy: node.Folder(v.dir).Policy()}
	for _, n := range sizes {
		raw, err := io.ReadAll(c.reader(n))
		if err != nil {
			r.t.Fatal(err)
		}
		j.papers = append(j.papers, &paper{title: fmt.Sprintf("%d bytes", n), content: raw})
	}
	return j
}

// each does work for every document, several at once.
func (j *mainJob) each(ctx context.Context, work func(context.Context, *paper) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(callers)
	for _, p := range j.papers {
		g.Go(func() error {
			if err := work(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", p.title, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// deposit sends the documents, with the same idempotency keys each time.
func (j *mainJob) deposit(ctx context.Context) error {
	return j.each(ctx, func(ctx context.Context, p *paper) error {
		out, err := j.remote.Deposit(ctx, remote.Deposit{
			FileName: "file.bin", Title: p.title, IdempotencyKey: "main-job-" + p.title[:len(p.title)-len(" bytes")],
			Length: int64(len(p.content)), Content: bytes.NewReader(p.content),
		})
		if err == nil {
			p.id = out.ID
		}
		return err
	})
}

// anchor anchors the log on every ledger, which are embedded ones: their anchors are final at once.
func (j *mainJob) anchor(ctx context.Context) error {
	list, err := j.remote.AnchorNow(ctx)
	if err != nil {
		return err
	}
	for _, a := range list.Anchors {
		if a.State != openapi.Final {
			return fmt.Errorf("the anchor is %s", a.State)
		}
	}
	return nil
}

// read compares what comes back with what was sent.
func (j *mainJob) read(ctx context.Context) error {
	return j.each(ctx, func(ctx context.Context, p *paper) error {
		var back bytes.Buffer
		err := j.remote.Read(ctx, p.id, remote.ReadOptions{Purpose: "test"}, &back)
		if err == nil && !bytes.Equal(back.Bytes(), p.content) {
			err = errors.New("reads back otherwise than it was deposited")
		}
		return err
	})
}

// prove gets each document's evidence.
func (j *mainJob) prove(ctx context.Context) error {
	return j.each(ctx, func(ctx context.Context, p *paper) (err error) {
		p.evidence, err = j.remote.Evidence(ctx, p.id, true)
		return err
	})
}

func (r *real) remote(v *victim) *remote.Client {
	r.t.Helper()
	out, err := remote.New(v.url, v.token, remote.NewTransport(callers))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(out.Close)
	return out
}

// ranges reads the end of each document, across segments and parts, and some of its middle.
func (r *real) ranges(v *victim, d *mainJob) {
	r.t.Helper()
	for _, p := range d.papers {
		want, n := p.content, int64(len(p.content))
		for _, span := range [][2]int64{{0, 0}, {n / 2, n/2 + 70_000}, {n - 1_500_000, n - 1}, {n - 1, n - 1}} {
			if from, to := max(span[0], 0), min(span[1], n-1); from <= to && n > 0 {
				header := map[string]string{"Muniment-Purpose": "test", "Range": fmt.Sprintf("bytes=%d-%d", from, to)}
				resp, got := v.call(http.MethodGet, "/v1/documents/"+p.id+"/content", nil, header)
				if resp == nil || resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, want[from:to+1]) {
					r.t.Errorf("bytes %d to %d of %d: %v, and %d bytes that are not the document's",
						from, to, n, resp, len(got))
				}
			}
		}
	}
}

// verify runs the auditor's own program over evidence and documents.
func (r *real) verify(d *mainJob) {
	r.t.Helper()
	program := verifier(r.t)
	for _, p := range d.papers {
		r.write("document", string(p.content))
		r.write("evidence.json", string(p.evidence))
		out, err := exec.Command(program, filepath.Join(r.dir, "evidence.json"), filepath.Join(r.dir, "document"),
			"--policy", d.policy).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("ledger")) {
			r.t.Errorf("verifying %s: %v\n%s", p.title, err, out)
		}
	}
}

// TestRealCanary: what must stay secret is nowhere in the bucket's files, in Vault's storage, in its audit log, or in
// anything of ours.
func TestRealCanary(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	c := newCanaries(t)
	v := r.victim()
	if !v.start(nil, "MUNIMENT_LOG_LEVEL=debug") {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	header := map[string]string{
		"Muniment-File-Name": c["file name"] + ".txt", "Muniment-Title": c["title"],
		"Muniment-External-Id": c["external id"],
		"Muniment-Attribute":   c["attribute name"] + "=" + c["attribute"], "Idempotency-Key": c["external id"],
	}
	large := strings.Repeat(c["content"]+"\n", (6<<20)/len(c["content"])) // of two parts
	var id string
	for i, content := range []string{c["content"], large} {
		header["Muniment-External-Id"], header["Idempotency-Key"] = c["external id"]+fmt.Sprint(i),
			c["external id"]+fmt.Sprint(i)
		resp, body := v.call(http.MethodPost, "/v1/documents", []byte(content), header)
		if resp == nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("depositing: %v %s", resp, body)
		}
		id = resp.Header.Get("Muniment-Document-Id")
		reading := map[string]string{"Muniment-Purpose": "test", "Muniment-Purpose-Note": c["purpose note"]}
		if _, got := v.call(http.MethodGet, "/v1/documents/"+id+"/content", nil, reading); string(got) != content {
			t.Fatalf("reading: %d bytes", len(got))
		}
	}
	if _, body := v.call(http.MethodGet, "/v1/documents/"+id, nil, nil); !bytes.Contains(body, []byte(c["title"])) {
		t.Fatalf("the canary was not taken in: %s", body)
	}
	v.call(http.MethodPost, "/v1/anchors", nil, nil)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v", err)
	}
	c.look(t, "the log", []byte(v.stderr.String()))
	for place, least := range map[string]int{r.s3.Dir: 4, r.vault.Dir: 10, v.dir: 3,
		filepath.Dir(r.vault.AuditLog): 1} {
		if n := c.lookThrough(t, place); n < least {
			t.Errorf("%d files found in %s, want %d or more", n, place, least)
		}
	}
}

// lookThrough looks for the canaries in every file under a folder and in its name, and returns how many files there
// are.
func (c canaries) lookThrough(t *testing.T, folder string) (files int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		c.look(t, "a file's name", []byte(path))
		if !e.Type().IsRegular() {
			return nil
		}
		files++
		raw, err := os.ReadFile(path)
		c.look(t, path, raw)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return files
}

// TestRealTwoServers: of two servers that find the same empty buckets, one has them, and the other says so, writes
// nothing and does not serve.
func TestRealTwoServers(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	t.Run("after it has looked", func(t *testing.T) {
		r := newReal(t)
		r.configure("second")
		v := r.victim()
		s, err := node.OpenStorageIf(t.Context(), r.config("second"), log, func(node.State) error {
			if !v.start(nil) {
				t.Errorf("the first server did not start\n%s", v.stderr)
			}
			return nil
		})
		if err == nil {
			t.Fatal("the second server has the buckets", s.Close())
		}
		next, _ := cli.HintOf(err)
		if !errors.Is(err, objects.ErrOwned) || !strings.Contains(next, "nothing was written") {
			t.Errorf("the second server says: %v", err)
		}
		v.load("after", 2)
		v.checkPromise()
		v.end(syscall.SIGTERM)
		v.fsck()
	})
	t.Run("after it has claimed them", func(t *testing.T) {
		r := newReal(t)
		r.configure("second")
		v := r.victim()
		n, err := node.Open(t.Context(), r.config("second"), log, node.OpenStorage)
		if err != nil {
			t.Fatal(err)
		}
		v.refuses([]string{"serve", "--config", v.config, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
			"the release bucket has a journal")
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRealOthersBuckets: a wrong line in a configuration names another installation's bucket. The server with it is
// refused before it writes anything, whatever else is right, and the healthy one goes on.
func TestRealOthersBuckets(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("before", 2)
	r.bucket("release-2", false)
	r.bucket("documents-2", true)
	config := r.configure("second")
	r.rename(config, "release_bucket: release", "release_bucket: release-2")
	r.rename(config, "bucket: documents", "bucket: documents-2")
	second := &victim{t: t, dir: filepath.Join(r.dir, "second"), program: v.program, sent: v.sent, config: config}
	serve := []string{"serve", "--config", config, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	for _, founded := range []bool{false, true} {
		if founded {
			if !second.start(nil) {
				t.Fatalf("the second server did not start\n%s", second.stderr)
			}
			second.end(syscall.SIGTERM)
		}
		for _, wrong := range [][2]string{
			{"bucket: documents-2", "bucket: documents"}, {"release_bucket: release-2", "release_bucket: release"},
		} {
			r.rename(config, wrong[0], wrong[1])
			before := r.listing()
			second.refuses(serve, "→")
			if diff := cmp.Diff(before, r.listing()); diff != "" {
				t.Errorf("with %q, founded %v, it has written:\n%s", wrong[1], founded, diff)
			}
			r.rename(config, wrong[1], wrong[0])
		}
	}
	v.load("after", 2)
	v.checkPromise()
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	v.fsck()
}

// TestRealStarts: what is missing or wrong is named at the start, with what to do.
func TestRealStarts(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("before", 2)
	v.end(syscall.SIGTERM)
	r.bucket("empty", false)
	r.bucket("unlocked", false)
	r.bucket("foreign", false)
	r.bucket("unused", false)
	r.put("foreign", "batch/what-is-left")
	r.write("public-secret", "secret")
	if err := os.Chmod(filepath.Join(r.dir, "public-secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, data, from, to, want string }{
		{"no bucket", "new", "bucket: documents", "bucket: nowhere", "nowhere"},
		{"the documents' bucket has no lock", "new", "bucket: documents", "bucket: unlocked",
			"the bucket has no versioning"},
		{"the release bucket keeps versions", "new", "release_bucket: release", "release_bucket: documents2",
			"keeps versions"},
		{"the release bucket is another program's", "new", "release_bucket: release", "release_bucket: foreign",
			"no journal's head"},
		{"the release bucket is another", "data", "release_bucket: release", "release_bucket: empty",
			"the release bucket empty has no head of one"},
		{"the secret key is wrong", "new", "secret_key_file: secret-key", "secret_key_file: role-id", "secret"},
		{"everybody can read the secret", "new", "secret_key_file: secret-key", "secret_key_file: public-secret",
			"chmod 600"},
		{"no such Vault role", "new", "role_id: ", "role_id: x", "role"},
		{"no such mount", "new", "address:", "mount: nowhere\n    address:", "nowhere"},
		{"no signing keys", "new", "address:", "prefix: other\n    address:", "other-checkpoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.HasSuffix(test.to, "documents2") {
				r.bucket("documents2", true)
			}
			r.configure(test.data)
			raw, err := os.ReadFile(filepath.Join(r.dir, test.data+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(test.from, "release_bucket") {
				raw = bytes.Replace(raw, []byte("release_bucket: release"), []byte("release_bucket: unused"), 1)
			}
			text := strings.Replace(string(raw), test.from, test.to, 1)
			if text == string(raw) {
				t.Fatal("the test changes nothing")
			}
			r.write(test.data+".yaml", text)
			said := started(t, filepath.Join(r.dir, test.data+".yaml"))
			t.Log(said)
			if !strings.Contains(said, test.want) {
				t.Errorf("it does not say %s", test.want)
			}
			if _, err := os.Lstat(filepath.Join(r.dir, "new", "first-start")); err == nil {
				t.Error("what a start that was refused has left behind stands in the way of the next")
			}
		})
	}
}

// TestRealRestore: a server whose folder is lost comes back from the release bucket when it is told to, proved by the
// checkpoint that is locked in the documents' bucket; from a bucket that was put back to an earlier time it does not.
func TestRealRestore(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("early", 2)
	v.end(syscall.SIGTERM)
	early := r.released(nil)
	if !v.start(nil) {
		t.Fatalf("the server did not start again\n%s", v.stderr)
	}
	v.load("before", 5)
	v.end(syscall.SIGTERM)
	if err := os.RemoveAll(v.dir); err != nil {
		t.Fatal(err)
	}
	v.refuses([]string{"serve", "--config", v.config}, "has no journal.db", "run muniment restore")
	whole := r.released(early)
	v.refuses([]string{"restore", "--config", v.config}, "is locked in the documents' store, which is beyond its end")
	v.refuses([]string{"restore", "--config", v.config, "--no-outside-head"}, "is locked in the documents' store")
	r.released(whole)
	for range 2 {
		v.does([]string{"restore", "--config", v.config, "--if-missing"})
	}
	if !v.start(nil) {
		t.Fatalf("it does not start again\n%s", v.stderr)
	}
	for key, before := range v.acked { // a retry finds the document by its key: the index is back
		if !v.deposit(key) || v.acked[key].ID != before.ID {
			t.Errorf("the retry of %s made another document", key)
		}
	}
	v.checkPromise()
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
	v.fsck()
}

// TestRealCrash kills the server under load, again and again over the same data.
func TestRealCrash(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	r := newReal(t)
	v := r.victim()
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	for round := range 6 {
		gone := make(chan struct{})
		enough := len(v.sent) + 5 + 7*round
		go func() {
			defer close(gone)
			v.load(fmt.Sprintf("round-%d", round), 1<<20)
		}()
		processtest.Await(t, "enough deposits are acknowledged", func() bool {
			select {
			case <-gone:
				t.Fatalf("it went by itself\n%s", v.stderr)
			default:
			}
			return v.known() >= enough
		})
		if err := v.end(syscall.SIGKILL); !killed(err) {
			t.Errorf("it ended with %v", err)
		}
		<-gone
		if !v.start(nil) {
			t.Fatalf("after round %d it does not start\n%s", round, v.stderr)
		}
		v.checkPromise()
	}
	t.Logf("%d documents", len(v.sent))
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v\n%s", err, v.stderr)
	}
	v.fsck()
}

// known is how many deposits are answered, or were.
func (v *victim) known() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.acked)
}
