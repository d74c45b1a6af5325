package gateway

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"muniment/anchor/journal"
)

// readiness is the answer of /readyz.
type readiness struct {
	Ready        bool         `json:"ready"`
	Closing      bool         `json:"closing,omitempty"` // this process shuts down
	Version      string       `json:"version"`
	Journal      journal.ID   `json:"journal"` // the same under every origin that it has had
	Origin       string       `json:"origin"`
	Dependencies []dependency `json:"dependencies"`
	Cautions     []caution    `json:"cautions"` // nothing is unready because of them
}

// AdminHandler serves the operator's port: /livez, /readyz and /metrics. It asks for no credential, so it belongs on an
// address that strangers cannot reach.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

// live answers 503 when the process must be restarted: its journal has stopped.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.cfg.Journal.Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("the journal has stopped\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// ready says whether this process can take deposits and serve content, and the state of each dependency. It answers 503
// while a needed one is down, although descriptions, proofs and the log are still served: a load balancer cannot tell
// calls apart. An operator who wants those to go on leaves a dependency out of the answer with ?exclude=keys.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	excluded := r.URL.Query()["exclude"]
	out := readiness{
		Ready: s.closing.Err() == nil, Closing: s.closing.Err() != nil, Version: s.cfg.Version,
		Journal: s.cfg.Journal.ID(), Origin: s.cfg.Journal.Origin(),
		Dependencies: s.health.look(r.Context()), Cautions: s.health.cautions(r.Context()),
	}
	for _, d := range out.Dependencies {
		if d.Needed && !d.OK && !slices.Contains(excluded, d.Name) {
			out.Ready = false
		}
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the client is gone when this fails
}
