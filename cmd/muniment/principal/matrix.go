package principal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/vault/access"
)

// matrix is which role permits which act, and which roles one principal may not hold together.
type matrix struct {
	Acts      []act           `json:"acts"`
	Forbidden [][]access.Role `json:"forbidden"`
}

// act is an act with the roles that permit it.
type act struct {
	Act   access.Action `json:"act"`
	Roles []access.Role `json:"roles"`
}

func matrixCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "matrix",
		Short: "Print which role permits which act, and which roles do not go together",
		Long: `The table is built into the program, the same for every installation of this version: it can be
reviewed, kept and compared with the next version's. It asks no server.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			m := newMatrix()
			if p.JSON() {
				return p.Emit(m, nil)
			}
			t := &cli.Table{}
			heading := []any{"ACT"}
			for _, role := range access.Roles() {
				heading = append(heading, strings.ToUpper(string(role)))
			}
			t.Row(heading...)
			for _, one := range m.Acts {
				t.Row(one.row()...)
			}
			if err := t.Write(p.Stdout); err != nil {
				return err
			}
			fmt.Fprintln(p.Stdout)
			pairs := &cli.Table{}
			pairs.Row("ROLE", "NOT IN ONE PRINCIPAL WITH")
			for _, pair := range m.Forbidden {
				pairs.Row(pair[0], pair[1])
			}
			return pairs.Write(p.Stdout)
		},
	}
}

func newMatrix() (m matrix) {
	for _, one := range access.Acts() {
		row := act{Act: one, Roles: []access.Role{}}
		for _, role := range access.Roles() {
			if role.Permits(one) {
				row.Roles = append(row.Roles, role)
			}
		}
		m.Acts = append(m.Acts, row)
	}
	for _, pair := range access.Exclusive() {
		m.Forbidden = append(m.Forbidden, pair[:])
	}
	return m
}

// row is an act as a row of the table.
func (a act) row() []any {
	row := []any{a.Act}
	for _, role := range access.Roles() {
		cell := ""
		if slices.Contains(a.Roles, role) {
			cell = "x"
		}
		row = append(row, cell)
	}
	return row
}
