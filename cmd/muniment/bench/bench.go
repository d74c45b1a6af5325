// Package bench measures this program on this machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/bench/measure"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
)

// bench is one run of the measurements.
type bench struct {
	p      *cli.Program
	parent string        // where folders are made; empty means the system's temporary one
	each   time.Duration // how long each rate is measured
	size   config.Size   // of the large documents
	// documents and principals are how many the start-up is measured with.
	documents, principals int
	figures               []figure
}

// figure is one result.
type figure struct {
	Part  string  `json:"part"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// part is a group of measurements.
type part struct {
	name, what string
	run        func(*bench, context.Context, string) error // in an empty folder
}

func parts() []part {
	return []part{
		{"machine", "the machine's own limits, which the other figures stand beside", (*bench).machine},
		{"journal", "events/s and latencies of the journal with 1, 64 and 1024 writers", (*bench).journal},
		{"http", "deposits and reads over loopback with 8 clients, the server in a process of its own", (*bench).http},
		{"memory", "the server's peak anonymous memory with 8 large uploads at once", (*bench).memory},
		{"range", "a range of 1 MiB at the end of a large document, and reading all of it", (*bench).ranges},
		{"proof", "making and verifying evidence", (*bench).proof},
		{"start", "from starting the server over many documents and principals to the first read and deposit: after " +
			"a clean stop, after kill -9, and with a copy of its database", (*bench).startup},
	}
}

// Command is bench.
func Command(p *cli.Program) *cobra.Command {
	b := &bench{p: p, size: 1 << 30}
	var names []string
	long := "Measures this machine with this program, in folders of its own that it removes. The parts:\n"
	for _, part := range parts() {
		names = append(names, part.name)
		long += fmt.Sprintf("\n  %-8s  %s", part.name, part.what)
	}
	size := b.size.String()
	c := &cobra.Command{
		Use:   "bench [" + strings.Join(names, "|") + "] …",
		Short: "Measure: events/s, deposits/s, memory, ranges, proofs, start-up",
		Long: long + "\n\nmemory and range write as much as their uploads have; start takes minutes to make " +
			"a million documents.",
		ValidArgs: names,
		Args:      cobra.OnlyValidArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := b.size.UnmarshalText([]byte(size)); err != nil {
				return fmt.Errorf("--size: %w", err)
			}
			return b.run(c.Context(), args)
		},
	}
	f := c.Flags()
	f.StringVar(&b.parent, "dir", "", "where to make the folders (default: the system's temporary folder)")
	f.DurationVar(&b.each, "time", 3*time.Second, "how long to measure each rate")
	f.StringVar(&size, "size", size, "the size of a large document")
	f.IntVar(&b.documents, "documents", 1_000_000, "how many documents the start-up is measured with")
	f.IntVar(&b.principals, "principals", 10_000, "how many principals the start-up is measured with")
	return c
}

// run runs the parts named, or all of them, and writes what was measured, also when one fails.
func (b *bench) run(ctx context.Context, names []string) error {
	var failed error
	for _, part := range parts() {
		if len(names) > 0 && !slices.Contains(names, part.name) {
			continue
		}
		fmt.Fprintf(b.p.Stderr, "bench %s: %s\n", part.name, part.what)
		if err := b.inFolder(ctx, part); err != nil {
			failed = fmt.Errorf("measuring %s: %w", part.name, err)
			break
		}
	}
	err := b.p.Emit(b.figures, func(t *cli.Table) {
		t.Row("PART", "WHAT", "FIGURE>", "UNIT")
		for _, f := range b.figures {
			t.Row(f.Part, f.What, measure.Digits(f.Value), f.Unit)
		}
	})
	return errors.Join(failed, err)
}

func (b *bench) inFolder(ctx context.Context, part part) (err error) {
	dir, err := os.MkdirTemp(b.parent, "muniment-bench-*")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return part.run(b, ctx, dir)
}

func (b *bench) add(part, what string, value float64, unit string) {
	b.figures = append(b.figures, figure{part, what, value, unit})
}

// addRate adds what a rate and its latencies came to.
func (b *bench) addRate(part, what, unit string, r measure.Rate) {
	b.add(part, what, float64(len(r.Took))/r.Elapsed.Seconds(), unit+"/s")
	b.add(part, what+", p50", measure.Milliseconds(r.Percentile(50)), "ms")
	b.add(part, what+", p99", measure.Milliseconds(r.Percentile(99)), "ms")
}
