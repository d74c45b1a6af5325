package servertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
)

// Operation is what a request to Vault asked for, as its audit log calls it: {"update", "transit/encrypt/tenant-1"}.
type Operation struct {
	Verb string // create, read, update, delete, list, ...
	Path string
}

// Requests counts the requests since the start in Vault's own audit log, which it writes before it answers. The sum
// over all is the number of calls that Vault has had, health checks and unsealing apart.
func (v *Vault) Requests(t testing.TB) map[Operation]int {
	t.Helper()
	file, err := os.Open(v.AuditLog)
	if err != nil {
		t.Fatalf("counting vault's requests: %v", err)
	}
	defer file.Close()
	count := map[Operation]int{}
	for decoder := json.NewDecoder(bufio.NewReaderSize(file, 1<<20)); ; {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Operation string `json:"operation"`
				Path      string `json:"path"`
			} `json:"request"`
		}
		err := decoder.Decode(&entry)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the last line may be in the making
			return count
		}
		if err != nil {
			t.Fatalf("counting vault's requests: %v", err)
		}
		if entry.Type == "request" {
			count[Operation{entry.Request.Operation, entry.Request.Path}]++
		}
	}
}
