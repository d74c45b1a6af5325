package key

import (
	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
)

func keyReshipCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "reship",
		Short: "Change the key that authenticates what the journal ships",
		Long: `Draws a new shipping key, has the key service wrap it, and ships all of the history again
under it, in the background: for when the present one may be known to others. Needs the
role key custodian. It is on record, and each call changes the key once more. Nothing new is
released until all is shipped again: "muniment key status" says how far that has come.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			done, err := r.ReshipKey(c.Context())
			if err != nil {
				return err
			}
			return p.Emit(done, func(t *cli.Table) {
				t.Row("SHIPPING KEY>")
				t.Row(done.Version)
			})
		},
	}
}
