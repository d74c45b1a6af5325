package principal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func codeCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "code ID",
		Short: "Issue a one-time code with which a person claims a further key",
		Long: `For a key that was lost, or that is to be changed: the person claims another with the code, an
administrator proposes it (muniment principal grant ID), and an approver approves. A code
that was issued before and not used is void. Revoke a lost key first: muniment principal
revoke ID.`,
		Args: cli.OneArgument(whose),
		RunE: connected(p, func(ctx context.Context, r *remote.Client, args []string) error {
			issued, err := r.IssueCode(ctx, args[0])
			if err != nil {
				return err
			}
			err = p.Emit(issued, func(t *cli.Table) {
				t.Row("PRINCIPAL", "CODE", "LAPSES")
				t.Row(issued.Principal, issued.Code, issued.LapsesAt.Format(time.DateTime))
			})
			if err == nil {
				tell(p.Stderr, "the person runs, on a terminal of their own: muniment principal claim, and gives the "+
					"code there")
				tell(p.Stderr, "then run: muniment principal grant %s, which proposes the key to an approver",
					issued.Principal)
			}
			return err
		}),
	}
}

func claimCommand(p *cli.Program) *cobra.Command {
	var name, to string
	c := &cobra.Command{
		Use:   "claim [CODE]",
		Short: "Make your API key with a one-time code; it is shown this once",
		Long: `Reads the code from the argument, or else from standard input, where a terminal does not show
it. It needs no API key. The key is printed this once, or written to a new file with --to, and
its fingerprint is what you read to the approver who approves it: nobody else has seen the
key, and by the fingerprint the approver knows that it is yours.`,
		Example: "  muniment principal claim --to my.token\n" +
			"  muniment principal claim --name \"Ada Admin\" --url https://records.example.org",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.ConnectWithoutKey(p)
			if err != nil {
				return err
			}
			code, err := codeFrom(p, args)
			if err != nil {
				return err
			}
			if code == "" {
				return errors.New("there is no code; an administrator issues one: muniment principal code ID")
			}
			return claim(c.Context(), p, r, code, name, to)
		},
	}
	c.Flags().StringVar(&name, "name", "", "what people call you, where you have no name yet or another one")
	c.Flags().StringVar(&to, "to", "", "write the key to this file, which must not be there yet, and do not print it")
	return c
}

// codeFrom is the code in the argument, or else the one that is typed in.
func codeFrom(p *cli.Program, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	return p.Secret("One-time code")
}

// claim claims a key. The file that it goes to is made first: a key that cannot be kept would be lost with the code.
func claim(ctx context.Context, p *cli.Program, r *remote.Client, code, name, to string) (err error) {
	var file *os.File
	if to != "" {
		if file, err = os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return fmt.Errorf("making the file for the key: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	claimed, err := r.ClaimKey(ctx, code, name)
	if err != nil {
		if file != nil {
			err = errors.Join(err, os.Remove(to))
		}
		return err
	}
	if file != nil {
		if _, err := file.WriteString(claimed.Key + "\n"); err != nil {
			return fmt.Errorf("keeping the key: %w", err)
		}
		if claimed.Key = ""; !p.JSON() {
			claimed.Key = "in " + to
		}
	}
	err = p.Emit(claimed, func(t *cli.Table) {
		t.Row("PRINCIPAL", "NAME~", "FINGERPRINT", "API KEY")
		t.Row(claimed.Principal.ID, remote.Text(claimed.Principal.Name), claimed.Fingerprint, claimed.Key)
	})
	if err == nil {
		sayNext(p, claimed)
	}
	return err
}

// sayNext says what becomes of a key that was just claimed.
func sayNext(p *cli.Program, claimed *openapi.Claim) {
	switch {
	case claimed.Founded:
		tell(p.Stderr, "the tenant is founded: your key and the other founder's are in force, and every other is "+
			"revoked")
	case claimed.InForce:
		tell(p.Stderr, "the key is in force")
	case claimed.Principal.Origin == founder:
		tell(p.Stderr, "the key is in force once the other founder has claimed theirs, too")
	default:
		tell(p.Stderr, "read this to your approver: my key's fingerprint is %s", claimed.Fingerprint)
		tell(p.Stderr, "the key is in force once they have compared and approved it: muniment principal approve")
	}
}
