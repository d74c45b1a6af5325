// Package doctor checks everything that a server depends on, and says what to do about it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
)

// checkTime is how long one check of the doctor's may take.
const checkTime = 15 * time.Second

// verdict says how a part of the system stands.
type verdict string

// The verdicts. Only isFailure makes the doctor exit with 1.
const (
	isWell    verdict = "ok"
	isWarning verdict = "warn"
	isFailure verdict = "fail"
)

// diagnosis is one line of the doctor's.
type diagnosis struct {
	Check string  `json:"check"`
	State verdict `json:"state"`
	Found string  `json:"found"`
	Next  string  `json:"next,omitempty"` // what to do
}

// examination is one check. It may come to several lines, and adds them as it goes: what it has found when its time is
// up is kept.
type examination struct {
	name string
	run  func(ctx context.Context, r *report)
}

// report takes what a check finds.
type report struct {
	check string

	mu    sync.Mutex
	lines []diagnosis
}

func (r *report) add(part string, state verdict, next, found string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.check
	if part != "" {
		name += ": " + part
	}
	r.lines = append(r.lines, diagnosis{name, state, fmt.Sprintf(found, args...), next})
}

// ok, warn and fail add a line; part may be empty.
func (r *report) ok(part, found string, args ...any) { r.add(part, isWell, "", found, args...) }
func (r *report) warn(part, next, found string, args ...any) {
	r.add(part, isWarning, next, found, args...)
}
func (r *report) fail(part, next, found string, args ...any) {
	r.add(part, isFailure, next, found, args...)
}

// refused adds an error as a failure, with its own advice if it has one.
func (r *report) refused(part string, err error, otherwise string) {
	if next, ok := cli.HintOf(err); ok {
		otherwise = next
	}
	r.fail(part, otherwise, "%v", err)
}

// end is what was found so far: what a check that hangs adds later is too late.
func (r *report) end() []diagnosis {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Command is doctor.
func Command(p *cli.Program) *cobra.Command {
	var at cli.ConfigFlags
	d := doctor{Program: p}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that the server depends on, and say what to do about it",
		Long: `Checks configuration, data folder, clock, journal, release bucket, documents' store, key
service, ledgers and the addresses that are listened on, each by itself and each for at most
` + checkTime.String() + `: one that fails stops no other. A running server may go on; what it alone can know is
asked of its /readyz.

It changes nothing but for these probes, which it takes away again as far as they are not
locked: a file in the data folder, written and synced; an object in the release bucket,
written under conditions; and an object in the documents' bucket, put under a lock of some
minutes, which it then tries to delete, to shorten and to overwrite.

With --url, and the token of a records officer or administrator, the server itself tries the
documents' store and puts the result on record: series that demand immutability go by it.

With --create-buckets it makes the two buckets where there are none: the documents' with
versions and Object Lock, the release bucket without.

It exits 0 when nothing has failed, and 1 when something has; warnings are no failures.`,
		Example: "  muniment doctor --config /etc/muniment/muniment.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.place = at
			if c.Flags().Changed("data") {
				d.folder = &at.Data
			}
			return d.run(c.Context())
		},
	}
	at.AddTo(c.Flags())
	c.Flags().BoolVar(&d.create, "create-buckets", false,
		"make the two buckets on S3, each of its kind, where there are none")
	return c
}

// doctor examines what a configuration names.
type doctor struct {
	*cli.Program
	place  cli.ConfigFlags
	folder *string // --data, if it was given
	create bool    // --create-buckets
	cfg    config.Config
	ready  readiness
}

func (d *doctor) run(ctx context.Context) error {
	var lines []diagnosis
	lines = append(lines, examine(ctx, checkTime, examination{"configuration", d.configuration})...)
	// The server is asked before the others: what it holds open is not opened a second time.
	lines = append(lines, examine(ctx, checkTime, examination{"server", d.server})...)
	if d.create {
		lines = append(lines, examine(ctx, checkTime, examination{"buckets", d.createBuckets})...)
	}
	all := d.examinations()
	results := make([][]diagnosis, len(all))
	var done sync.WaitGroup
	for i, e := range all {
		done.Go(func() { results[i] = examine(ctx, checkTime, e) })
	}
	done.Wait()
	for _, some := range results {
		lines = append(lines, some...)
	}
	return d.conclude(lines)
}

// examinations are the checks besides those of configuration and server, in the order of their lines.
func (d *doctor) examinations() []examination {
	return []examination{
		{"data folder", d.dataFolder},
		{"open files", d.openFiles},
		{"addresses", d.addresses},
		{"clock", d.clock},
		{"TLS", d.tls},
		{"release bucket", d.releaseBucket},
		{"documents' store", d.documentStore},
		{"attestation", d.attestation},
		{"key service", d.keyService},
		{"ledger", d.ledger},
		{"journal", d.journal},
		{"server", d.cautions},
	}
}

// examine runs one check and ends it when its time is up, whether it heeds its context or not.
func examine(ctx context.Context, most time.Duration, e examination) []diagnosis {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	r := &report{check: e.name}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.run(ctx, r)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select { // one that heeds its context says more
		case <-done:
		case <-time.After(time.Second):
			r.fail("", "find out what hangs: the lines above and below say what answers", "it came to no end within %v",
				most)
		}
	}
	return r.end()
}

// conclude prints the lines and says how many have failed.
func (d *doctor) conclude(lines []diagnosis) error {
	count := map[verdict]int{}
	for _, l := range lines {
		count[l.State]++
	}
	err := d.Emit(lines, func(t *cli.Table) {
		t.Row("CHECK", "STATE", "FOUND, AND WHAT TO DO")
		for _, l := range lines {
			t.Row(l.Check, l.State, l.Found)
			if l.Next != "" {
				t.Row("", "", "→ "+l.Next)
			}
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.Stderr, "%d ok, %d to be looked at, %d failed\n", count[isWell], count[isWarning], count[isFailure])
	if count[isFailure] > 0 {
		return errors.New("something that the server needs is not as it must be")
	}
	return nil
}
