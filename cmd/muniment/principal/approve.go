package principal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func approveCommand(p *cli.Program) *cobra.Command {
	var agreed bool
	c := &cobra.Command{
		Use:   "approve [ID]",
		Short: "Approve roles and keys that an administrator has proposed; without ID, list what waits",
		Long: `Shows what is approved: whose roles, before and after, and the fingerprints of the keys that speak
for them. Compare that of a new key with the one that the person has read to you. Then it
asks, unless --yes is given. What has changed since it was shown is not approved. Needs the
role approver; nobody approves what they have proposed, or what widens their own power.`,
		Example: "  muniment principal approve\n  muniment principal approve 0190b5a0-7c1e-7000-8000-0000000000c1",
		Args:    cobra.MaximumNArgs(1),
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			all, err := r.GrantProposals(ctx)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				waiting := slices.DeleteFunc(all.Proposals, func(one openapi.GrantProposal) bool {
					return one.State != openapi.GrantProposalStateProposed
				})
				return emitProposals(p, openapi.GrantProposalList{Proposals: waiting}, waiting)
			}
			at := slices.IndexFunc(all.Proposals, func(one openapi.GrantProposal) bool {
				return remote.Text(one.ID) == args[0]
			})
			if at < 0 {
				return cli.Hint(fmt.Errorf("there is no proposal %s", args[0]),
					"muniment principal approve lists those that wait")
			}
			wanted := all.Proposals[at]
			about, err := r.Principal(ctx, wanted.Principal, nil)
			if err != nil {
				return err
			}
			if err := showProposal(p, wanted, about.Keys); err != nil {
				return err
			}
			if !agreed {
				if err := p.Ask("Approve?", "--yes, once you have compared the fingerprints"); err != nil {
					return err
				}
			}
			approved, err := r.ApproveGrants(ctx, args[0], wanted.Digest)
			if err != nil {
				return err
			}
			return emitProposals(p, approved, []openapi.GrantProposal{*approved})
		}),
	}
	c.Flags().BoolVar(&agreed, "yes", false, "approve without asking")
	return c
}

// showProposal shows what is about to be approved, of a principal that has these keys.
func showProposal(p *cli.Program, one openapi.GrantProposal, has []openapi.PrincipalKey) error {
	t := &cli.Table{}
	t.Row("WHAT", "STATE")
	t.Row("principal", one.Principal)
	t.Row("name", orNone(remote.Text(one.Name)))
	t.Row("roles before", roles(one.Before))
	t.Row("roles after", roles(one.After))
	for _, key := range one.Keys {
		in := slices.ContainsFunc(has, func(k openapi.PrincipalKey) bool { return k.Fingerprint == key && k.Approved })
		if in {
			t.Row("key in force", key)
		} else {
			t.Row("new key", key)
		}
	}
	if len(one.Keys) == 0 {
		t.Row("new key", "none yet: it can be approved once the person has claimed one")
	}
	t.Row("proposed by", nameOf(one.ProposerName, remote.Text(one.Proposer))+", "+shown(one.ProposedAt))
	return t.Write(p.Stderr)
}

func declineCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "decline ID",
		Short: "Decline a proposal: nothing of it comes into force",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which proposal? give its id, which muniment principal approve lists")
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			declined, err := r.DeclineGrants(ctx, args[0])
			if err != nil {
				return err
			}
			return emitProposals(p, declined, []openapi.GrantProposal{*declined})
		}),
	}
}
