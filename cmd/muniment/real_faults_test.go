package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muniment/anchor/proxytest"
	"muniment/openapi"
)

// answer is how the server took a request.
type answer struct {
	status  int
	code    string // the last element of the problem's type; "" when all is well
	retry   bool
	after   string // Retry-After
	body    []byte
	took    time.Duration
	problem string // for messages
}

// ask makes a request and reads the problem, if it is one.
func (v *victim) ask(method, path string, content []byte, header map[string]string) answer {
	v.t.Helper()
	began := time.Now()
	resp, body := v.call(method, path, content, header)
	if resp == nil {
		return answer{took: time.Since(began)}
	}
	a := answer{status: resp.StatusCode, after: resp.Header.Get("Retry-After"), body: body, took: time.Since(began)}
	if resp.StatusCode >= http.StatusBadRequest {
		var p openapi.Problem
		if err := json.Unmarshal(body, &p); err != nil {
			v.t.Errorf("%s %s is %d, and no problem: %s", method, path, a.status, body)
		}
		a.code, a.retry, a.problem = p.Type[strings.LastIndexByte(p.Type, '/')+1:], p.Retry, string(body)
	}
	return a
}

// send deposits the content of a key once; what comes of it is the caller's to judge.
func (v *victim) send(key string, n int) answer {
	v.t.Helper()
	v.sent[key] = bytes.Repeat([]byte(key+"\n"), n/(len(key)+1)+1)[:n]
	a := v.ask(http.MethodPost, "/v1/documents", v.sent[key],
		map[string]string{"Idempotency-Key": key, "Muniment-Title": key})
	if a.status == http.StatusCreated || a.status == http.StatusOK {
		var d ack
		if err := json.Unmarshal(a.body, &d); err != nil {
			v.t.Fatal(err)
		}
		v.acked[key] = d
	}
	return a
}

// recover repeats a deposit until it is taken. The server must come to that by itself.
func (v *victim) recover(key string, n int) {
	v.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for {
		a := v.send(key, n)
		if a.status == http.StatusCreated || a.status == http.StatusOK {
			v.checkContent(key, v.acked[key].ID)
			return
		}
		if time.Now().After(end) {
			v.t.Fatalf("%s is still refused when the fault is over: %d %s\n%s", key, a.status, a.problem, v.stderr)
		}
	}
}

// upshot is what a deposit under a fault comes to.
type upshot struct {
	code  string // "": it is taken
	retry bool
}

var (
	taken       = upshot{}
	storeDown   = upshot{"object-store-unavailable", true}
	keysDown    = upshot{"key-service-unavailable", true}
	keysRefuse  = upshot{"key-service-denies", false}
	notReleased = upshot{"unreleased", true}
)

// want fails the test unless the answer is the outcome.
func (a answer) want(t *testing.T, what string, want upshot) {
	t.Helper()
	switch {
	case want == taken:
		if a.status >= http.StatusBadRequest || a.status == 0 {
			t.Errorf("%s is %d: %s", what, a.status, a.problem)
		}
	case a.status != http.StatusServiceUnavailable || a.code != want.code || a.retry != want.retry ||
		(a.after != "") != want.retry:
		t.Errorf("%s is %d %q, retry %t after %q; want 503 %q, retry %t: %s",
			what, a.status, a.code, a.retry, a.after, want.code, want.retry, a.problem)
	}
}

// strike is a fault in front of one of the servers, and what a deposit under it comes to.
type strike struct {
	name  string
	fault proxytest.Fault
	size  int
	want  upshot
}

const (
	smallDocument  = 10 << 10
	streamDocument = 7 << 20  // is sent while it comes in
	largeDocument  = 11 << 20 // of three parts
)

