package principal

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// rolesText says what --role takes.
const rolesText = `The roles are depositor, reader, records_officer, approver, auditor, key_custodian and
administrator, each for the whole tenant or, as ROLE:SERIES, for one record series;
"muniment principal matrix" says what each may do, and which do not go together.`

func roleFlag(c *cobra.Command, roles *[]string, usage string) {
	c.Flags().StringSliceVar(roles, "role", nil, usage)
}

func createCommand(p *cli.Program) *cobra.Command {
	var name string
	var roles []string
	c := &cobra.Command{
		Use:   "create --name NAME --role ROLE …",
		Short: "Create a principal: propose its roles, and get a one-time code for its key",
		Long: rolesText + `
Give each person a principal of their own: what takes two people takes two principals. The
name is shown to those who may see names, and can be changed or erased; it stands in no log.
The code is for that person alone: give it to them in person, or by a way that nobody else
reads. On trial the roles are given at once, and the API key itself is printed, this once.`,
		Example: "  muniment principal create --name \"Robin Reader\" --role reader:permits\n" +
			"  muniment principal create --name \"Intake of the building office\" --role depositor:permits",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case name == "":
				return errors.New("which name? give --name, such as --name \"Robin Reader\"")
			case len(roles) == 0:
				return errors.New("which role? give --role, such as --role depositor or --role reader:permits")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: connected(p, func(ctx context.Context, r *remote.Client, _ []string) error {
			created, err := r.CreatePrincipal(ctx, name, grantsOf(roles))
			if err != nil {
				return err
			}
			return emitCreated(p, created)
		}),
	}
	c.Flags().StringVar(&name, "name", "", "what people call the person or system")
	roleFlag(c, &roles, "a role, or ROLE:SERIES; may be repeated")
	return c
}

func emitCreated(p *cli.Program, created *openapi.CreatedPrincipal) error {
	err := p.Emit(created, func(t *cli.Table) {
		if created.Key != nil {
			t.Row("ID", "NAME~", "ROLES", "API KEY")
			t.Row(created.ID, remote.Text(created.Name), roles(created.Grants), *created.Key)
			return
		}
		t.Row("ID", "NAME~", "CODE", "LAPSES")
		t.Row(created.ID, remote.Text(created.Name), remote.Text(created.Code), shown(created.CodeLapsesAt))
	})
	if err != nil || created.Code == nil {
		return err
	}
	tell(p.Stderr, "%s runs, on a terminal of their own: muniment principal claim, and gives the code there",
		cli.Visible(remote.Text(created.Name)))
	if created.Proposal != nil {
		tell(p.Stderr, "then they read the key's fingerprint to an approver, who runs: muniment principal approve %s",
			remote.Text(created.Proposal.ID))
	}
	return nil
}

func grantCommand(p *cli.Program) *cobra.Command {
	var added []string
	c := &cobra.Command{
		Use:   "grant ID [--role ROLE …]",
		Short: "Propose further roles for a principal; without --role, its further keys alone",
		Long: rolesText + `
Nothing changes before an approver approves. The proposal also covers the keys that the
principal has claimed and nobody has approved yet; without --role it is about those alone.`,
		Example: "  muniment principal grant 0190b5a0-7c1e-7000-8000-0000000000ac --role reader:permits",
		Args:    cli.OneArgument(whose),
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			proposed, err := r.ProposeGrants(ctx, args[0], grantsOf(added))
			if err != nil {
				return err
			}
			if err := emitProposals(p, proposed, []openapi.GrantProposal{*proposed}); err != nil {
				return err
			}
			if proposed.ID != nil { // else on trial, where nobody has to approve
				tell(p.Stderr, "an approver runs: muniment principal approve %s", *proposed.ID)
			}
			return nil
		}),
	}
	roleFlag(c, &added, "a role to be added, or ROLE:SERIES; may be repeated")
	return c
}

func revokeCommand(p *cli.Program) *cobra.Command {
	var gone []string
	c := &cobra.Command{
		Use:   "revoke ID [--role ROLE …]",
		Short: "Revoke every API key of a principal or, with --role, roles of it",
		Long: `Without --role, no key speaks for the principal from then on, and what it has under way is
refused at its next check; its roles and its record stay. With --role, it loses these roles,
exactly as they were granted. Revoking takes one administrator. Nobody can revoke their own
keys.`,
		Example: "  muniment principal revoke 0190b5a0-7c1e-7000-8000-0000000000ac\n" +
			"  muniment principal revoke 0190b5a0-7c1e-7000-8000-0000000000ac --role reader:permits",
		Args: cli.OneArgument(whose),
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			if len(gone) > 0 {
				left, err := r.RevokeGrants(ctx, args[0], grantsOf(gone))
				if err != nil {
					return err
				}
				return p.Emit(left, func(t *cli.Table) {
					t.Row("ID", "NAME~", "ROLES")
					t.Row(left.ID, remote.Text(left.Name), roles(left.Grants))
				})
			}
			done, err := r.RevokeKeys(ctx, args[0])
			if err != nil {
				return err
			}
			return p.Emit(done, func(t *cli.Table) {
				t.Row("REVOKED>")
				t.Row(done.Revoked)
			})
		}),
	}
	roleFlag(c, &gone, "a role to be taken away, or ROLE:SERIES; may be repeated (default: all keys)")
	return c
}

// emitProposals writes v, or proposals as a table.
func emitProposals(p *cli.Program, v any, all []openapi.GrantProposal) error {
	return p.Emit(v, func(t *cli.Table) {
		t.Row("ID", "STATE", "PRINCIPAL~", "ROLES BEFORE~", "ROLES AFTER~", "PROPOSED BY~", "LAPSES")
		for _, one := range all {
			t.Row(remote.Text(one.ID), one.State, nameOf(one.Name, one.Principal), roles(one.Before),
				roles(one.After), nameOf(one.ProposerName, remote.Text(one.Proposer)), shown(one.LapsesAt))
		}
	})
}

// nameOf is a name, or else the id, shortened.
func nameOf(name *string, id string) string { return cli.Actor(remote.Text(name), id) }

func shown(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.DateTime)
}

// grantsOf reads roles as the command line has them.
func grantsOf(roles []string) []openapi.Grant {
	grants := make([]openapi.Grant, len(roles))
	for i, text := range roles {
		role, series, _ := strings.Cut(text, ":")
		grants[i] = openapi.Grant{Role: openapi.GrantRole(role), Series: remote.Optional(series)}
	}
	return grants
}
