package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault"
)

// noise is content that does not repeat.
func noise(size int) []byte {
	out := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(out) // never fails
	return out
}

func TestContent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, size := range []int{0, 1, 1000, 1 << 20, 1<<20 + 1, 3<<20 + 17} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			content := noise(size)
			d := r.deposit(content, with("Content-Type", "application/pdf"),
				with("Muniment-File-Name", "UTF-8''%C3%BC%22.pdf"))
			path := "/v1/documents/" + d.ID + "/content"
			a := r.do(http.MethodGet, path, nil, with("Muniment-Purpose", "audit"),
				with("Muniment-Purpose-Note", "UTF-8''Pr%C3%BCfung"))
			if a.status != http.StatusOK || !bytes.Equal(a.body, content) {
				t.Fatalf("%d, %d bytes", a.status, len(a.body))
			}
			for name, want := range map[string]string{
				"Content-Type": "application/pdf", "Content-Length": strconv.Itoa(size), "Accept-Ranges": "bytes",
				"Content-Disposition":     `attachment; filename="__.pdf"; filename*=UTF-8''%C3%BC%22.pdf`,
				"Cache-Control":           "private, no-store",
				"Content-Security-Policy": "sandbox; default-src 'none'",
				"X-Content-Type-Options":  "nosniff",
				"ETag":                    `"` + d.ID + `"`,
			} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s is %q, not %q", name, got, want)
				}
			}
		})
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := noise(2<<20 + 100)
	size := len(content)
	d := r.deposit(content, with("Content-Type", "application/pdf"))
	path := "/v1/documents/" + d.ID + "/content?purpose=audit"
	etag := `"` + d.ID + `"`
	for _, c := range []struct {
		header, ifRange string
		want            [][2]int // offset, length; nil: everything, as 200
	}{
		{header: "bytes=0-0", want: [][2]int{{0, 1}}},
		{header: "bytes=0-", want: [][2]int{{0, size}}},
		{header: "bytes=-100", want: [][2]int{{size - 100, 100}}},
		{header: "bytes=-99999999999999999999", want: [][2]int{{0, size}}},
		{header: fmt.Sprintf("bytes=%d-99999999999999999999", size-1), want: [][2]int{{size - 1, 1}}},
		{header: "Bytes=1048570-1048590", want: [][2]int{{1048570, 21}}},
		{header: "bytes=0-9, 20-29", want: [][2]int{{0, 10}, {20, 10}}},
		{header: "bytes=20-29,0-9,5-11", want: [][2]int{{0, 12}, {20, 10}}},
		{header: "bytes=0-9,10-19", want: [][2]int{{0, 20}}},
		{header: fmt.Sprintf("bytes=0-9,%d-", size), want: [][2]int{{0, 10}}},
		{header: "bytes=0-9", ifRange: etag, want: [][2]int{{0, 10}}},
		{header: "bytes=0-9", ifRange: `"other"`},
		{header: "bytes=0-9", ifRange: "W/" + etag},
		{header: "bytes=0-9", ifRange: "Sun, 22 Nov 2026 11:20:32 GMT"},
		{header: "items=0-9"},
	} {
		t.Run(c.header, func(t *testing.T) {
			a := r.do(http.MethodGet, path, nil, with("Range", c.header), with("If-Range", c.ifRange))
			if c.want == nil {
				if a.status != http.StatusOK || !bytes.Equal(a.body, content) {
					t.Errorf("%d, %d bytes", a.status, len(a.body))
				}
				return
			}
			if a.status != http.StatusPartialContent || a.header.Get("Content-Length") != strconv.Itoa(len(a.body)) {
				t.Fatalf("%d, length %s of %d", a.status, a.header.Get("Content-Length"), len(a.body))
			}
			var want, got []part
			for _, span := range c.want {
				want = append(want, part{
					fmt.Sprintf("bytes %d-%d/%d", span[0], span[0]+span[1]-1, size), content[span[0] : span[0]+span[1]],
				})
			}
			got = parts(t, a)
			// Not go-cmp, which takes seconds over megabytes.
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%d parts are not the %d wanted", len(got), len(want))
			}
		})
	}
}

// part is one range of an answer.
type part struct {
	Range string
	Body  []byte
}

// parts takes an answer of one range or several apart.
func parts(t *testing.T, a answer) []part {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/byteranges" {
		return []part{{a.header.Get("Content-Range"), a.body}}
	}
	var out []part
	reader := multipart.NewReader(bytes.NewReader(a.body), parameters["boundary"])
	for {
		p, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("a part is %q", p.Header.Get("Content-Type"))
		}
		out = append(out, part{p.Header.Get("Content-Range"), body})
	}
}

// TestEmptyContentHasNoRanges asks for bytes of nothing.
func TestEmptyContentHasNoRanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit(nil)
	for _, header := range []string{"bytes=0-0", "bytes=-1", "bytes=0-"} {
		a := r.do(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=audit", nil, with("Range", header))
		if a.problem() != "bad-range" || a.header.Get("Content-Range") != "bytes */0" {
			t.Errorf("%s: %d %q", header, a.status, a.header.Get("Content-Range"))
		}
	}
}

// TestRefusedRangesAreNotOnRecord shows that a range outside leaves no event of a read.
func TestRefusedRangesAreNotOnRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.deposit([]byte("0123456789"))
	r.do(http.MethodGet, "/v1/documents/"+d.ID+"/content?purpose=audit", nil, with("Range", "bytes=10-"))
	id, err := journal.ParseID(d.ID)
	if err != nil {
		t.Fatal(err)
	}
	story, err := r.vault.History(context.Background(), r.who, id, 0, vault.MaxHistory)
	if err != nil || len(story.Records) != 1 {
		t.Errorf("the story has %d events, %v", len(story.Records), err)
	}
}

// TestDamagedContent flips one bit of the ciphertext. A small document is a problem, and so is a large one whose
// beginning is damaged; of others the connection breaks, and nothing that was sent before is wrong.
func TestDamagedContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size, tenths int // where to flip
		problem      bool
	}{{1000, 5, true}, {4 << 20, 1, true}, {4 << 20, 8, false}} {
		for _, header := range []string{"", "bytes=0-"} {
			size := c.size
			t.Run(fmt.Sprint(size, c.tenths, header), func(t *testing.T) {
				r := newRig(t)
				before := r.stored()
				content := noise(size)
				d := r.deposit(content)
				for _, path := range r.stored() {
					if !slices.Contains(before, path) {
						flip(t, path, size, c.tenths)
					}
				}
				req, err := http.NewRequest(http.MethodGet, r.url+"/v1/documents/"+d.ID+"/content?purpose=audit", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+r.token)
				if header != "" {
					req.Header.Set("Range", header)
				}
				res, err := r.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, err := io.ReadAll(res.Body)
				if c.problem {
					a := answer{res.StatusCode, res.Header, got}
					if a.status != http.StatusInternalServerError || a.problem() != "damaged" ||
						a.header.Get("ETag") != "" {
						t.Errorf("%d %s", a.status, a.body)
					}
					return
				}
				if err == nil || len(got) == 0 || len(got) >= size || !bytes.HasPrefix(content, got) {
					t.Errorf("%d bytes of %d came, ending with %v", len(got), size, err)
				}
				if !strings.Contains(r.log.String(), `"problem":"damaged"`) {
					t.Error("the log does not say why")
				}
			})
		}
	}
}

// flip flips a bit, so many tenths into a file that holds ciphertext of so much content; other files are left alone.
func flip(t *testing.T, path string, size, tenths int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < size {
		return
	}
	data[len(data)*tenths/10] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
