package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
)

// build says which program this is.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, when the build knew it
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: cli.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func versionCommand(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return p.Emit(b, func(t *cli.Table) {
				t.Row("muniment", b.Version)
				if b.Revision != "" {
					t.Row("revision", b.Revision)
				}
				t.Row("go", b.Go)
				t.Row("platform", b.Platform)
			})
		},
	}
}
