package servertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// Operation is what a request to Vault asked for, as its audit log calls it: {"update", "transit/encrypt/tenant-1"}.
type Operation struct {
	Verb string // create, read, update, delete, list, ...
	Path string
}

// Requests counts the requests in Vault's own audit log, which it writes before it answers. The sum over all is the
// number of calls that Vault has had since it was set up, health checks and unsealing apart. Of a shared Vault it is
// those since the test began, the other tests' among them; those to the test's own mounts are called transit/ and
// auth/approle/.
func (v *Vault) Requests(t testing.TB) map[Operation]int {
	t.Helper()
	file, err := os.Open(v.AuditLog)
	if err != nil {
		t.Fatalf("counting vault's requests: %v", err)
	}
	defer file.Close()
	log := bufio.NewReaderSize(file, 1<<20)
	if v.auditBegin > 0 { // it may lie within a line, which then is another test's
		if _, err := file.Seek(v.auditBegin-1, io.SeekStart); err != nil {
			t.Fatalf("counting vault's requests: %v", err)
		}
		if _, err := log.ReadString('\n'); err != nil {
			return map[Operation]int{}
		}
	}
	count := map[Operation]int{}
	for decoder := json.NewDecoder(log); ; {
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
			count[Operation{entry.Request.Operation, strings.Replace(entry.Request.Path, v.part, "", 1)}]++
		}
	}
}

// skipAudit has Requests count from here on.
func (v *Vault) skipAudit(t testing.TB) {
	t.Helper()
	info, err := os.Stat(v.AuditLog)
	if err != nil {
		t.Fatalf("counting vault's requests: %v", err)
	}
	v.auditBegin = info.Size()
}
