package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func principalCommand(p *cli.Program) *cobra.Command {
	c := &cobra.Command{Use: "principal", Short: "Principals: who may do what"}
	var roles []string
	create := &cobra.Command{
		Use:   "create --role ROLE …",
		Short: "Create a principal, and print its API key, which is shown this once",
		Long: `The roles are depositor, reader, records_officer, approver, auditor, key_custodian and
administrator, each for the whole tenant or, as ROLE:SERIES, for one record series. Give
each person a principal of their own: what takes two people takes two principals.`,
		Example: "  muniment principal create --role key_custodian\n  muniment principal create --role " +
			"depositor:permits --role reader:permits",
		Args: func(c *cobra.Command, args []string) error {
			if len(roles) == 0 {
				return errors.New("which role? give --role, such as --role depositor or --role reader:permits")
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			created, err := r.CreatePrincipal(c.Context(), grantsOf(roles))
			if err != nil {
				return err
			}
			return p.Emit(created, func(t *cli.Table) {
				t.Row("ID", "ROLES", "API KEY")
				t.Row(created.ID, strings.Join(roles, ","), created.Key)
			})
		},
	}
	create.Flags().StringSliceVar(&roles, "role", nil, "a role, or ROLE:SERIES; may be repeated")
	_ = create.MarkFlagRequired("role") // fails only for a flag that is not there
	revoke := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke every API key of a principal",
		Long: `From then on no key speaks for the principal, and what it has under way is refused at its
next check. Its roles and its record stay. Nobody can revoke their own keys.`,
		Args: cli.OneArgument("which principal? give its id, which principal create has printed"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			done, err := r.RevokeKeys(c.Context(), args[0])
			if err != nil {
				return err
			}
			return p.Emit(done, func(t *cli.Table) {
				t.Row("REVOKED>")
				t.Row(done.Revoked)
			})
		},
	}
	c.AddCommand(create, revoke)
	return cli.Group(c)
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
