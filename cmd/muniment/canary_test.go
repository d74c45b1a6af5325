package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"
)

// canaries are values that may appear in no place but the answers that are meant to hold them.
type canaries map[string]string

func newCanaries(t *testing.T) canaries {
	t.Helper()
	c := canaries{}
	for _, where := range []string{"content", "file name", "title", "external id", "attribute", "attribute name",
		"purpose note"} {
		raw := make([]byte, 12)
		if _, err := rand.Read(raw); err != nil {
			t.Fatal(err)
		}
		c[where] = "canary" + hex.EncodeToString(raw)
	}
	return c
}

// traces are the forms in which a value could show.
func traces(value string) map[string][]byte {
	sum := sha256.Sum256([]byte(value))
	out := map[string][]byte{
		"raw": []byte(value), "hex": []byte(hex.EncodeToString([]byte(value))),
		"HEX":     []byte(strings.ToUpper(hex.EncodeToString([]byte(value)))),
		"SHA-256": sum[:], "SHA-256 in hex": []byte(hex.EncodeToString(sum[:])),
		"SHA-256 in base64":    []byte(base64.StdEncoding.EncodeToString(sum[:])),
		"SHA-256 in base64url": []byte(base64.RawURLEncoding.EncodeToString(sum[:])),
	}
	for i, shift := range []string{"at 0", "at 1", "at 2"} { // where the value stands decides how its base64 looks
		padded := append(make([]byte, i), value...)
		encoded := base64.StdEncoding.EncodeToString(padded)
		out["base64 "+shift] = []byte(encoded[(i*8+5)/6 : (len(padded)*8)/6])
	}
	var little, big []byte
	for _, unit := range utf16.Encode([]rune(value)) {
		little = binary.LittleEndian.AppendUint16(little, unit)
		big = binary.BigEndian.AppendUint16(big, unit)
	}
	out["UTF-16LE"], out["UTF-16BE"] = little, big
	return out
}

// look fails the test for each trace of a canary in what was found at a place.
func (c canaries) look(t *testing.T, place string, found []byte) {
	t.Helper()
	for where, value := range c {
		for form, trace := range traces(value) {
			if bytes.Contains(found, trace) {
				t.Errorf("%s has the canary of the %s (%s)", place, where, form)
			}
		}
	}
}

// TestCanary puts values that must stay secret into every field of a deposit, lets everything happen to it that can,
// and looks for them in the log at its most talkative, in metrics, in problems, in what is public, and in every file
// and its name.
func TestCanary(t *testing.T) {
	long(t, processes)
	t.Parallel()
	c := newCanaries(t)
	encoded := base64.StdEncoding.EncodeToString([]byte("\x00x" + c["title"]))
	if form := traces("x" + c["title"])["base64 at 1"]; !bytes.Contains([]byte(encoded), form) {
		t.Fatalf("the test would not find base64: %s", form)
	}
	v := newVictim(t, "muniment")
	if !v.start(nil, "MUNIMENT_LOG_LEVEL=debug") {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	header := map[string]string{
		"Muniment-File-Name": c["file name"] + ".txt", "Muniment-Title": c["title"],
		"Muniment-External-Id": c["external id"],
		"Muniment-Attribute":   c["attribute name"] + "=" + c["attribute"], "Idempotency-Key": c["external id"],
	}
	reading := map[string]string{"Muniment-Purpose": "test", "Muniment-Purpose-Note": c["purpose note"]}
	resp, body := v.call(http.MethodPost, "/v1/documents", []byte(c["content"]), header)
	if resp == nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("depositing: %v %s", resp, body)
	}
	id := resp.Header.Get("Muniment-Document-Id")
	if _, body := v.call(http.MethodGet, "/v1/documents/"+id, nil, nil); !bytes.Contains(body, []byte(c["title"])) {
		t.Fatalf("the canary was not taken in: %s", body)
	}
	v.call(http.MethodPost, "/v1/anchors", nil, nil)
	with := func(key, value string) map[string]string {
		out := map[string]string{}
		for k, old := range header {
			out[k] = old
		}
		out[key] = value
		return out
	}
	content := []byte(c["content"])
	for _, call := range []struct {
		method, path string
		content      []byte
		header       map[string]string
		want         int
		secret       bool // the answer is meant to hold what the canary stands for
	}{
		{http.MethodGet, "/v1/documents/" + id + "/content", nil, reading, 200, true},
		{http.MethodGet, "/v1/documents?limit=10", nil, nil, 200, true},
		{http.MethodGet, "/v1/documents/by-external-id/" + c["external id"], nil, nil, 200, true},
		{http.MethodPost, "/v1/documents", content, header, 200, true},
		{http.MethodGet, "/v1/documents/" + id + "/evidence", nil, nil, 200, false},
		{http.MethodGet, "/v1/documents/" + id + "/history", nil, nil, 200, false},
		{http.MethodGet, "/v1/journal/entries?after=0", nil, nil, 200, false},
		{http.MethodGet, "/v1/journal/checkpoint", nil, nil, 200, false},
		{http.MethodPost, "/v1/documents", []byte(c["content"] + "other"), header, 422, false},
		{http.MethodPut, "/v1/documents/by-external-id/" + c["external id"], []byte(c["content"] + "other"), nil, 409,
			false},
		{http.MethodPost, "/v1/documents", content,
			with("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(make([]byte, 32))+":"), 422, false},
		{http.MethodPost, "/v1/documents", content, with("Muniment-File-Name", "../"+c["file name"]), 422, false},
		{http.MethodPost, "/v1/documents", content, with("Muniment-Series", c["title"]), 422, false},
		{http.MethodGet, "/v1/documents?cursor=" + c["title"], nil, nil, 400, false},
		{http.MethodGet, "/v1/documents/" + c["title"], nil, nil, 0, false},
		{http.MethodGet, "/v1/" + c["title"] + "?" + c["title"] + "=" + c["content"], nil, reading, 404, false},
		{http.MethodGet, "/v1/documents/by-external-id/" + c["title"], nil, nil, 404, false},
		{http.MethodPost, "/v1/verify", content, nil, 0, false},
		{c["title"], "/v1/documents", content, header, 0, false},
	} {
		resp, body := v.call(call.method, call.path, call.content, call.header)
		if resp == nil || call.want != 0 && resp.StatusCode != call.want {
			t.Errorf("%s %s: %v %s, want %d", call.method, call.path, resp, body, call.want)
			continue
		}
		if !call.secret {
			c.look(t, "the answer to "+call.method+" "+call.path, body)
		}
	}
	c.look(t, "the metrics", v.admin("/metrics"))
	c.look(t, "readyz", v.admin("/readyz"))
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Errorf("it ends with %v", err)
	}
	c.look(t, "the log", []byte(v.stderr.String()))
	files := 0
	err := filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		c.look(t, "a file's name", []byte(path))
		if d.IsDir() {
			return nil
		}
		files++
		raw, err := os.ReadFile(path)
		c.look(t, path, raw)
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files were read, %v", files, err)
	}
}

// admin reads from the admin port, whose address the log has.
func (v *victim) admin(path string) []byte {
	v.t.Helper()
	_, rest, ok := strings.Cut(v.stderr.String(), "admin=")
	if !ok {
		v.t.Fatalf("the log does not name the admin port:\n%s", v.stderr)
	}
	address, _, _ := strings.Cut(rest, " ")
	public := v.url
	v.url = address
	defer func() { v.url = public }()
	resp, body := v.call(http.MethodGet, path, nil, nil)
	if resp == nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %v %s", path, resp, body)
	}
	return body
}
