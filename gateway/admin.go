package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTime is how long the dependencies may take together to say that they are well.
const checkTime = 5 * time.Second

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // "ok", or what is wrong
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

// live says whether this process is worth keeping: a journal that has stopped needs a new one.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.cfg.Journal.Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("the journal has stopped\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// ready says whether this process can serve, and of each dependency what is wrong with it.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	out := readiness{Ready: true, Checks: map[string]string{}}
	for name, check := range map[string]func(context.Context) error{
		"journal": func(context.Context) error { return s.cfg.Journal.Err() },
		"vault":   s.cfg.Vault.Check,
	} {
		out.Checks[name] = "ok"
		if err := check(ctx); err != nil {
			out.Ready = false
			out.Checks[name] = err.Error()
		}
	}
	status := http.StatusOK
	if !out.Ready || s.closing.Err() != nil {
		out.Ready = false
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // to whom would a failure be told?
}
