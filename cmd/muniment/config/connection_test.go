package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/cmd/muniment/config"
)

func TestConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("mun_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := config.NewSecret
	for _, test := range []struct {
		name       string
		flags      config.Connection
		vars       map[string]string
		url, token string
		err        string
	}{
		{name: "nothing", url: config.DefaultURL},
		{name: "environment", vars: map[string]string{"MUNIMENT_URL": "https://a.example/",
			"MUNIMENT_TOKEN": "mun_env"},
			url: "https://a.example", token: "mun_env"},
		{name: "flags win", flags: config.Connection{URL: "https://b.example", Token: secret("mun_flag")},
			vars: map[string]string{"MUNIMENT_URL": "https://a.example", "MUNIMENT_TOKEN_FILE": file},
			url:  "https://b.example", token: "mun_flag"},
		{name: "file", flags: config.Connection{TokenFile: file}, url: config.DefaultURL, token: "mun_file"},
		{name: "file in the environment", vars: map[string]string{"MUNIMENT_TOKEN_FILE": file}, url: config.DefaultURL,
			token: "mun_file"},
		{name: "both", flags: config.Connection{Token: secret("a"), TokenFile: file}, err: "give one of them"},
		{name: "empty file", flags: config.Connection{TokenFile: empty}, err: "put the API key"},
		{name: "no file", flags: config.Connection{TokenFile: file + "x"}, err: "reading the token file"},
		{name: "no URL", flags: config.Connection{URL: "localhost:8080"}, err: "write it like"},
		{name: "query", flags: config.Connection{URL: "https://a.example/?x=1"}, err: "scheme, host and port only"},
		{name: "in the clear", flags: config.Connection{URL: "http://a.example", Token: secret("mun_a")},
			err: "use https"},
		{name: "in the clear, without a key", flags: config.Connection{URL: "http://a.example"},
			url: "http://a.example"},
		{name: "loopback", flags: config.Connection{URL: "http://[::1]:80", Token: secret("mun_a")},
			url: "http://[::1]:80", token: "mun_a"},
		{name: "line break", flags: config.Connection{Token: secret("mun_a\nX: y")}, err: "line break"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.flags
			err := c.Resolve(func(name string) string { return test.vars[name] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.URL != test.url || c.Token.Reveal() != test.token {
				t.Errorf("got %s with %q, want %s with %q", c.URL, c.Token.Reveal(), test.url, test.token)
			}
		})
	}
}

// TestConnectionWithoutKey: a call that is answered with a key needs no token file, which may not be there yet, and
// goes in the clear to this machine only.
func TestConnectionWithoutKey(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		"MUNIMENT_URL": "https://a.example/", "MUNIMENT_TOKEN": "mun_env", "MUNIMENT_TOKEN_FILE": "nowhere",
	}
	var c config.Connection
	if err := c.ResolveWithoutKey(func(name string) string { return vars[name] }); err != nil || !c.Token.IsZero() ||
		c.URL != "https://a.example" {
		t.Errorf("%+v, %v", c, err)
	}
	c = config.Connection{URL: "http://a.example"}
	none := func(string) string { return "" }
	if err := c.ResolveWithoutKey(none); err == nil || !strings.Contains(err.Error(), "use https") {
		t.Errorf("in the clear: %v", err)
	}
}
