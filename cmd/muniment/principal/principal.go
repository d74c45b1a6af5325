// Package principal has the commands about people: who may do what, who approves it, and which key is whose.
package principal

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// whose is asked for where a principal's id is missing.
const whose = "which principal? give its id, which muniment principal list shows"

// Command is principal, with the commands below it.
func Command(p *cli.Program) *cobra.Command {
	c := &cobra.Command{
		Use:   "principal",
		Short: "Principals: who may do what, and who has approved it",
		Long: `A principal is a person or a system with a name, roles and API keys. On trial, the first key may
nearly everything, and one person gives roles. Once two people have founded the tenant, what
widens anybody's power takes two:

  muniment principal create --name NAME --role ROLE   an administrator proposes, and gets a one-time code
  muniment principal claim                            the person makes their key with it, and reads its fingerprint
  muniment principal approve ID                       an approver compares the fingerprint, and approves

Revoking takes one administrator.`,
	}
	c.AddCommand(listCommand(p), showCommand(p), matrixCommand(p), createCommand(p), grantCommand(p), approveCommand(p),
		declineCommand(p), revokeCommand(p), codeCommand(p), claimCommand(p), renameCommand(p), foundCommand(p),
		recoverCommand(p))
	return cli.Group(c)
}

// connected runs a call with a client of the server, as the principal of the API key.
func connected(p *cli.Program, call func(context.Context, *remote.Client, []string) error) func(*cobra.Command,
	[]string) error {
	return func(c *cobra.Command, args []string) error {
		r, err := remote.Connect(p)
		if err != nil {
			return err
		}
		return call(c.Context(), r, args)
	}
}

func listCommand(p *cli.Program) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the principals, with their roles and keys, now or at a past moment",
		Example: "  muniment principal list\n  muniment principal list --at 2026-11-22T10:00:00Z",
		Args:    cobra.NoArgs,
		RunE: connected(p, func(ctx context.Context, r *remote.Client, _ []string) error {
			moment, err := cli.ParseTime("--at", at)
			if err != nil {
				return err
			}
			all, err := r.Principals(ctx, moment)
			if err != nil {
				return err
			}
			return p.Emit(all, func(t *cli.Table) {
				t.Row("ID", "NAME~", "ROLES~", "KEYS", "CREATED")
				for _, one := range all.Principals {
					t.Row(one.ID, remote.Text(one.Name), roles(one.Grants), keys(one),
						one.CreatedAt.Format(time.DateTime))
				}
			})
		}),
	}
	atFlag(c, &at)
	return c
}

func atFlag(c *cobra.Command, at *string) {
	c.Flags().StringVar(at, "at", "", "as it was at this time or date, by what is on record (default: now)")
}

func showCommand(p *cli.Program) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one principal: its name, roles and the fingerprints of its keys",
		Args:  cli.OneArgument(whose),
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			moment, err := cli.ParseTime("--at", at)
			if err != nil {
				return err
			}
			one, err := r.Principal(ctx, args[0], moment)
			if err != nil {
				return err
			}
			return p.Emit(one, func(t *cli.Table) {
				t.Row("WHAT", "STATE")
				details(t, one)
			})
		}),
	}
	atFlag(c, &at)
	return c
}

// WhoAmICommand is whoami.
func WhoAmICommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Say which principal the API key speaks for, and what it may do",
		Args:  cobra.NoArgs,
		RunE: connected(p, func(ctx context.Context, r *remote.Client, _ []string) error {
			self, err := r.WhoAmI(ctx)
			if err != nil {
				return err
			}
			return p.Emit(self, func(t *cli.Table) {
				t.Row("WHAT", "STATE")
				t.Row("tenant", self.Tenant)
				t.Row("on trial", cli.YesNo(self.Trial))
				details(t, &self.Principal)
			})
		}),
	}
}

func renameCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:     "rename ID NAME",
		Short:   "Give a principal another display name; the old one is erased",
		Example: `  muniment principal rename 0190b5a0-7c1e-7000-8000-0000000000ac "Robin Reader"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give the principal's id and its new name, in quotes; there are %d arguments",
					len(args))
			}
			return nil
		},
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			named, err := r.RenamePrincipal(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return p.Emit(named, func(t *cli.Table) {
				t.Row("ID", "NAME")
				t.Row(args[0], named.Name)
			})
		}),
	}
}

// details are the rows of a table about one principal.
func details(t *cli.Table, one *openapi.Principal) {
	t.Row("id", one.ID)
	t.Row("name", orNone(remote.Text(one.Name)))
	t.Row("created", one.CreatedAt.Format(time.DateTime)+", "+one.Origin)
	t.Row("roles", roles(one.Grants))
	if len(one.Keys) == 0 {
		t.Row("key", keys(*one))
	}
	for _, key := range one.Keys {
		state := "in force"
		if !key.Approved {
			state = "waits for an approver"
		}
		t.Row("key "+key.Fingerprint, state+", since "+key.AddedAt.Format(time.DateTime))
	}
}

// keys says how many keys a principal has.
func keys(one openapi.Principal) string {
	waiting := 0
	for _, key := range one.Keys {
		if !key.Approved {
			waiting++
		}
	}
	var said []string
	if n := len(one.Keys) - waiting; n > 0 {
		said = append(said, fmt.Sprint(n))
	}
	if waiting > 0 {
		said = append(said, fmt.Sprintf("%d unapproved", waiting))
	}
	if len(said) == 0 && one.Revoked {
		return "revoked"
	}
	return orNone(strings.Join(said, ", "))
}

// roles writes grants as the command line takes them.
func roles(grants []openapi.Grant) string {
	said := make([]string, len(grants))
	for i, g := range grants {
		said[i] = string(g.Role)
		if g.Series != nil {
			said[i] += ":" + *g.Series
		}
	}
	return orNone(strings.Join(said, ", "))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// tell tells the person what comes next, on standard error: standard output has what they have asked for.
func tell(w io.Writer, format string, args ...any) { fmt.Fprintf(w, "  → "+format+"\n", args...) }
