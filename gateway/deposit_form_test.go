package gateway_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muniment/gateway"
	"muniment/gateway/problem"
	"muniment/openapi"
)

// crlf writes a body with line ends as MIME wants them.
func crlf(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

const (
	metadataHead = "--b\nContent-Disposition: form-data; name=\"metadata\"\nContent-Type: application/json\n\n"
	fileHead     = "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"deed.txt\"\nContent-Type: " +
		"text/plain\n\n"
	aForm = metadataHead + `{"title":"A deed"}` + "\n" + fileHead + "the content\n--b--\n"
)

func firstLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// send sends a form whose boundary is b.
func (r *rig) send(body []byte, change ...func(*http.Request)) answer {
	change = append([]func(*http.Request){with("Content-Type", "multipart/form-data; boundary=b")}, change...)
	return r.do(http.MethodPost, "/v1/documents", bytes.NewReader(body), change...)
}

func TestForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sum := sha256.Sum256([]byte("the content"))
	for name, c := range map[string]struct {
		body                   string
		fileName, title, media string
	}{
		"metadata and file":   {aForm, "deed.txt", "A deed", "text/plain"},
		"file alone":          {fileHead + "the content\n--b--\n", "deed.txt", "", "text/plain"},
		"no final line break": {strings.TrimSuffix(aForm, "\n"), "deed.txt", "A deed", "text/plain"},
		"preamble, epilogue":  {"to people\n" + aForm + "to people\n", "deed.txt", "A deed", "text/plain"},
		"metadata wins": {metadataHead + `{"file_name":"b.txt","media_type":"text/html"}` + "\n" + fileHead +
			"the content\n--b--\n",
			"b.txt", "", "text/html"},
		"called content": {strings.Replace(aForm, `"file"`, `"content"`, 1), "deed.txt", "A deed", "text/plain"},
		"quoted name": {strings.Replace(aForm, "deed.txt", "a %22deed%22.txt", 1), `a "deed".txt`, "A deed",
			"text/plain"},
		"name in UTF-8": {strings.Replace(aForm, "deed.txt", "naïve.txt", 1), "naïve.txt", "A deed", "text/plain"},
		"digest of the part": {strings.Replace(aForm, "Content-Type: text/plain",
			"Content-Digest: "+contentDigest([]byte("the content")), 1),
			"deed.txt", "A deed", "application/octet-stream"},
		"everything null": {metadataHead +
			`{"title":null,"attributes":null,"ledger_refs":null,"content_sha256":null,"size":null,"acknowledge":null}` +
			"\n" + fileHead + "the content\n--b--\n", "deed.txt", "", "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.send(crlf(c.body))
			if a.status != http.StatusCreated {
				t.Fatalf("%d %s", a.status, a.body)
			}
			var out openapi.Deposit
			a.json(t, &out)
			d := out.Document
			if text(d.FileName) != c.fileName || text(d.Title) != c.title ||
				*d.ContentSHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("the document is %s", a.body)
			}
			if got := r.do(http.MethodGet, "/v1/documents/"+out.ID+"/content?purpose=a",
				nil).header.Get("Content-Type"); got != c.media {
				t.Errorf("its media type is %s", got)
			}
		})
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestBadForms walks through what can be wrong with a form. Nothing of it is kept.
func TestBadForms(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Limits.MaxBody = 100_000 })
	before := len(r.stored())
	replace := func(old, by string) string {
		if !strings.Contains(aForm, old) {
			t.Fatalf("the form has no %q", old)
		}
		return strings.Replace(aForm, old, by, 1)
	}
	metadata := func(json string) string { return replace(`{"title":"A deed"}`, json) }
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		detail string
	}{
		"nothing":       {"", 400, "interrupted", "closing boundary"},
		"no boundary":   {"the content\n", 400, "interrupted", "closing boundary"},
		"no part":       {"--b--\n", 400, "bad-body", "no part with the name file"},
		"metadata only": {metadataHead + "{}\n--b--\n", 400, "bad-body", "no part with the name file"},
		"metadata last": {fileHead + "the content\n" + metadataHead + "{}\n--b--\n", 400, "bad-body",
			"Put it first"},
		"metadata twice": {metadataHead + "{}\n" + aForm, 400, "bad-body", "two metadata parts"},
		"two files":      {fileHead + "a\n" + fileHead + "b\n--b--\n", 400, "bad-body", "two files"},
		"another part first": {strings.Replace(metadataHead, "metadata", "title",
			1) + "x\n" + fileHead + "a\n--b--\n", 400, "bad-body", "nothing else"},
		"another part last": {fileHead + "a\n" + strings.Replace(metadataHead, "metadata", "title",
			1) + "x\n--b--\n", 400, "bad-body", "nothing else"},
		"broken off": {replace("\n--b--", ""), 400, "interrupted", "closing boundary"},
		"opened and left": {strings.TrimSuffix(aForm, "--b--\n") + "--b\n", 400, "interrupted",
			"closing boundary"},
		"broken after file": {replace("--b--", "--b"), 400, "interrupted", "closing boundary"},
		"no disposition": {replace("Content-Disposition: form-data; name=\"file\"; filename=\"deed.txt\"\n", ""),
			400, "bad-body", "no Content-Disposition"},
		"two dispositions": {replace("Content-Type: text/plain", "Content-Disposition: form-data; name=metadata"),
			400, "bad-body", "or has two"},
		"attachment": {replace("form-data; name=\"file\"", "attachment; name=\"file\""), 400, "bad-body",
			"not that of a form"},
		"header without colon": {replace("Content-Type: text/plain", "Content-Type text/plain"), 400, "bad-body",
			"malformed"},
		"endless header": {replace("text/plain", "text/"+strings.Repeat("x", 40_000)), 413, "too-large",
			"16 KiB"},
		"many headers": {replace("Content-Type: text/plain", strings.Repeat("X: y\n", 10_000)+"X: y"), 413,
			"too-large", "16 KiB"},
		"endless preamble": {strings.Repeat("to people\n", 10_000) + aForm, 413, "too-large", "16 KiB"},
		"endless epilogue": {aForm + strings.Repeat("to people\n", 10_000), 413, "too-large", "16 KiB"},
		"endless metadata": {metadata(`{"title":"` + strings.Repeat("x", 70_000) + `"}`), 413, "too-large",
			"64 KiB"},
		"endless file": {replace("the content", strings.Repeat("x", 100_001)), 413, "too-large", ""},
		"base64 part": {replace("Content-Type: text/plain", "Content-Transfer-Encoding: base64"), 415,
			"unsupported-encoding", ""},
		"quoted-printable": {replace("Content-Type: text/plain", "Content-Transfer-Encoding: quoted-printable"),
			415, "unsupported-encoding", ""},
		"compressed part": {replace("Content-Type: text/plain", "Content-Encoding: gzip"), 415,
			"unsupported-encoding", ""},
		"metadata in XML": {replace("application/json", "application/xml"), 415, "not-json", ""},
		"a field in a part": {replace("Content-Type: text/plain", "Muniment-Title: x"), 400, "unknown-parameter",
			""},
		"MD5":        {replace("Content-Type: text/plain", "Content-MD5: x"), 400, "bad-digest", ""},
		"bad digest": {replace("Content-Type: text/plain", "Content-Digest: x"), 400, "bad-digest", ""},
		"other digest": {replace("Content-Type: text/plain", "Content-Digest: "+contentDigest(nil)), 422,
			"content-mismatch", ""},
		"digest twice": {strings.Replace(metadata(`{"content_sha256":"`+strings.Repeat("0", 64)+`"}`),
			"Content-Type: text/plain",
			"Content-Digest: "+contentDigest(nil), 1), 400, "unknown-parameter", "content_sha256"},
		"other SHA-256": {metadata(`{"content_sha256":"` + strings.Repeat("0", 64) + `"}`), 422, "content-mismatch",
			""},
		"longer":         {metadata(`{"size":12}`), 422, "content-mismatch", ""},
		"shorter":        {metadata(`{"size":10}`), 422, "content-mismatch", ""},
		"name with path": {replace("deed.txt", "../deed.txt"), 422, "bad-metadata", "file_name"},
		"name in DOS":    {replace("deed.txt", `C:\deed.txt`), 422, "bad-metadata", "file_name"},
		"name with LF":   {replace("deed.txt", "a%0Ab"), 422, "bad-metadata", "file_name"},
		"content inline": {metadata(`{"content_base64":""}`), 400, "bad-body", "not one of a deposit's"},
		"no JSON":        {metadata("title=x"), 400, "bad-body", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.send(crlf(c.body))
			var p openapi.Problem
			a.json(t, &p)
			if a.status != c.status || a.problem() != c.code || !strings.Contains(*p.Detail, c.detail) {
				t.Errorf("%d %s; want %d %s", a.status, a.body, c.status, c.code)
			}
		})
	}
	for name, change := range map[string]func(*http.Request){
		"digest of the form": with("Content-Digest", contentDigest(crlf(aForm))),
		"field twice":        with("Muniment-Title", "x"),
		"compressed":         with("Content-Encoding", "gzip"),
	} {
		if a := r.send(crlf(aForm), change); a.status < 400 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for _, kind := range []string{"multipart/form-data", "multipart/form-data; boundary=" + strings.Repeat("x", 71)} {
		if a := r.do(http.MethodPost, "/v1/documents", bytes.NewReader(crlf(aForm)),
			with("Content-Type", kind)); a.problem() != "bad-body" {
			t.Errorf("%s: %d %s", kind, a.status, a.body)
		}
	}
	if n := r.documents(); n != 0 || len(r.stored()) != before {
		t.Errorf("%d documents and %d objects are kept", n, len(r.stored())-before)
	}
	if a := r.send(crlf(replace("the content", strings.Repeat("x", 100_000)))); a.status != http.StatusCreated {
		t.Errorf("a file of the greatest length: %d %s", a.status, a.body)
	}
}

