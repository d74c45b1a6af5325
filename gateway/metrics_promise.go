package gateway

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"muniment/anchor/journal"
	"muniment/vault"
	"muniment/vault/access"
)

// promiseMetrics shows what /readyz says in words about what the promise to depositors rests on. A number that
// cannot be read is left out.
type promiseMetrics struct{ cfg Config }

// promiseMetric is one number; ok is false when it cannot be told.
type promiseMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(context.Context, Config) (value float64, ok bool)
}

func promiseMetricsOf() []promiseMetric {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return []promiseMetric{
		{desc("muniment_shipped_lost_entries", "Released entries that no whole batch of the release bucket holds."),
			prometheus.GaugeValue, func(_ context.Context, c Config) (float64, bool) {
				lost := uint64(0)
				for _, some := range c.Journal.ShippedHealth().Lost {
					lost += some.Count
				}
				return float64(lost), true
			}},
		{desc("muniment_shipped_again_entries_total", "Released entries that were lost from the release bucket and "+
			"shipped again."), prometheus.CounterValue, func(_ context.Context, c Config) (float64, bool) {
			return float64(c.Journal.ShippedHealth().ShippedAgain), true
		}},
		{desc("muniment_shipped_checked_timestamp_seconds", "When the shipped batches were last looked after."),
			prometheus.GaugeValue, func(_ context.Context, c Config) (float64, bool) {
				at := c.Journal.ShippedHealth().At
				return float64(at.Unix()), !at.IsZero()
			}},
		{desc("muniment_journal_damage_met_total", "Rows that were found not to be what the log says they must be."),
			prometheus.CounterValue, func(_ context.Context, c Config) (float64, bool) {
				return float64(c.Journal.Damage().Met), true
			}},
		{desc("muniment_verified_backup_timestamp_seconds", "When the newest verified backup was put on record."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				newest, ok, err := c.Keys.NewestBackup(ctx, vault.DefaultTenant)
				return float64(newest.At.Unix()), ok && err == nil
			}},
		{desc("muniment_damaged_documents", "Documents whose content is on record as damaged."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				n, err := c.Vault.DamagedDocuments(ctx)
				return float64(n), err == nil
			}},
		{desc("muniment_settled_unacknowledged_seconds", "Time that only the clock has measured, and that what waits "+
			"does not count until somebody acknowledges it."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				status, err := c.Journal.Time(ctx)
				return status.Behind().Seconds(), err == nil
			}},
		{desc("muniment_recoveries_under_way",
			"Tenants in which the operator puts two other people in the place of the "+
				"administrator and the approver."), prometheus.GaugeValue, foundings(access.Tenancy.Recovery)},
		{desc("muniment_foundings_under_way", "Tenants that wait for the claims of their founders."),
			prometheus.GaugeValue, foundings(func(t access.Tenancy) bool {
				return t.Founding != nil &&
					!t.Recovery()
			})},
		{desc("muniment_locks_overdue", "Documents whose lock should have been extended more than an hour ago."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				n, err := c.Vault.OverdueLocks(ctx)
				return float64(n), err == nil
			}},
		{desc("muniment_locks_failing", "Documents whose lock could not be extended and is tried again."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				f, err := c.Vault.FailingLocks(ctx)
				return float64(f.Count), err == nil
			}},
		{desc("muniment_erasures_failing", "Erased documents whose content could not be deleted and is tried again."),
			prometheus.GaugeValue, func(ctx context.Context, c Config) (float64, bool) {
				f, err := c.Vault.FailingErasures(ctx)
				return float64(f.Count), err == nil
			}},
	}
}

// foundings counts the tenants of a kind.
func foundings(of func(access.Tenancy) bool) func(context.Context, Config) (float64, bool) {
	return func(ctx context.Context, c Config) (n float64, ok bool) {
		err := c.Journal.View(ctx, func(r journal.Reader) error {
			tenancies, err := c.Door.Authority().Tenancies(r)
			for _, one := range tenancies {
				if of(one) {
					n++
				}
			}
			return err
		})
		return n, err == nil
	}
}

// Describe implements prometheus.Collector.
func (p promiseMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, m := range promiseMetricsOf() {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (p promiseMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	for _, m := range promiseMetricsOf() {
		if value, ok := m.read(ctx, p.cfg); ok {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, value)
		}
	}
}
