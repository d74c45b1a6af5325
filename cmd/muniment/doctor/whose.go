package doctor

import (
	"slices"
	"strings"

	"muniment/anchor/bounded"
	"muniment/cmd/muniment/node"
)

// ownOrigins are the names that the data folder's journal has had, the newest last, as far as the folder tells without
// its database, which a running server has open: policy.json and the newest checkpoint that was written down. There are
// none of a folder that no server has served yet.
func (d *doctor) ownOrigins() []string {
	f := node.Folder(d.cfg.Data)
	var own []string
	if policy, err := node.ReadPolicy(f); err == nil {
		for _, one := range policy.Origins {
			own = append(own, one.Origin)
		}
	}
	if note, err := bounded.ReadFile(f.Checkpoint(), bounded.Small); err == nil {
		if origin, _, ok := strings.Cut(string(note), "\n"); ok && !slices.Contains(own, origin) {
			own = append(own, origin)
		}
	}
	return own
}

// believe says whether the server that answers is the folder's own. Another one's word counts for nothing: the doctor
// then looks for itself.
func (d *doctor) believe(got readiness, url string, r *report) bool {
	own := d.ownOrigins()
	switch {
	case slices.Contains(own, got.Origin):
		return true
	case len(own) == 0:
		r.warn("", "name the data folder of that server (--data or --config), or ask it by another address",
			"%s answers for the journal %q, and nothing in %s says whether that is its own: it is not gone by",
			url, got.Origin, d.cfg.Data)
	default:
		r.fail("", "find out who listens there: give each server an admin_listen of its own, and start this folder's",
			"%s answers for the journal %q, and this folder's is %s: another server answers, and is not gone by",
			url, got.Origin, own[len(own)-1])
	}
	return false
}