// TestFormCutAnywhere cuts a form after every byte, once so that the connection ends and once so that the request does
// not.
func TestFormCutAnywhere(t *testing.T) {
	t.Parallel()
	notShort(t, "it opens a connection for every byte of a form")
	r := newRig(t)
	whole, before := crlf(aForm), len(r.stored())
	for cut := range len(whole) - len("\r\n") {
		if a := r.send(whole[:cut]); a.status != http.StatusBadRequest {
			t.Fatalf("cut at %d, whole by its length: %d %s", cut, a.status, a.body)
		}
	}
	for cut := range len(whole) {
		conn := r.dial()
		r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nContent-Type: "+
			"multipart/form-data; boundary=b\n"+
			"Transfer-Encoding: chunked\n\n")
		if _, err := io.WriteString(conn, chunk(whole[:cut])); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || bytes.Contains(got, []byte(" 201 ")) {
			t.Fatalf("cut at %d: %q, %v", cut, got, err)
		}
		_ = conn.Close()
	}
	if n := r.documents(); n != 0 || len(r.stored()) != before {
		t.Errorf("%d documents and %d objects are kept", n, len(r.stored())-before)
	}
}

// chunk is a chunk of a body, after which nothing comes.
func chunk(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	const digits = "0123456789abcdef"
	n := len(data)
	return string([]byte{digits[n>>8&15], digits[n>>4&15], digits[n&15]}) + "\r\n" + string(data) + "\r\n"
}

