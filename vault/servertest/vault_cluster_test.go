package servertest_test

import (
	"net/http"
	"testing"

	"muniment/vault/servertest"
)

func TestVaultClusterGoesOnWithoutItsActiveNode(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out the elections of a cluster")
	}
	c := servertest.NewVaultCluster(t)
	body := map[string]any{"plaintext": "aGVsbG8="}
	c.Nodes[2].Do(t, http.MethodPost, "transit/keys/k", c.Nodes[2].RootToken, nil)

	first := c.Active(t)
	first.Stop(t)
	second := c.Active(t)
	if second == first {
		t.Fatal("a node that was stopped is active")
	}
	second.Do(t, http.MethodPost, "transit/encrypt/k", second.RootToken, body)

	was, is := c.StepDown(t)
	if was != second || is == first || is == was {
		t.Errorf("the second node stepped down: %t; the third took its part: %t", was == second, is != first &&
			is != was)
	}
	was.Do(t, http.MethodPost, "transit/encrypt/k", was.RootToken, body) // it passes the request on
	is.Do(t, http.MethodPost, "transit/encrypt/k", is.RootToken, body)
	if got := is.Requests(t)[servertest.Operation{Verb: "update", Path: "transit/encrypt/k"}]; got != 3 {
		t.Errorf("the audit log has %d encryptions, want 3", got)
	}
}
