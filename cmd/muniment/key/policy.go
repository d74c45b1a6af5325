package key

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/vault/keys/transit"
)

func keyPolicyCommand(p *cli.Program) *cobra.Command {
	var place vaultFlags
	c := &cobra.Command{
		Use:   "policy gateway|custodian",
		Short: "Print the least Vault policy of the server, or of a key custodian",
		Long: `Prints a policy for HashiCorp Vault, as "vault policy write" takes it. The gateway's is the
server's: it uses the tenants' keys and cannot end the life of any. The custodian's is for
the persons who rotate and trim; it can read no document.`,
		Example:   "  muniment key policy gateway | vault policy write muniment-gateway -",
		Args:      cobra.MatchAll(cli.OneArgument("which policy? gateway or custodian"), cobra.OnlyValidArgs),
		ValidArgs: []string{"gateway", "custodian"},
		RunE: func(_ *cobra.Command, args []string) error {
			policies, err := transit.Policies(place.mount, place.prefix)
			if err != nil {
				return err
			}
			for _, policy := range policies {
				if !strings.HasSuffix(policy.Name, "-"+args[0]) {
					continue
				}
				if _, err := io.WriteString(p.Stdout, policy.HCL); err != nil {
					return fmt.Errorf("printing the policy: %w", err)
				}
			}
			return nil
		},
	}
	place.addTo(c.Flags())
	return c
}