// TestLargeFormIsStreamed sends a form of unknown length that is larger than anything would buffer.
func TestLargeFormIsStreamed(t *testing.T) {
	t.Parallel()
	notShort(t, "it sends 32 MiB")
	r := newRig(t)
	content := noise(32 << 20)
	body := io.MultiReader(bytes.NewReader(crlf(metadataHead+"{}\n"+fileHead)), bytes.NewReader(content),
		bytes.NewReader(crlf("\n--b--\n")))
	a := r.do(http.MethodPost, "/v1/documents", body, with("Content-Type", "multipart/form-data; boundary=b"))
	var out openapi.Deposit
	a.json(t, &out)
	sum := sha256.Sum256(content)
	if a.status != http.StatusCreated || *out.Document.ContentSHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestFormsAgainstModel makes forms of parts, and lets a model that knows the parts say what becomes of them.
func TestFormsAgainstModel(t *testing.T) {
	t.Parallel()
	type part struct{ name, content string }
	// A reader could stumble over text that looks like a boundary, or like a part of one.
	tricky := rapid.SampledFrom([]string{"", "x", "\r\n", "\n", "--b", "-", "\r\n--", "\r\n--c--\r\n", "--b--", "\x00",
		"\r", "\r\n-", "{}"})
	parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
		name := rapid.SampledFrom([]string{"metadata", "file", "content", "title", ""}).Draw(t, "name")
		content := "{}"
		if name != "metadata" {
			content = strings.Join(rapid.SliceOfN(tricky, 0, 6).Draw(t, "content"), "")
			// No sender of a form may leave its boundary in a part.
			content = strings.ReplaceAll("\n"+content, "\n--b", "\n-b")[1:]
		}
		return part{name, content}
	}), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		given := parts.Draw(t, "parts")
		var body bytes.Buffer
		for _, p := range given {
			body.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + p.name + "\"\r\n\r\n" + p.content +
				"\r\n")
		}
		ending := rapid.SampledFrom([]string{"--b--\r\n", "--b--", "--b\r\n", "--b", "--b-", ""}).Draw(t, "ending")
		body.WriteString(ending)
		files := given
		if len(files) > 0 && files[0].name == "metadata" {
			files = files[1:]
		}
		good := strings.HasPrefix(ending, "--b--") && len(files) == 1 &&
			(files[0].name == "file" || files[0].name == "content")
		_, file, err := gateway.ReadForm(&body, "b", 1000)
		if (err == nil) != good {
			t.Fatalf("the model says %v, the reader %v", good, err)
		}
		if good && string(file) != files[0].content {
			t.Fatalf("the file is %q, not %q", file, files[0].content)
		}
	})
}

