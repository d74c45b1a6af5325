package key

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func keyTrimCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{
		Use:   "trim",
		Short: "Destroy old versions of the key, and with them what was erased in every backup",
	}
	oldest := 0
	propose := &cobra.Command{
		Use:   "propose",
		Short: "Propose to destroy the versions before the newest, or before --oldest",
		Long: `Everything that is kept must be wrapped with a newer version (muniment key rewrap), and a
verified backup must cover that (muniment backup). Then somebody else approves, and the
waiting period goes by. A proposal for more versions takes the place of one for fewer.`,
		Example: "  muniment key trim propose\n  muniment key trim propose --oldest 4",
		Args:    cobra.NoArgs,
		RunE: trimsOf(p, func(ctx context.Context, r *remote.Client, _ []string) (*openapi.Trim, error) {
			return r.ProposeTrim(ctx, oldest)
		}),
	}
	propose.Flags().IntVar(&oldest, "oldest", 0, "the oldest version to keep; 0 for the newest")
	approve := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve what somebody else has proposed",
		Long:  `Needs the role approver, which no key custodian has. The approval lapses after 90 days.`,
		Args:  cli.OneArgument("which trim? give its id, which muniment key status shows"),
		RunE: trimsOf(p, func(ctx context.Context, r *remote.Client, args []string) (*openapi.Trim, error) {
			return r.ApproveTrim(ctx, args[0])
		}),
	}
	var place vaultFlags
	var agreed agreedTrim
	run := &cobra.Command{
		Use:   "run ID",
		Short: "Carry it out, for good",
		Long: `Destroys the versions. Everything that they have wrapped, in any copy and any backup, is
unreadable from then on. Where the keys are in HashiCorp Vault, the versions are trimmed there with
your own VAULT_ADDR and VAULT_TOKEN; there --oldest and --journal are required, and go by
what you and the other person have agreed on and written down, so that a server that was
broken into cannot have other versions, or another installation's key, destroyed. Copies of
the key service's own storage from before the trim, such as snapshots of Vault, still open
what was erased until they are destroyed too. A trim that was broken off is brought to its end by the same command, of
any key custodian's.`,
		Example: "  muniment key trim run 0190b5a0-7c1e-7000-8000-0000000000b1\n" +
			"  muniment key trim run 0190b5a0-7c1e-7000-8000-0000000000b1 --oldest 4 " +
			"--journal 0190b5a0-7c1e-7000-8000-0000000000a0",
		Args: cli.OneArgument("which trim? give its id, which muniment key status shows"),
		RunE: trimsOf(p, func(ctx context.Context, r *remote.Client, args []string) (*openapi.Trim, error) {
			return runTrim(ctx, p, r, args[0], place, agreed)
		}),
	}
	place.addTo(run.Flags())
	run.Flags().IntVar(&agreed.oldest, "oldest", 0,
		"the oldest version to keep, as it was proposed and approved; required with Vault")
	run.Flags().StringVar(&agreed.journal, "journal", "",
		"the journal whose tenant's key it is, as muniment key status showed it when it was agreed on; required "+
			"with Vault")
	run.Flags().StringVar(&agreed.tenant, "tenant", "default", "whose key it is; looked at with Vault")
	c.AddCommand(propose, approve, run)
	return cli.Group(c)
}

// trimsOf runs a call that answers with a trim.
func trimsOf(p *cli.Program, call func(context.Context, *remote.Client, []string) (*openapi.Trim,
	error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		r, err := remote.Connect(p)
		if err != nil {
			return err
		}
		trim, err := call(c.Context(), r, args)
		if err != nil {
			return err
		}
		return p.Emit(trim, func(t *cli.Table) {
			t.Row("ID", "OLDEST>", "STATE")
			t.Row(trim.ID, trim.Oldest, trimText(*trim))
		})
	}
}

// trimText says where a trim stands, and what comes next.
func trimText(t openapi.Trim) string {
	at := func(when *time.Time) string {
		if when == nil {
			return ""
		}
		return when.Format(time.DateTime)
	}
	notBefore := at(&t.NotBefore)
	if clock := t.ClockNotBefore; clock != nil && clock.Sub(t.NotBefore).Abs() > time.Minute {
		notBefore += " in settled time, " + at(clock) + " by the clock"
	}
	switch t.State {
	case openapi.TrimStateProposed:
		return fmt.Sprintf("proposed by %s: versions before %d; waits for an approver; not before %s",
			cli.Actor(remote.Text(t.ProposerName), t.Proposer), t.Oldest, notBefore)
	case openapi.TrimStateApproved:
		return fmt.Sprintf("approved by %s: versions before %d; not before %s, approval lapses %s",
			cli.Actor(remote.Text(t.ApproverName), remote.Text(t.Approver)), t.Oldest, notBefore,
			at(t.ApprovalLapsesAt))
	case openapi.TrimStateBegun:
		return fmt.Sprintf("begun: versions before %d; muniment key trim run brings it to its end", t.Oldest)
	case openapi.TrimStateDone:
		return fmt.Sprintf("done %s: versions before %d are gone from the key service; older copies of its storage "+
			"(snapshots, copies of keys.json) still open what was erased: destroy them too", at(t.DoneAt), t.Oldest)
	}
	return string(t.State)
}

// agreedTrim is what the custodian knows of a trim without asking the server.
type agreedTrim struct {
	oldest  int
	journal string
	tenant  string
}

// check refuses to destroy what was not agreed on, whatever the server says.
func (a agreedTrim) check(journal, tenant string, oldest int) error {
	if a.journal != journal || a.tenant != tenant || a.oldest != oldest {
		return cli.Hint(fmt.Errorf("the server would have the versions before %d of the tenant %s of the journal %s "+
			"destroyed, and agreed are those before %d of %s of %s",
			oldest, tenant, journal, a.oldest, a.tenant, a.journal),
			"nothing was destroyed; if you have mistyped it, repeat the command, else find out who has changed "+
				"the server")
	}
	return nil
}

// runTrim has the server begin, trims in the key service where that is ours to do, and has the server put it on record.
func runTrim(ctx context.Context, p *cli.Program, r *remote.Client, id string, place vaultFlags,
	agreed agreedTrim) (*openapi.Trim, error) {
	status, err := r.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if status.Custody != openapi.Elsewhere {
		return r.RunTrim(ctx, id)
	}
	if agreed.oldest < 1 || agreed.journal == "" {
		return nil, cli.Hint(errors.New("the keys are in Vault, and which versions of which key are to be destroyed "+
			"is for you to say"),
			"give --oldest, the oldest version to keep, as it was proposed and approved, and --journal, as muniment "+
				"key status showed it then")
	}
	name, err := keyName(agreed.journal, agreed.tenant)
	if err != nil {
		return nil, err
	}
	custodian, err := custodian(ctx, p, place) // before anything begins that cannot go on
	if err != nil {
		return nil, err
	}
	defer custodian.Close()
	trim, err := r.RunTrim(ctx, id)
	if err != nil || trim.State != openapi.TrimStateBegun {
		return trim, err
	}
	if err := agreed.check(status.Journal, status.Tenant, trim.Oldest); err != nil {
		return nil, err
	}
	if err := custodian.Trim(ctx, name, trim.Oldest); err != nil {
		return nil, cli.Hint(fmt.Errorf("trimming the key in Vault: %w", err), "the same command goes on from here")
	}
	return r.RunTrim(ctx, id)
}
