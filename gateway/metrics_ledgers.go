package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"muniment/anchor"
)

// ledgers shows how each ledger's anchors stand.
type ledgers struct{ publisher *anchor.Publisher }

// ledgerMetric is one number about a ledger.
type ledgerMetric struct {
	desc *prometheus.Desc
	read func(anchor.LedgerStatus) float64
}

func ledgerMetrics() []ledgerMetric {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"kind", "ledger"}, nil)
	}
	return []ledgerMetric{
		{desc("muniment_anchor_final_size", "The largest size of the journal that is finally anchored."),
			func(s anchor.LedgerStatus) float64 { return float64(s.Anchored) }},
		{desc("muniment_anchor_open", "Anchors that are neither final nor lost."),
			func(s anchor.LedgerStatus) float64 { return float64(s.Open) }},
		{desc("muniment_anchor_behind_entries", "Entries that no final anchor covers yet."),
			func(s anchor.LedgerStatus) float64 { return float64(s.Behind) }},
		{desc("muniment_anchor_lag_seconds", "The age of the first entry that no final anchor covers."),
			func(s anchor.LedgerStatus) float64 { return s.Lag.Seconds() }},
		{desc("muniment_anchor_alarm", "1 when the ledger has failed for too long or contradicts the journal."),
			func(s anchor.LedgerStatus) float64 {
				if s.Alarm {
					return 1
				}
				return 0
			}},
	}
}

// Describe implements prometheus.Collector.
func (l ledgers) Describe(out chan<- *prometheus.Desc) {
	for _, m := range ledgerMetrics() {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (l ledgers) Collect(out chan<- prometheus.Metric) {
	for _, status := range l.publisher.Status() {
		for _, m := range ledgerMetrics() {
			out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.read(status), status.Kind, status.ID)
		}
	}
}
