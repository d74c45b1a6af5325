package principal

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
	"muniment/vault/access"
)

// founder is the origin of those who have founded a tenant.
const founder = access.OriginFounding

func foundCommand(p *cli.Program) *cobra.Command {
	var administrator, approver string
	var stop bool
	c := &cobra.Command{
		Use:   "found --administrator NAME --approver NAME | --stop",
		Short: "End the trial: two people found the tenant, for good",
		Long: `Prints a one-time code for each of two people. Each claims a key at a terminal of their own
(muniment principal claim). With the second claim the tenant is founded: what widens power,
destroys or lets go takes two people from then on, and every key of the trial is revoked, yours
included. That cannot be undone. Until then the command can be repeated, which makes earlier
codes void. Documents stay as they are. With --stop, a founding that is under way ends, or a recovery
(muniment principal recover), which any administrator or approver may.`,
		Example: `  muniment principal found --administrator "Ada Admin" --approver "Pat Approver"`,
		Args: func(c *cobra.Command, args []string) error {
			if stop {
				return cobra.NoArgs(c, args)
			}
			if administrator == "" || approver == "" {
				return errors.New("which two people? give --administrator and --approver, the names of two people")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: connected(p, func(ctx context.Context, r *remote.Client, _ []string) error {
			if stop {
				return stopFounding(ctx, p, r)
			}
			begun, err := r.FoundTenant(ctx, administrator, approver)
			if err != nil {
				return err
			}
			err = p.Emit(begun, func(t *cli.Table) {
				t.Row("ROLE", "NAME~", "CODE", "LAPSES")
				founderRow(t, "administrator", begun.Administrator)
				founderRow(t, "approver", begun.Approver)
			})
			if err == nil {
				tell(p.Stderr, "each of the two runs, on a terminal of their own: muniment principal claim, and gives "+
					"their code there")
				tell(p.Stderr, "when both have, the tenant is founded, and this API key is revoked")
			}
			return err
		}),
	}
	c.Flags().StringVar(&administrator, "administrator", "", "the name of the person who proposes from then on")
	c.Flags().StringVar(&approver, "approver", "", "the name of the person who approves from then on")
	c.Flags().BoolVar(&stop, "stop", false, "end what is under way")
	return c
}

func stopFounding(ctx context.Context, p *cli.Program, r *remote.Client) error {
	stopped, err := r.StopFounding(ctx)
	if err != nil {
		return err
	}
	return p.Emit(stopped, func(t *cli.Table) {
		t.Row("STOPPED")
		t.Row(cli.YesNo(stopped.Stopped))
	})
}

func founderRow(t *cli.Table, role string, f openapi.FounderCode) {
	t.Row(role, remote.Text(f.Name), f.Code, f.LapsesAt.Format(time.DateTime))
}
