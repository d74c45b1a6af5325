package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"muniment/anchor"
	"muniment/anchor/journal"
)

// metrics counts. No label names a person, a document or a tenant.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received prometheus.Counter
	sent     prometheus.Counter
	inFlight prometheus.Gauge
	unknown  prometheus.Counter
}

func newMetrics(j *journal.Journal, p *anchor.Publisher) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muniment_http_requests_total",
			Help: "Requests answered; status 499 means that the client left first.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muniment_http_request_duration_seconds",
			Help:    "From the request's header to the answer's last byte.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600},
		}, []string{"route", "method"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muniment_deposit_received_bytes_total", Help: "Bytes of content received, of failed deposits too.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muniment_http_sent_bytes_total", Help: "Bytes of answers sent, without headers.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muniment_http_requests_in_flight", Help: "Requests being served.",
		}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muniment_unauthenticated_requests_total", Help: "Requests without a valid credential.",
		}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.received, m.sent, m.inFlight, m.unknown,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.watchJournal(j)
	m.registry.MustRegister(ledgers{p})
	return m
}

// watchJournal shows how long the log is, and how much of it is committed and not yet released.
func (m *metrics) watchJournal(j *journal.Journal) {
	m.gauge("muniment_journal_size", "Entries committed.", func() float64 { return float64(j.Size()) })
	m.gauge("muniment_journal_released_size", "Entries released: shipped and under the signed checkpoint.",
		func() float64 { return float64(j.Checkpoint().Size) })
	m.gauge("muniment_journal_unreleased_entries", "Entries committed and not released yet.", func() float64 {
		released := j.Checkpoint().Size // first: the other grows
		return float64(j.Size() - released)
	})
}

func (m *metrics) gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

func (m *metrics) begin()        { m.inFlight.Inc() }
func (m *metrics) refused()      { m.unknown.Inc() }
func (m *metrics) taken(n int64) { m.received.Add(float64(n)) }

func (m *metrics) end(c echo.Context, status int, took time.Duration) {
	route, method := routeLabel(c), methodLabel(c.Request().Method)
	m.inFlight.Dec()
	m.sent.Add(float64(c.Response().Size))
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route, method).Observe(took.Seconds())
}

// routeLabel is the route's pattern; what matched none is "none", whatever its path was.
func routeLabel(c echo.Context) string {
	if path := c.Path(); path != "" {
		return path
	}
	return "none"
}

// methodLabel keeps a client from making up labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions,
		http.MethodPatch:
		return method
	}
	return "other"
}
