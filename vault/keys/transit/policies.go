package transit

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed policies/*.hcl
var policyFiles embed.FS

// Policy is a Vault policy.
type Policy struct {
	Name string // the name that the guide gives it in Vault
	HCL  string
}

// Policies gives the least that the gateway and the key custodian need, for a mount and a prefix; empty means transit
// and muniment, which the files are written for.
func Policies(mount, prefix string) ([]Policy, error) {
	mount, prefix = orString(strings.Trim(mount, "/"), defaultMount), orString(prefix, defaultPrefix)
	var out []Policy
	for _, name := range []string{"gateway", "custodian"} {
		content, err := fs.ReadFile(policyFiles, "policies/"+name+".hcl")
		if err != nil {
			return nil, fmt.Errorf("reading a policy: %w", err)
		}
		text := strings.ReplaceAll(string(content), `path "`+defaultMount+`/`, `path "`+mount+`/`)
		text = strings.ReplaceAll(text, "/"+defaultPrefix+"-", "/"+prefix+"-")
		out = append(out, Policy{Name: "muniment-" + name, HCL: text})
	}
	return out, nil
}
