package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"muniment/anchor/journal"
	"muniment/vault/keys"
)

const canary = "canary-7f3a"

// shapes are the ways in which a secret gets into something that is printed.
func shapes() map[string]any {
	type inner struct{ Key keys.Secret }
	secret := keys.Secret(canary)
	return map[string]any{
		"bare":      secret,
		"pointer":   &secret,
		"struct":    inner{secret},
		"nested":    struct{ Inner inner }{inner{secret}},
		"behind":    &struct{ Inner []*keys.Secret }{[]*keys.Secret{&secret}},
		"embedded":  struct{ inner }{inner{secret}},
		"slice":     []keys.Secret{secret},
		"array":     [1]keys.Secret{secret},
		"map":       map[string]keys.Secret{"key": secret},
		"interface": []any{secret},
		"unwrapped": keys.Unwrapped{Secret: secret},
	}
}

// leaks says whether the text shows the canary in any of the forms that a printer could give it.
func leaks(text string) bool {
	forms := []string{
		canary,
		hex.EncodeToString([]byte(canary)),
		strings.ToUpper(hex.EncodeToString([]byte(canary))),
		base64.StdEncoding.EncodeToString([]byte(canary)),
		strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"),
		strings.Trim(fmt.Sprintf("%o", []byte(canary)), "[]"),
		strings.Trim(fmt.Sprintf("%b", []byte(canary)), "[]"),
		strings.Trim(fmt.Sprintf("%c", []byte(canary)), "[]"),
		strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}"),
		strings.Trim(fmt.Sprintf("% x", []byte(canary)), "[]"),
	}
	for _, form := range forms {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSecretPrintsAsNothingElse(t *testing.T) {
	for name, shape := range shapes() {
		if name == "behind" {
			continue // fmt prints the pointer, or, under a verb that go vet refuses there, what it points to
		}
		for _, verb := range "vdsqxXobcUtTeEfFgG" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-20", "20.3"} {
				format := "%" + flags + string(verb)
				got := fmt.Sprintf(format, shape)
				if leaks(got) {
					t.Errorf("%s under %s: the secret shows: %s", name, format, got)
				}
				if name != "pointer" && verb != 'T' && !strings.Contains(got, "[secret]") {
					t.Errorf("%s under %s = %s, want [secret] in it", name, format, got)
				}
			}
		}
	}
}

func TestSecretMarshalsAsNothingElse(t *testing.T) {
	for name, shape := range shapes() {
		got, err := json.Marshal(shape)
		if err != nil || leaks(string(got)) || !strings.Contains(string(got), "[secret]") {
			t.Errorf("%s as JSON = %s, %v", name, got, err)
		}
	}
	type document struct{ Key keys.Secret }
	got, err := xml.Marshal(document{keys.Secret(canary)})
	if err != nil || leaks(string(got)) || !strings.Contains(string(got), "[secret]") {
		t.Errorf("as XML = %s, %v", got, err)
	}
}

func TestSecretIsLoggedAsNothingElse(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	}
	for name, shape := range shapes() {
		for handler, open := range handlers {
			var out bytes.Buffer
			slog.New(open(&out)).Info("a message", "key", shape, slog.Group("group", "key", shape))
			if leaks(out.String()) {
				t.Errorf("%s in a %s log: the secret shows: %s", name, handler, out.String())
			}
			if strings.Count(out.String(), "[secret]") != 2 && name != "pointer" && name != "behind" {
				t.Errorf("%s in a %s log: %s, want [secret] twice", name, handler, out.String())
			}
		}
	}
}

func TestCheckSizes(t *testing.T) {
	for _, test := range []struct {
		size int
		want error
	}{{0, keys.ErrSize}, {1, nil}, {keys.MaxSecret, nil}, {keys.MaxSecret + 1, keys.ErrSize}} {
		secrets := []keys.Secret{keys.Secret("fine"), make(keys.Secret, test.size)}
		if got := keys.CheckSizes(secrets); !errors.Is(got, test.want) {
			t.Errorf("a secret of %d bytes: %v, want %v", test.size, got, test.want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for wrapped, want := range map[string]int{"vault:v1:AAAA": 1, "local:v20:": 20, "vault:v3:a:v7:b": 3} {
		if got, err := keys.VersionOf(wrapped); err != nil || got != want {
			t.Errorf("%q is of version %d, %v; want %d", wrapped, got, err, want)
		}
	}
	for _, bad := range []string{"", "vault", "vault:v", "vault:v1", "vault:v:AAAA", "vault:v0:AAAA", "vault:v-1:AAAA",
		"vault:v+1:AAAA",
		"vault:v01:AAAA", "vault:v1x:AAAA", "vault:1:AAAA", ":v1:AAAA", "vault:x:v1:AAAA",
		"vault:v99999999999999999999:AAAA"} {
		if got, err := keys.VersionOf(bad); !errors.Is(err, keys.ErrWrapped) {
			t.Errorf("%q is of version %d, %v; want ErrWrapped", bad, got, err)
		}
	}
}

// TestKeyName: the name begins with the journal id, so no two journals and tenants have one between them.
func TestKeyName(t *testing.T) {
	t.Parallel()
	id, err := journal.ParseID("0190b5a0-7c1e-7000-8000-0000000000a0")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keys.KeyName(id, "default"), "0190b5a0-7c1e-7000-8000-0000000000a0-default"; got != want {
		t.Errorf("the key is called %s, want %s", got, want)
	}
	if err := keys.ForJournal(nil, journal.ID{}).CreateTenant(t.Context(), "default"); err == nil {
		t.Error("a key was made that is named after no journal")
	}
}