// FuzzForm reads arbitrary bytes as a form. A file that is taken must stand in them, before the closing
// boundary.
func FuzzForm(f *testing.F) {
	f.Add(crlf(aForm))
	f.Add([]byte(aForm))
	f.Add(crlf(fileHead + "\n--b \n--b--x\n--b--"))
	f.Add(crlf(fileHead + "the content\n" + metadataHead + "{}\n--b--\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, file, err := gateway.ReadForm(bytes.NewReader(body), "b", 1<<20)
		if err != nil {
			if p := problem.Of(err); p.Code == problem.Internal.Code {
				t.Fatalf("%v is %s", err, p.Code)
			}
			return
		}
		end := bytes.LastIndex(body, []byte("--b--"))
		if end < 0 || !bytes.Contains(body[:end], file) {
			t.Fatalf("%q was taken for a file", file)
		}
		if _, cut, err := gateway.ReadForm(bytes.NewReader(body[:end+len("--b")]), "b", 1<<20); err == nil &&
			!bytes.Contains(body[:end], []byte("--b--")) {
			t.Fatalf("%q was taken for a file from a body without a closing boundary", cut)
		}
		// The same, broken off anywhere before its last closing boundary, is no form but the one that ended before.
		_, cut, err := gateway.ReadForm(io.MultiReader(bytes.NewReader(body[:end]), broken{}), "b", 1<<20)
		if err == nil {
			t.Fatalf("%q was taken for a file from a body that broke off", cut)
		}
	})
}

// broken is the end of a body that broke off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBrokenFormIsInterrupted: a body that ends with an error is never a document, wherever in the form it ends.
func TestBrokenFormIsInterrupted(t *testing.T) {
	t.Parallel()
	whole := crlf(aForm)
	for cut := range len(whole) + 1 {
		for _, how := range []error{io.ErrUnexpectedEOF, errors.New("reset")} {
			_, _, err := gateway.ReadForm(io.MultiReader(bytes.NewReader(whole[:cut]), failing{how}), "b", 1000)
			if err == nil || problem.Of(err).Code != problem.Interrupted.Code {
				t.Fatalf("cut at %d with %v: %v", cut, how, err)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
