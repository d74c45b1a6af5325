package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func timeCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "time",
		Short: "Show the settled time, what waits, and what an approver should acknowledge",
		Long: `Waiting periods go by settled time, which nobody moves forward by putting the clock forward: it
goes by what passes while the server runs. A stop of the server does not count, and when the
clock was put forward, or the machine slept, what was waiting begins anew. Where the time did
pass, an approver who has begun nothing that waits acknowledges it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			status, err := r.Time(c.Context())
			if err != nil {
				return err
			}
			return p.Emit(status, func(t *cli.Table) { timeTable(t, status) })
		},
	}
}

func acknowledgeCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "acknowledge INDEX LENGTH",
		Short: "Acknowledge that the server was stopped, or its machine slept, for so long",
		Long: `What had begun to wait before counts that time from then on. Needs the role approver, and
somebody who has begun nothing that waits. INDEX and LENGTH are those that muniment journal
time shows: find out first whether the time did pass, for instance from what another machine
recorded. On record for ever is that you have said so.`,
		Example: "  muniment journal acknowledge 812 60h0m12s",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("which gap? give its index and its length, which muniment journal time shows")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return cli.Hint(fmt.Errorf("%q is not the index of an event", args[0]),
					"muniment journal time shows the indexes of the gaps")
			}
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			status, err := r.AcknowledgeTime(c.Context(), index, args[1])
			if err != nil {
				return err
			}
			return p.Emit(status, func(t *cli.Table) { timeTable(t, status) })
		},
	}
}

func timeTable(t *cli.Table, s *openapi.TimeStatus) {
	t.Row("WHAT", "STATE")
	t.Row("settled time", s.Settled.Format(time.DateTime))
	t.Row("clock", s.Clock.Format(time.DateTime))
	for _, w := range s.Waits {
		who := cli.Actor(remote.Text(w.ActorName), w.Actor)
		t.Row(w.What+" "+strconv.FormatUint(w.Index, 10), fmt.Sprintf("of %s, waits until %s in settled time, %s by "+
			"the clock", who, w.Ends.Format(time.DateTime), w.ClockEnds.Format(time.DateTime)))
	}
	if len(s.Waits) == 0 {
		t.Row("waiting", "nothing waits")
		return
	}
	for _, g := range s.Gaps {
		what := "the server did not run"
		if g.Kind == openapi.Step {
			what = "the clock went forward, or the machine slept; what waited has begun anew"
		}
		t.Row("gap "+strconv.FormatUint(g.Index, 10), fmt.Sprintf("%s: %s; if so much time did pass, an approver "+
			"says so: muniment journal acknowledge %d %s", g.Length, what, g.Index, g.Length))
	}
}
