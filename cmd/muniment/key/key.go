// Package key has the commands for the life of the tenant's key: rotate, rewrap, trim.
package key

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// Command is key, with the commands below it.
func Command(p *cli.Program) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "The life of the tenant's key: rotate, rewrap, trim",
		Long: `The tenant's key wraps the keys of all its documents. Erased documents can be opened
from older backups until the versions of the key that they need are destroyed, which takes
these steps, by at least two people:

  muniment key rotate             a key custodian gives the key a newer version
  muniment key rewrap             everything that is kept is wrapped with it
  muniment backup …               a backup is made and verified: earlier ones become unreadable
  muniment key trim propose       a key custodian proposes to destroy the old versions
  muniment key trim approve ID    an approver approves
  muniment key trim run ID        after the waiting period, a key custodian carries it out

Where the keys are in HashiCorp Vault, rotate and "trim run" act there with your own
credentials: VAULT_ADDR, VAULT_TOKEN and, where they are needed, VAULT_CACERT and
VAULT_NAMESPACE, as for the vault command. The server's own may not.`,
	}
	c.AddCommand(keyStatusCommand(p), keyRotateCommand(p), keyRewrapCommand(p), keyTrimCommand(p), keyReshipCommand(p),
		keyPolicyCommand(p))
	return cli.Group(c)
}

func keyStatusCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say which versions there are, and how far rewraps and trims have come",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			status, err := r.Keys(c.Context())
			if err != nil {
				return err
			}
			return p.Emit(status, func(t *cli.Table) { keyTable(t, status) })
		},
	}
}

func keyTable(t *cli.Table, s *openapi.KeyStatus) {
	t.Row("WHAT", "STATE")
	t.Row("journal", s.Journal)
	t.Row("tenant", s.Tenant)
	custody := "this server"
	if s.Custody == openapi.Elsewhere {
		custody = "a key custodian, with credentials of their own for the key service"
	}
	t.Row("rotated and trimmed by", custody)
	t.Row("versions on record", fmt.Sprintf("%d to %d", s.Oldest, s.Newest))
	if v := s.InService; v == nil {
		t.Row("versions in the key service", "it does not answer")
	} else {
		t.Row("versions in the key service", fmt.Sprintf("%d to %d", v.Kept, v.Newest))
	}
	if s.RotatedAt != nil {
		t.Row("rotated", s.RotatedAt.Format(time.DateTime))
	}
	t.Row("rewrapped", rewrappedText(s))
	covers := "no: muniment backup"
	if s.BackupCovers {
		covers = "yes"
	}
	t.Row("backup covers that", covers)
	t.Row("waiting period", config.Duration(time.Duration(s.TrimWaitSeconds)*time.Second).String())
	t.Row("shipping key", shippingText(s.Shipping))
	if s.Unacknowledged != nil {
		t.Row("not acknowledged", *s.Unacknowledged+" that only the clock has measured; trims do not count it: "+
			"muniment journal time")
	}
	for _, trim := range s.Trims {
		t.Row("trim "+trim.ID, trimText(trim))
	}
}

func shippingText(s openapi.ShippingKey) string {
	text := fmt.Sprintf("number %d", s.Number)
	if s.Done != nil || s.Of != nil {
		var done, of uint64
		if s.Done != nil {
			done = *s.Done
		}
		if s.Of != nil {
			of = *s.Of
		}
		return text + fmt.Sprintf("; the history is shipped again under it, %d of %d entries: nothing newer is "+
			"released until then", done, of)
	}
	if s.Shipped != s.Number {
		text += fmt.Sprintf("; the release bucket is still under number %d", s.Shipped)
	}
	return text
}

func rewrappedText(s *openapi.KeyStatus) string {
	text := fmt.Sprintf("everything has version %d or newer", s.Rewrapped)
	if w := s.Rewrap; w != nil && w.State != openapi.RewrapStateDone {
		text += fmt.Sprintf("; a rewrap to %d is %s, at %d of %d rows", w.Version, w.State, w.Walked, w.Of)
	}
	return text
}

func keyRotateCommand(p *cli.Program) *cobra.Command {
	var place vaultFlags
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give the tenant's key a newer version",
		Long: `Everything is wrapped with the newer version from then on; what there is keeps its old one
until "muniment key rewrap". Where the keys are in HashiCorp Vault, the version is added
there with your own VAULT_ADDR and VAULT_TOKEN, and the server then puts it on record. A
rotation that was broken off can be repeated: the key is not rotated twice.`,
		Example: "  muniment key rotate\n  VAULT_ADDR=https://vault.example.org:8200 VAULT_TOKEN=hvs.… muniment " +
			"key rotate",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			done, err := rotate(c.Context(), p, r, place)
			if err != nil {
				return err
			}
			return p.Emit(done, func(t *cli.Table) {
				t.Row("VERSION>", "RECORDED")
				t.Row(done.Version, cli.YesNo(done.Recorded))
			})
		},
	}
	place.addTo(c.Flags())
	return c
}

// rotate rotates in the key service, where that is ours to do, and has the server put it on record.
func rotate(ctx context.Context, p *cli.Program, r *remote.Client, place vaultFlags) (*openapi.Rotation, error) {
	status, err := r.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if status.Custody == openapi.Elsewhere {
		custodian, err := custodian(ctx, p, place)
		if err != nil {
			return nil, err
		}
		defer custodian.Close()
		name, err := keyName(status.Journal, status.Tenant)
		if err != nil {
			return nil, err
		}
		if _, err := custodian.Rotate(ctx, name, status.Newest); err != nil {
			return nil, fmt.Errorf("rotating the key in Vault: %w", err)
		}
	}
	return r.RotateKey(ctx)
}
