package principal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/people"
)

// recovery is what a recovery gives out.
type recovery struct {
	Administrator recoveryCode `json:"administrator"`
	Approver      recoveryCode `json:"approver"`
	NotBefore     time.Time    `json:"not_before"`
}

// recoveryCode is one person's code of a recovery.
type recoveryCode struct {
	Principal string    `json:"principal"`
	Name      string    `json:"name"`
	Code      string    `json:"code"`
	Lapses    time.Time `json:"lapses_at"`
}

func recoverCommand(p *cli.Program) *cobra.Command {
	var at cli.ConfigFlags
	var administrator, approver string
	c := &cobra.Command{
		Use:   "recover --administrator NAME --approver NAME",
		Short: "Where no administrator or no approver is left: put two other people in their place, after a wait",
		Long: `The operator's act, with the server stopped. It prints a one-time code for each of two people, who
claim their keys with the server running again, once the waiting period of trims has passed. Until
then the recovery is an alarm, on record, in /readyz and in the doctor, and any administrator or
approver who is there after all can stop it: muniment principal found --stop. The keys of others
stay in force.`,
		Example: "  muniment principal recover --config /etc/muniment/muniment.yaml " +
			`--administrator "Ada Admin" --approver "Pat Approver"`,
		Args: func(c *cobra.Command, args []string) error {
			if administrator == "" || approver == "" {
				return errors.New("which two people? give --administrator and --approver, the names of two people")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := p.LoadConfig(c, at)
			if err != nil {
				return err
			}
			begun, err := recoverIn(c.Context(), cfg, administrator, approver)
			if err != nil {
				return err
			}
			return emitRecovery(p, begun)
		},
	}
	at.AddTo(c.Flags())
	c.Flags().StringVar(&administrator, "administrator", "", "the name of the person who is to propose")
	c.Flags().StringVar(&approver, "approver", "", "the name of the person who is to approve")
	return c
}

// recoverIn begins a recovery in a vault that nobody serves.
func recoverIn(ctx context.Context, cfg config.Config, administrator, approver string) (begun people.Founding,
	err error) {
	if _, err := os.Lstat(node.Folder(cfg.Data).Journal()); errors.Is(err, fs.ErrNotExist) {
		return begun, cli.Hint(fmt.Errorf("%s has no journal", cfg.Data), "name the server's --config or --data")
	}
	n, err := node.Open(ctx, cfg, slog.New(slog.DiscardHandler), node.OpenStorage)
	if err != nil {
		return begun, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	begun, err = n.People.Recover(ctx, vault.DefaultTenant, administrator, approver, time.Duration(cfg.Keys.TrimAfter))
	if errors.Is(err, people.ErrNotFound) {
		err = cli.Hint(errors.New("the vault was never founded by two people: there is nobody to be replaced"),
			"on trial: muniment principal found; else start the server, which prints new codes for the founders")
	}
	return begun, err
}

func emitRecovery(p *cli.Program, begun people.Founding) error {
	code := func(f people.FounderCode) recoveryCode {
		return recoveryCode{f.Principal.String(), f.Name, f.Code.Reveal(), f.Lapses.UTC()}
	}
	out := recovery{code(begun.Administrator), code(begun.Approver), begun.NotBefore.UTC()}
	err := p.Emit(out, func(t *cli.Table) {
		t.Row("ROLE", "NAME~", "CODE", "NOT BEFORE", "LAPSES")
		t.Row("administrator", out.Administrator.Name, out.Administrator.Code, out.NotBefore.Format(time.DateTime),
			out.Administrator.Lapses.Format(time.DateTime))
		t.Row("approver", out.Approver.Name, out.Approver.Code, out.NotBefore.Format(time.DateTime),
			out.Approver.Lapses.Format(time.DateTime))
	})
	if err == nil {
		tell(p.Stderr,
			"start the server again; from NOT BEFORE on, and before LAPSES, each of the two runs, at a terminal of "+
				"their own: muniment principal claim")
	}
	return err
}