// TestRealStoreFaults: each fault between us and the object store, before and after it took effect. A fault that
// passes is not noticed; one that lasts is answered 503, and the retry leaves exactly one document.
func TestRealStoreFaults(t *testing.T) {
	long(t, realServers)
	t.Parallel()
	documents := proxytest.On(http.MethodPut, "/"+documentsBucket+"/")
	head := proxytest.On(http.MethodPut, "/"+releaseBucket+"/head")
	var strikes []strike
	for _, kind := range []proxytest.Kind{proxytest.Answer, proxytest.AnswerAfter, proxytest.Reset,
		proxytest.ResetAfter, proxytest.Hang, proxytest.HangAfter} {
		strikes = append(strikes,
			strike{"put, once", proxytest.Fault{Kind: kind, Match: documents}, smallDocument, taken},
			strike{"head, once", proxytest.Fault{Kind: kind, Match: head}, smallDocument, taken},
		)
	}
	strikes = append(strikes,
		strike{"part, once", proxytest.Fault{Kind: proxytest.Reset, Match: documents, Skip: 1}, largeDocument, taken},
		strike{"part, once", proxytest.Fault{Kind: proxytest.HangAfter, Match: documents, Skip: 1}, largeDocument,
			taken},
		strike{"put, for long", proxytest.Fault{Kind: proxytest.Answer, Match: documents, Times: -1}, smallDocument,
			storeDown},
		strike{"put, for long", proxytest.Fault{Kind: proxytest.Hang, Match: documents, Times: -1}, smallDocument,
			storeDown},
		// A put that took effect is found by its mark, however often its answer is lost.
		strike{"put, for long", proxytest.Fault{Kind: proxytest.ResetAfter, Match: documents, Times: -1},
			smallDocument, taken},
		strike{"storm of 503", proxytest.Fault{Times: 3}, smallDocument, taken},
		strike{"429 with Retry-After",
			proxytest.Fault{Match: documents, Status: 429, Header: http.Header{"Retry-After": {"1"}}}, smallDocument,
			taken},
		strike{"part cut", proxytest.Fault{Kind: proxytest.CutRequest, Match: documents, Bytes: 100_000},
			largeDocument, taken},
		strike{"part stalled", proxytest.Fault{Kind: proxytest.StallUpload, Match: documents, Bytes: 100_000},
			largeDocument, taken},
		// A body that is sent on while it comes in cannot be sent again by us.
		strike{"stream cut", proxytest.Fault{Kind: proxytest.CutRequest, Match: documents, Bytes: 6 << 20},
			streamDocument, storeDown},
		strike{"stream stalled", proxytest.Fault{Kind: proxytest.StallUpload, Match: documents, Bytes: 6 << 20},
			streamDocument, storeDown},
		strike{"stream, answer lost", proxytest.Fault{Kind: proxytest.ResetAfter, Match: documents}, streamDocument,
			taken},
		strike{"complete, answer lost",
			proxytest.Fault{Kind: proxytest.ResetAfter, Match: proxytest.On(http.MethodPost, "uploadId=")},
			largeDocument, taken},
		strike{"head, for long", proxytest.Fault{Match: head, Times: -1}, smallDocument, notReleased},
	)
	trials := []trial{{"reads", func(r *real, v *victim) {
		r.readFaults(v)
		r.storeGone(v)
	}}}
	for i, s := range strikes {
		trials = append(trials, trial{fmt.Sprintf("%s %s", s.fault.Kind, s.name), func(r *real, v *victim) {
			v.suffer(r.s3Proxy, fmt.Sprintf("strike-%d", i), s)
		}})
	}
	sideBySide(t, trials)
}

// suffer deposits under a fault, and again when it is over.
func (v *victim) suffer(proxy *proxytest.Proxy, key string, s strike) {
	v.t.Helper()
	in := proxy.Inject(s.fault)
	v.send(key, s.size).want(v.t, "the deposit", s.want)
	if in.Struck() == 0 {
		v.t.Error("the fault struck nothing")
	}
	in.Remove()
	v.recover(key, s.size)
}

// trial is something that a server over real ones goes through.
type trial struct {
	name string
	do   func(*real, *victim)
}

// sideBySide lets several servers, each over an object store and a Vault of its own, go through all trials, since most
// of a fault's time is waiting. Afterwards each server must have kept its promise.
func sideBySide(t *testing.T, trials []trial) {
	t.Helper()
	var vaults []*victim
	var at sync.WaitGroup
	next := make(chan trial)
	for range 3 {
		r := newReal(t)
		v := r.victim()
		if !v.start(nil) {
			t.Fatalf("the server did not start\n%s", v.stderr)
		}
		vaults = append(vaults, v)
		at.Go(func() {
			for c := range next {
				t.Run(c.name, func(t *testing.T) {
					r.t, v.t = t, t
					c.do(r, v)
				})
			}
		})
	}
	for _, c := range trials {
		next <- c
	}
	close(next)
	at.Wait()
	for _, v := range vaults {
		v.t = t
		v.checkPromise()
		if err := v.end(syscall.SIGTERM); err != nil {
			t.Errorf("it ends with %v\n%s", err, v.stderr)
		}
		v.fsck()
	}
}

