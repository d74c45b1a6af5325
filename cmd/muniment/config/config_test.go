package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/cmd/muniment/config"
)

// none is an environment without variables.
func none(string) string { return "" }

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muniment.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsAreGood(t *testing.T) {
	c, err := config.Load("", none)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(config.Default(), c); diff != "" {
		t.Errorf("without file and environment (-want +got):\n%s", diff)
	}
}

func TestFileThenEnvironment(t *testing.T) {
	path := write(t, `
# a comment
data: /srv/muniment
listen: 127.0.0.1:9000
trusted_proxies: [10.0.0.0/8, 192.0.2.7/32]
fips: true
anchor: {every: 1h}
limits:
  document: 64MiB
  requests: 5
  connections: 100
log:
  level: debug
`)
	vars := map[string]string{
		"MUNIMENT_LISTEN": "127.0.0.1:9001", "MUNIMENT_LIMITS_PATIENCE": "5s", "MUNIMENT_LIMITS_REQUESTS": "0",
		"MUNIMENT_FIPS":            "false",
		"MUNIMENT_TRUSTED_PROXIES": "10.0.0.0/8, 172.16.0.0/12",
	}
	got, err := config.Load(path, func(name string) string { return vars[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Data, want.Listen = "/srv/muniment", "127.0.0.1:9001"
	want.TrustedProxies = []string{"10.0.0.0/8", "172.16.0.0/12"}
	want.Anchor.Every, want.Limits.Document = config.Duration(time.Hour), 64<<20
	want.Limits.Requests, want.Limits.Connections = 0, 100
	want.Limits.BodyWait, want.Log.Level = config.Duration(5*time.Second), "debug"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyFileChangesNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing but this\n"} {
		got, err := config.Load(write(t, text), none)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(config.Default(), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestRefusals: each message says what to write instead.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"unknown key", "listn: 127.0.0.1:80", `line 1: there is no key "listn"; did you mean listen?`},
		{"unknown nested key", "log:\n  lvel: info", `line 2: there is no key "lvel"; did you mean log.level?`},
		{"key of a group, outside", "every: 10m", `did you mean anchor.every?`},
		{"nothing like it", "zzzzzzzzzz: 1", "the keys are data, listen,"},
		{"twice", "listen: a:1\nlisten: b:2", `line 2: "listen" stands there twice; keep one`},
		{"two documents", "listen: 127.0.0.1:80\n---\nfips: true", "more than one document"},
		{"no value", "log:\n  level:\n", `line 2: "level" has no value; write one, or leave the key out`},
		{"group without keys", "anchor: ~\n", `line 1: "anchor" has no value`},
		{"no yaml", "listen: [", ""},
		{"list for text", "listen: [a, b]", "line 1:"},
		{"text for truth", "fips: perhaps", "write true or false"},
		{"text for group", "log: debug", "indented"},
		{"no duration", "shutdown: soon", "write a number with a unit, such as 90s"},
		{"duration without unit", "shutdown: 30", "write a number with a unit, such as 90s"},
		{"negative duration", "shutdown: -1s", "shutdown: must be longer than 0; write a duration such as 30s"},
		{"no interval", "anchor: {every: 0s}", "anchor.every: must be longer than 0"},
		{"no rate", "limits: {requests: many}", "write digits alone"},
		{"negative rate", "limits: {requests: -1}", "limits.requests: must not be less than 0"},
		{"negative connections", "limits: {connections: -1}", "limits.connections: must not be less than 0"},
		{"no size", "limits: {document: 5TB}", "KiB, MiB, GiB or TiB"},
		{"too large a size", "limits: {document: 9999999999TiB}", "is no size"},
		{"no address", "listen: 8080", "write host:port, such as 127.0.0.1:8080"},
		{"no admin address", "admin_listen: localhost", "admin_listen: \"localhost\" is no address"},
		{"no network", "trusted_proxies: [10.0.0.1]", "write it like 10.0.0.0/8"},
		{"level", "log: {level: loud}", "write debug, info, warn or error"},
		{"format", "log: {format: xml}", "write text or json"},
		{"no data", `data: ""`, "name the folder"},
		{"origin", "origin: two words", "write a name such as"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := config.Load(write(t, test.file), none)
			if err == nil {
				err = c.Check()
			}
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("message:\n%v\nwant in it: %s", err, test.want)
			}
		})
	}
}

func TestBadEnvironmentNamesTheVariable(t *testing.T) {
	_, err := config.Load("", func(name string) string {
		if name == "MUNIMENT_SHUTDOWN" {
			return "soon"
		}
		return ""
	})
	if err == nil || !strings.Contains(err.Error(), "MUNIMENT_SHUTDOWN") {
		t.Errorf("error %v, want one that names MUNIMENT_SHUTDOWN", err)
	}
}

func TestANumberInTheEnvironmentIsDigits(t *testing.T) {
	_, err := config.Load("", func(name string) string {
		if name == "MUNIMENT_LIMITS_REQUESTS" {
			return "1e3"
		}
		return ""
	})
	if err == nil || !strings.Contains(err.Error(),
		`MUNIMENT_LIMITS_REQUESTS: "1e3" is no number; write digits alone`) {
		t.Errorf("error %v, want one that says what to write", err)
	}
}

func TestASecretCannotBePrinted(t *testing.T) {
	const canary = "mun_canary"
	s := config.NewSecret(canary)
	c := config.Connection{Token: s}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c)
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), "109 117 110"} {
		if strings.Contains(text, form) {
			t.Errorf("found %q in %s", form, text)
		}
	}
	if s.Reveal() != canary {
		t.Error("Reveal does not give the secret")
	}
}
