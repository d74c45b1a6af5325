package doctor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muniment/cmd/muniment/config"
)

// TestAStrangersServerIsNotBelieved: what answers at admin_listen is gone by only if it is the folder's own.
func TestAStrangersServerIsNotBelieved(t *testing.T) {
	t.Parallel()
	const own = "muniment/own"
	data := t.TempDir()
	checkpoint := own + "\n7\nroot\n\n— signature\n"
	if err := os.WriteFile(filepath.Join(data, "checkpoint"), []byte(checkpoint), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, origin, data string
		believed           bool
		state              verdict
	}{
		{"the folder's own", own, data, true, isWell},
		{"another's", "muniment/stranger", data, false, isFailure},
		{"one that names no journal", "", data, false, isFailure},
		{"any, for a folder that no server has served", own, t.TempDir(), false, isWarning},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"ready": true, "origin": c.origin, "version": "test",
				"dependencies": []map[string]any{{"name": "release", "ok": true}}})
		}))
		d := &doctor{cfg: config.Default()}
		d.cfg.Data, d.cfg.AdminListen = c.data, strings.TrimPrefix(server.URL, "http://")
		r := &report{check: "server"}
		d.server(t.Context(), r)
		server.Close()
		lines := r.end()
		if d.ready.answered != c.believed || lines[0].State != c.state {
			t.Errorf("%s: believed %v: %+v", c.name, d.ready.answered, lines)
		}
		if !c.believed && len(lines) != 1 {
			t.Errorf("%s: what it says is repeated: %+v", c.name, lines)
		}
	}
}
