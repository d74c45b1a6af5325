package key

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/openapi"
)

// A key's status says when a trim's waiting period ends by the clock, where that is not settled time, and what is not
// acknowledged.
func TestTrimEndsByTheClock(t *testing.T) {
	t.Parallel()
	ends := time.Date(2026, 12, 28, 10, 0, 0, 0, time.UTC)
	text := func(behind time.Duration) string {
		clock := ends.Add(behind)
		status := &openapi.KeyStatus{Trims: []openapi.Trim{
			{ID: "a", State: openapi.TrimStateProposed, Oldest: 2, NotBefore: ends, ClockNotBefore: &clock}}}
		if behind > time.Minute {
			length := behind.String()
			status.Unacknowledged = &length
		}
		table := &cli.Table{}
		keyTable(table, status)
		var out bytes.Buffer
		if err := table.Write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for behind, says := range map[time.Duration][]string{
		0: {"not before 2026-12-28 10:00:00\n"},
		48 * time.Hour: {"not before 2026-12-28 10:00:00 in settled time, 2026-12-30 10:00:00 by the clock\n",
			"48h0m0s that only the clock has measured; trims do not count it: muniment journal time\n"},
	} {
		for _, want := range says {
			if got := text(behind); !strings.Contains(got, want) {
				t.Errorf("%v behind, the status lacks %q:\n%s", behind, want, got)
			}
		}
	}
}
