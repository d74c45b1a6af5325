package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/gateway"
	"muniment/openapi"
	"muniment/vault/access"
)

// stated is a document with all that can be said of it.
type stated struct {
	content    []byte
	title      string
	externalID string
	key        string
}

func (s stated) metadata() openapi.DepositMetadata {
	sum := sha256.Sum256(s.content)
	size := int64(len(s.content))
	out := openapi.DepositMetadata{
		FileName: ptr("naïve.txt"), Title: &s.title, MediaType: ptr("text/plain; charset=utf-8"),
		RecordDate:    ptr("2026-11-20"),
		Attributes:    &map[string]string{"form": "B-12", "office": "Zürich, Nord"},
		LedgerRefs:    &[]openapi.LedgerRef{{Chain: "eip155:1", Transaction: "0xabc", Role: ptr("invoice")}},
		ContentSHA256: ptr(hex.EncodeToString(sum[:])), Size: &size,
	}
	if s.externalID != "" {
		out.ExternalID = &s.externalID
	}
	if s.key != "" {
		out.IdempotencyKey = &s.key
	}
	return out
}

// ways are the three ways in which a document can come.
func ways() map[string]func(r *rig, method, target string, s stated) answer {
	return map[string]func(*rig, string, string, stated) answer{
		"raw": func(r *rig, method, target string, s stated) answer {
			return r.do(method, target, bytes.NewReader(s.content),
				with("Content-Type", "text/plain; charset=utf-8"), with("Content-Digest", contentDigest(s.content)),
				with("Muniment-File-Name", "UTF-8''na%C3%AFve.txt"), with("Muniment-Title", s.title),
				with("Muniment-External-Id", s.externalID), with("Idempotency-Key", s.key),
				with("Muniment-Record-Date", "2026-11-20"),
				with("Muniment-Attribute", "form=B-12, office=UTF-8''Z%C3%BCrich%2C%20Nord"),
				with("Muniment-Ledger-Ref", "eip155:1 0xabc invoice"), unlessEmpty)
		},
		"form": func(r *rig, method, target string, s stated) answer {
			body, kind := form(r.t, s.metadata(), s.content)
			return r.do(method, target, bytes.NewReader(body), with("Content-Type", kind))
		},
		"inline": func(r *rig, method, target string, s stated) answer {
			return r.do(method, target, bytes.NewReader(inline(r.t, s.metadata(), s.content)),
				with("Content-Type", gateway.InlineType))
		},
	}
}

// unlessEmpty removes headers without a value.
func unlessEmpty(r *http.Request) {
	for name, values := range r.Header {
		if values[0] == "" {
			r.Header.Del(name)
		}
	}
}