// readFaults cuts and stalls what is read: a client never gets a clean end of anything but the whole document.
func (r *real) readFaults(v *victim) {
	r.t.Helper()
	v.recover("small", smallDocument)
	v.recover("large", largeDocument)
	get := proxytest.On(http.MethodGet, "/"+documentsBucket+"/")
	for _, f := range []proxytest.Fault{
		{Kind: proxytest.Answer}, {Kind: proxytest.Reset}, {Kind: proxytest.CutAnswer},
		{Kind: proxytest.StallAnswer},
		{Kind: proxytest.Answer, Times: -1}, {Kind: proxytest.CutAnswer, Times: -1},
	} {
		for key, before := range map[string]int64{"small": 0, "large": 3 << 20} {
			f.Match, f.Bytes = get, before
			in := r.s3Proxy.Inject(f)
			whole, clean := v.read(key)
			if clean && !whole {
				r.t.Errorf("%s of %s: the end was clean, and the document was not whole", f.Kind, key)
			}
			if passes := f.Times == 0; passes != whole && (f.Kind == proxytest.Answer || passes) {
				r.t.Errorf("%s of %s, for ever %t: whole is %t", f.Kind, key, !passes, whole)
			}
			if in.Struck() == 0 {
				r.t.Errorf("%s of %s struck nothing", f.Kind, key)
			}
			in.Remove()
			v.checkContent(key, v.acked[key].ID)
		}
	}
	if log := v.stderr.String(); strings.Contains(log, "not what was recorded") {
		r.t.Errorf("a connection that was lost raised an alarm:\n%s", log)
	}
}

// read reads a document, and says whether it got all of it and whether the answer ended cleanly as a success.
func (v *victim) read(key string) (whole, clean bool) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet,
		v.url+"/v1/documents/"+v.acked[key].ID+"/content", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	req.Header.Set("Muniment-Purpose", "test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, false
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return bytes.Equal(got, v.sent[key]), err == nil && resp.StatusCode == http.StatusOK
}

// storeGone: while the store cannot be reached, what needs no content goes on.
func (r *real) storeGone(v *victim) {
	r.t.Helper()
	id := v.acked["small"].ID
	r.s3Proxy.Down()
	v.send("gone", smallDocument).want(r.t, "depositing without a store", storeDown)
	purpose := map[string]string{"Muniment-Purpose": "test"}
	v.ask(http.MethodGet, "/v1/documents/"+id+"/content", nil, purpose).want(r.t, "reading without a store", storeDown)
	v.goesOn(id, false)
	r.s3Proxy.Up()
	v.recover("gone", smallDocument)
}

// goesOn sees that what needs neither store nor keys is served, the sealed fields of descriptions apart.
func (v *victim) goesOn(id string, withheld bool) {
	v.t.Helper()
	checkpoint := string(v.ask(http.MethodGet, "/v1/journal/checkpoint", nil, nil).body)
	_, rest, _ := strings.Cut(checkpoint, "\n")
	size, _, _ := strings.Cut(rest, "\n")
	for _, path := range []string{
		"/v1/documents/" + id, "/v1/documents?limit=5", "/v1/documents/" + id + "/evidence",
		"/v1/documents/" + id + "/history",
		"/v1/journal/entries?after=0&limit=5", "/v1/journal/checkpoint", "/v1/anchors", tilePath(v.t, size),
	} {
		a := v.ask(http.MethodGet, path, nil, nil)
		a.want(v.t, path, taken)
		describes := path == "/v1/documents/"+id || strings.HasPrefix(path, "/v1/documents?")
		if hidden := bytes.Contains(a.body, []byte(`"withheld_because":"key-service"`)); hidden != (withheld &&
			describes) {
			v.t.Errorf("%s: sealed fields withheld is %t: %s", path, hidden, a.body)
		}
	}
}

// tilePath is the path of a tile of a tree of that size.
func tilePath(t *testing.T, size string) string {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(size, &n); err != nil {
		t.Fatalf("no checkpoint: %q", size)
	}
	if n >= 256 {
		return "/v1/journal/tile/0/000"
	}
	return fmt.Sprintf("/v1/journal/tile/0/000.p/%d", n)
}
