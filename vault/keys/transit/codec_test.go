package transit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"muniment/vault/keys"
)

func TestCheckWrappedIsStrict(t *testing.T) {
	for _, good := range []string{"vault:v1:AAAA", "vault:v12:AA==", "vault:v3:aJ6zxTkx/lcuXS+mA8Ka8A=="} {
		if err := checkWrapped(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "vault:v1:", "vault:v01:AAAA", "vault:v0:AAAA", "local:v1:AAAA", "Vault:v1:AAAA",
		"vault:v1:AAB=",
		"vault:v1:AA\nAA", "vault:v1:AAAA\n", `vault:v1:AA"A`, "vault:v1:AA", "vault:v1:AAAA:", " vault:v1:AAAA",
		"vault:v1:AA-_"} {
		if err := checkWrapped(bad); !errors.Is(err, keys.ErrWrapped) {
			t.Errorf("%q: %v, want ErrWrapped", bad, err)
		}
	}
}

// A text that passes needs no escaping, and has no second form.
func FuzzCheckWrapped(f *testing.F) {
	f.Add("vault:v1:AAAA")
	f.Add("vault:v1:AA==")
	f.Fuzz(func(t *testing.T, wrapped string) {
		if checkWrapped(wrapped) != nil {
			return
		}
		var said struct {
			Ciphertext string `json:"ciphertext"`
		}
		if err := json.Unmarshal(ciphertextItem(wrapped), &said); err != nil || said.Ciphertext != wrapped {
			t.Errorf("%q goes to Vault as %q, %v", wrapped, said.Ciphertext, err)
		}
		head, value := wrapped[:strings.LastIndex(wrapped, ":")+1], wrapped[strings.LastIndex(wrapped, ":")+1:]
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil || head+base64.StdEncoding.EncodeToString(raw) != wrapped {
			t.Errorf("%q is not the only form of what it says: %v", wrapped, err)
		}
	})
}

func FuzzBatchBody(f *testing.F) {
	f.Add([]byte("secret"), []byte{0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		sent, err := io.ReadAll(batchBody([][]byte{plaintextItem(a), plaintextItem(b)}).reader())
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Input []struct {
				Plaintext []byte `json:"plaintext"`
			} `json:"batch_input"`
		}
		if err := json.Unmarshal(sent, &said); err != nil || len(said.Input) != 2 ||
			!bytes.Equal(said.Input[0].Plaintext, a) || !bytes.Equal(said.Input[1].Plaintext, b) {
			t.Errorf("%s reads as %v, %v", sent, said, err)
		}
	})
}

// For every answer there is a result for each item or an error, and an empty one is never taken for a secret.
func FuzzResults(f *testing.F) {
	f.Add([]byte(`{"data":{"batch_results":[{"plaintext":"AAAA"},{"error":"invalid ciphertext"}]}}`), 200)
	f.Add([]byte(`{"data":{"batch_results":[{"plaintext":null},{"ciphertext":"vault:v1:AAAA"}]}}`), 400)
	f.Add([]byte(`{"errors":["encryption key not found"]}`), 400)
	s := &Service{vault: &client{cfg: Config{Mount: "transit"}, base: &url.URL{Scheme: "http", Host: "vault.test"}}}
	req := request{method: http.MethodPost, path: "transit/decrypt/x"}
	f.Fuzz(func(t *testing.T, content []byte, status int) {
		ans := &answer{status: status, body: content}
		out, err := s.outcomes(req, ans, 2, func(r result) outcome { return outcome{secret: r.Plaintext} })
		if (err == nil) != (len(out) == 2) {
			t.Fatalf("%d results, %v", len(out), err)
		}
		for _, o := range out {
			if (o.err == nil) == (len(o.secret) == 0) {
				t.Errorf("%d bytes of secret, %v", len(o.secret), o.err)
			}
		}
		for _, o := range append(out, outcome{err: err}) {
			if o.err != nil && !errors.Is(o.err, keys.ErrUnavailable) && !errors.Is(o.err, keys.ErrDenied) &&
				!errors.Is(o.err, keys.ErrNoKey) && !errors.Is(o.err, keys.ErrWrapped) {
				t.Errorf("%v wraps no sentinel of package keys", o.err)
			}
		}
	})
}

func TestBodyIsOverwritten(t *testing.T) {
	raw := []byte("a secret")
	b := newBody(raw)
	early := b.reader()
	for range 2 { // it can be sent again
		if got, err := io.ReadAll(iotest.OneByteReader(b.reader())); err != nil || string(got) != "a secret" {
			t.Errorf("read %q, %v", got, err)
		}
	}
	b.wipe()
	if !bytes.Equal(raw, make([]byte, len(raw))) {
		t.Errorf("%q is still there", raw)
	}
	for _, r := range []io.Reader{early, b.reader()} {
		if got, err := io.ReadAll(r); !errors.Is(err, errWiped) || len(got) > 0 {
			t.Errorf("after that, it reads %q, %v", got, err)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, size := range []int{0, 1, 8 << 10, 8<<10 + 1, 100 << 10} {
		want := bytes.Repeat([]byte("x"), size)
		for _, length := range []int64{-1, int64(size)} {
			resp := &http.Response{ContentLength: length, Body: io.NopCloser(iotest.HalfReader(bytes.NewReader(want)))}
			if got, err := readAnswer(resp); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes announced as %d: %d bytes, %v", size, length, len(got), err)
			}
		}
	}
	for _, resp := range []*http.Response{
		{ContentLength: maxAnswer + 1, Body: http.NoBody},
		{ContentLength: -1, Body: io.NopCloser(io.LimitReader(zeros{}, maxAnswer+1))},
	} {
		if _, err := readAnswer(resp); !errors.Is(err, errLong) {
			t.Errorf("an answer that is too long: %v", err)
		}
	}
	cut := &http.Response{ContentLength: 10, Body: io.NopCloser(iotest.TimeoutReader(bytes.NewReader([]byte("x"))))}
	if _, err := readAnswer(cut); err == nil {
		t.Error("an answer that was cut was read")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