// form makes a form of metadata and a file.
func form(t testing.TB, metadata any, content []byte) (body []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	head := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="metadata"`},
		"Content-Type": {"application/json"}}
	part, err := w.CreatePart(head)
	if err == nil {
		err = json.NewEncoder(part).Encode(metadata)
	}
	if err == nil {
		part, err = w.CreateFormFile("file", "other-name.bin")
	}
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FormDataContentType()
}

// inline makes an inline deposit.
func inline(t testing.TB, metadata any, content []byte) []byte {
	t.Helper()
	raw, err := json.Marshal(metadata)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	fields["content_base64"] = base64.StdEncoding.EncodeToString(content)
	if raw, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestWaysAreOneDeposit sends each document twice, in each pair of ways: the second is always the first again, by the
// idempotency key and by the external id, and never with other metadata or other content.
func TestWaysAreOneDeposit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for first, send := range ways() {
		for second, again := range ways() {
			t.Run(first+" then "+second, func(t *testing.T) {
				name := first + "-" + second
				s := stated{content: []byte(name), title: "A deed", key: "key-" + name}
				a, b := send(r, http.MethodPost, "/v1/documents", s), again(r, http.MethodPost, "/v1/documents", s)
				repeats(t, a, b)
				other := s
				other.title = "Another deed"
				if c := again(r, http.MethodPost, "/v1/documents", other); c.problem() != "idempotency-key-reused" {
					t.Errorf("other metadata: %d %s", c.status, c.body)
				}
				other = s
				other.content = []byte("other content")
				if c := again(r, http.MethodPost, "/v1/documents", other); c.problem() != "idempotency-key-reused" {
					t.Errorf("other content: %d %s", c.status, c.body)
				}

				path := "/v1/documents/by-external-id/" + url.PathEscape("erp/"+name)
				s = stated{content: []byte(name), title: "A deed"}
				repeats(t, send(r, http.MethodPut, path, s), again(r, http.MethodPut, path, s))
				s.content = []byte("other content")
				if c := again(r, http.MethodPut, path, s); c.problem() != "conflict" {
					t.Errorf("other content under the external id: %d %s", c.status, c.body)
				}
			})
		}
	}
}

// repeats says that b is the answer to the same deposit as a.
func repeats(t *testing.T, a, b answer) {
	t.Helper()
	var first, second openapi.Deposit
	a.json(t, &first)
	b.json(t, &second)
	if a.status != http.StatusCreated || b.status != http.StatusOK || !first.Created || second.Created {
		t.Fatalf("%d %s, then %d %s", a.status, a.body, b.status, b.body)
	}
	if diff := cmp.Diff(first.Document, second.Document); diff != "" || first.ID != second.ID {
		t.Errorf("the documents differ:\n%s", diff)
	}
	if *first.Document.FileName != "naïve.txt" || (*first.Document.Attributes)["office"] != "Zürich, Nord" ||
		*first.Document.Title != "A deed" {
		t.Errorf("the metadata did not arrive: %s", a.body)
	}
}

// TestCommitted asks not to wait: the receipt is no proof and says so, and the same request again gives the proof.
func TestCommitted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, send := range map[string]func(acknowledge string) answer{
		"header": func(acknowledge string) answer {
			return r.do(http.MethodPost, "/v1/documents", bytes.NewReader([]byte("x")),
				with("Idempotency-Key", "h"), with("Muniment-Acknowledge", acknowledge))
		},
		"query": func(acknowledge string) answer {
			return r.do(http.MethodPost, "/v1/documents?acknowledge="+acknowledge, bytes.NewReader([]byte("x")),
				with("Idempotency-Key", "q"))
		},
		"JSON": func(acknowledge string) answer {
			body := inline(t, map[string]string{"idempotency_key": "j", "acknowledge": acknowledge}, []byte("x"))
			return r.do(http.MethodPost, "/v1/documents", bytes.NewReader(body),
				with("Content-Type", gateway.InlineType))
		},
	} {
		var early, late openapi.Deposit
		send("committed").json(t, &early)
		send("released").json(t, &late)
		if early.Acknowledged != "committed" || early.Receipt.Proof != nil || early.Receipt.Checkpoint != nil ||
			early.Receipt.Leaf == "" {
			t.Errorf("%s: asked not to wait, it says %+v", name, early)
		}
		if late.Acknowledged != "released" || late.Receipt.Proof == nil || late.Receipt.Checkpoint == nil ||
			late.ID != early.ID || late.Created {
			t.Errorf("%s: asked again, it says %+v", name, late)
		}
	}
}

// TestNobodyIsReadInVain shows that who may not deposit is refused before the body is read, in each way.
func TestNobodyIsReadInVain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reader := r.principal(access.Grant{Role: access.ReaderRole})
	for name, kind := range map[string]string{
		"raw": "text/plain", "form": "multipart/form-data; boundary=b", "inline": gateway.InlineType,
	} {
		conn := r.dial()
		r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer "+reader+
			"\nContent-Length: 1000\nExpect: 100-continue\nContent-Type: "+kind+"\n\n")
		if line := firstLine(t, conn); line != "HTTP/1.1 403 Forbidden\r\n" {
			t.Errorf("%s: %q", name, line)
		}
	}
	// Somebody who may deposit in one series only is refused another before the file is read.
	wants(t, "creating a series", r.call(http.MethodPost, "/v1/series", `{"code":"permits"}`, r.token), 201, "")
	clerk := r.principal(access.Grant{Role: access.Depositor, Series: "permits"})
	conn := r.dial()
	r.write(conn, "POST /v1/documents HTTP/1.1\nHost: x\nAuthorization: Bearer "+clerk+
		"\nContent-Length: 1000000\nContent-Type: multipart/form-data; boundary=b\n\n"+
		"--b\nContent-Disposition: form-data; name=metadata\n\n{\"series\":\"default\"}\n"+
		"--b\nContent-Disposition: form-data; name=file; filename=a\n\n")
	if line := firstLine(t, conn); line != "HTTP/1.1 403 Forbidden\r\n" {
		t.Errorf("another series: %q", line)
	}
}
