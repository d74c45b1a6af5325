package remote

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"

	"muniment/openapi"
)

// First is who may act on a vault that a program has just made.
type First struct {
	// Key is an API key that may deposit, read, file, audit, and record backups.
	Key string
	// Pair are the founders, both played by this program; nil while the tenant is on trial, where Key may administer,
	// too.
	Pair *Pair
}

// The beginnings of the lines by which a server tells its founders' codes. The code ends the line.
const (
	AdministratorLine = "administrator: "
	ApproverLine      = "approver: "
)

// FirstStart reads what a server prints at its very first start after its URL: the first key of a tenant on trial, or
// two one-time codes. With those it founds the tenant, and makes a principal that may do what the first key may, and
// what a key custodian may, but does not administer.
func FirstStart(ctx context.Context, url string, lines *bufio.Reader, transport http.RoundTripper) (*First, error) {
	var codes [2]string
	for i, begins := range []string{AdministratorLine, ApproverLine} {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("reading what the server prints at its first start: %w", err)
		}
		line = strings.TrimSpace(line)
		if i == 0 && strings.HasPrefix(line, "mun_") {
			return &First{Key: line}, nil
		}
		if !strings.HasPrefix(line, begins) {
			return nil, fmt.Errorf("the server prints neither an API key nor the line %q", begins)
		}
		codes[i] = line[strings.LastIndexByte(line, ' ')+1:]
	}
	pair, err := FoundAsPair(ctx, url, codes[0], codes[1], transport)
	if err != nil {
		return nil, err
	}
	worker, err := pair.Add(ctx, "Worker of this program",
		[]openapi.Grant{{Role: "depositor"}, {Role: "reader"}, {Role: "records_officer"}, {Role: "auditor"},
			{Role: "key_custodian"}})
	return &First{Key: worker.Key, Pair: pair}, err
}
