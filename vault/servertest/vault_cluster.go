package servertest

import (
	"net/http"
	"strconv"
	"testing"

	"muniment/anchor/processtest"
)

// VaultCluster is a Vault of three nodes that share their storage by Raft, so that any one may fail. One is active and
// answers; the others pass requests on to it. It is set up as a single Vault is, and all nodes write one audit log.
type VaultCluster struct {
	Nodes []*Vault
}

// clusterNodes is the fewest that go on without one of them.
const clusterNodes = 3

// NewVaultCluster starts a cluster without TLS. It takes several seconds, most of them Raft's elections.
func NewVaultCluster(t testing.TB) *VaultCluster {
	t.Helper()
	c := &VaultCluster{}
	for i := range clusterNodes {
		c.Nodes = append(c.Nodes, Options{}.vault(t, strconv.Itoa(i)))
	}
	first := c.Nodes[0]
	first.initialize(t)
	first.Unseal(t)
	first.awaitActive(t)
	// A node has no vote before it has been well for this long.
	first.Do(t, http.MethodPost, "sys/storage/raft/autopilot/configuration", first.RootToken,
		map[string]any{"server_stabilization_time": "100ms"})
	for _, node := range c.Nodes[1:] {
		node.RootToken, node.UnsealKey, node.AuditLog = first.RootToken, first.UnsealKey, first.AuditLog
		node.Do(t, http.MethodPost, "sys/storage/raft/join", "", map[string]any{"leader_api_addr": first.Address})
		node.unseal(t)
	}
	for _, node := range c.Nodes {
		node.awaitServing(t)
	}
	first.enable(t)
	processtest.Await(t, "every node of the vault cluster has a vote", func() bool {
		return c.voters(t) == clusterNodes
	})
	return c
}

// raftStorage configures a node's storage. Elections and promotions are as quick as Raft allows: with the usual
// settings setting up takes half a minute.
func raftStorage(dir, node string) map[string]any {
	return map[string]any{
		"path": dir, "node_id": node, "performance_multiplier": "1",
		"autopilot_reconcile_interval": "100ms", "autopilot_update_interval": "100ms",
	}
}

// voters is how many nodes have a vote in Raft; only with all may any one fail.
func (c *VaultCluster) voters(t testing.TB) int {
	t.Helper()
	first := c.Nodes[0]
	answer := first.Do(t, http.MethodGet, "sys/storage/raft/configuration", first.RootToken, nil)
	data, _ := answer["data"].(map[string]any)
	config, _ := data["config"].(map[string]any)
	servers, _ := config["servers"].([]any)
	voters := 0
	for _, server := range servers {
		if server, _ := server.(map[string]any); server["voter"] == true {
			voters++
		}
	}
	return voters
}

// Active is the node that answers for all; it waits while there is none.
func (c *VaultCluster) Active(t testing.TB) *Vault {
	t.Helper()
	var active *Vault
	processtest.Await(t, "a node of the vault cluster is active", func() bool {
		for _, node := range c.Nodes {
			if node.health(t) == http.StatusOK {
				active = node
			}
		}
		return active != nil
	})
	return active
}

// StepDown has the active node give up its part, and returns when another has it and the former one knows. For ten
// seconds the former one does not become active again, even if Raft elects it.
func (c *VaultCluster) StepDown(t testing.TB) (was, is *Vault) {
	t.Helper()
	was = c.Active(t)
	was.Do(t, http.MethodPut, "sys/step-down", was.RootToken, nil)
	processtest.Await(t, "another node of the vault cluster is active", func() bool {
		is = c.Active(t)
		return is != was && was.Do(t, http.MethodGet, "sys/leader", "", nil)["leader_address"] == is.Address
	})
	return was, is
}
