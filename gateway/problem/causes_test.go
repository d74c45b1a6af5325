package problem_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muniment/anchor"
	"muniment/anchor/journal"
	"muniment/anchor/ledger"
	"muniment/gateway/authn"
	"muniment/gateway/problem"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/approval"
	"muniment/vault/budget"
	"muniment/vault/invalid"
	"muniment/vault/keys"
	"muniment/vault/objects"
	"muniment/vault/people"
	"muniment/vault/rekey"
	"muniment/vault/seal"
)

// TestErrorsBecomeProblems maps every sentinel that may reach a handler.
func TestErrorsBecomeProblems(t *testing.T) {
	t.Parallel()
	var mapped []string
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"authn.ErrUnauthenticated":   {authn.ErrUnauthenticated, 401, "unauthenticated"},
		"access.ErrKeyUnapproved":    {access.ErrKeyUnapproved, 401, "key-unapproved"},
		"approval.ErrTrial":          {approval.ErrTrial, 409, "trial"},
		"people.ErrFounded":          {people.ErrFounded, 409, "not-trial"},
		"people.ErrFounding":         {people.ErrFounding, 409, "founding"},
		"people.ErrRoles":            {people.ErrRoles, 409, "forbidden-roles"},
		"people.ErrNoProposal":       {people.ErrNoProposal, 404, "no-proposal"},
		"people.ErrChanged":          {people.ErrChanged, 409, "changed"},
		"people.ErrNoKey":            {people.ErrNoKey, 409, "unclaimed"},
		"access.ErrDenied":           {access.ErrDenied, 403, "denied"},
		"vault.ErrAmbiguous":         {vault.ErrAmbiguous, 409, "ambiguous-external-id"},
		"vault.ErrNotFound":          {vault.ErrNotFound, 404, "not-found"},
		"vault.ErrErased":            {vault.ErrErased, 410, "erased"},
		"approval.ErrOwnRequest":     {approval.ErrOwnRequest, 403, "second-person"},
		"journal.ErrOwnWait":         {journal.ErrOwnWait, 403, "second-person"},
		"journal.ErrNoGap":           {journal.ErrNoGap, 409, "no-gap"},
		"journal.ErrNotPassed":       {journal.ErrNotPassed, 409, "not-passed"},
		"rekey.ErrNoTrim":            {rekey.ErrNoTrim, 404, "not-found"},
		"rekey.ErrNotStarted":        {rekey.ErrNotStarted, 503, "trim-not-started"},
		"rekey.ErrCustody":           {rekey.ErrCustody, 409, "key-custody"},
		"rekey.ErrNotRewrapped":      {rekey.ErrNotRewrapped, 409, "not-rewrapped"},
		"rekey.ErrCanary":            {rekey.ErrCanary, 409, "foreign-key"},
		"rekey.ErrNoBackup":          {rekey.ErrNoBackup, 409, "backup-missing"},
		"rekey.ErrBackup":            {rekey.ErrBackup, 409, "foreign-backup"},
		"approval.ErrOpen":           {approval.ErrOpen, 409, "proposal-open"},
		"approval.ErrOver":           {approval.ErrOver, 409, "proposal-over"},
		"approval.ErrUnapproved":     {approval.ErrUnapproved, 409, "unapproved"},
		"approval.ErrWaiting":        {approval.ErrWaiting, 409, "waiting-period"},
		"vault.ErrRetained":          {vault.ErrRetained, 409, "retained"},
		"vault.ErrConflict":          {vault.ErrConflict, 409, "conflict"},
		"vault.ErrIdempotency":       {vault.ErrIdempotency, 422, "idempotency-key-reused"},
		"vault.ErrMismatch":          {vault.ErrMismatch, 422, "content-mismatch"},
		"vault.ErrInterrupted":       {vault.ErrInterrupted, 400, "interrupted"},
		"vault.ErrTooLarge":          {vault.ErrTooLarge, 413, "too-large"},
		"objects.ErrTooLarge":        {objects.ErrTooLarge, 413, "too-large"},
		"budget.ErrShort":            {budget.ErrShort, 503, "memory-short"},
		"budget.ErrSlow":             {budget.ErrSlow, 503, "memory-short"},
		"budget.ErrTooMuch":          {budget.ErrTooMuch, 413, "too-large"},
		"invalid.ErrField":           {invalid.ErrField, 422, "bad-metadata"},
		"vault.ErrNoSeries":          {vault.ErrNoSeries, 422, "unknown-series"},
		"vault.ErrNotImmutable":      {vault.ErrNotImmutable, 503, "store-not-immutable"},
		"retention.ErrSeriesExists":  {retention.ErrSeriesExists, 409, "series-exists"},
		"vault.ErrCursor":            {vault.ErrCursor, 400, "bad-cursor"},
		"vault.ErrPurpose":           {vault.ErrPurpose, 400, "bad-purpose"},
		"vault.ErrPurposeUnlisted":   {vault.ErrPurposeUnlisted, 422, "purpose-unlisted"},
		"vault.ErrAbandoned":         {vault.ErrAbandoned, 503, "abandoned"},
		"vault.ErrDamagedContent":    {vault.ErrDamagedContent, 500, "damaged"},
		"journal.ErrUnreleasable":    {journal.ErrUnreleasable, 500, "unreleasable"},
		"access.ErrUnreleased":       {access.ErrUnreleased, 503, "unreleased"},
		"journal.ErrNoLease":         {journal.ErrNoLease, 503, "lease-over"},
		"journal.ErrKeysUnavailable": {journal.ErrKeysUnavailable, 503, "key-service-unavailable"},
		"journal.ErrFull":            {journal.ErrFull, 507, "journal-full"},
		"journal.ErrStopped":         {journal.ErrStopped, 503, "journal-stopped"},
		"journal.ErrUnknown":         {journal.ErrUnknown, 503, "journal-stopped"},
		"journal.ErrClosed":          {journal.ErrClosed, 503, "stopping"},
		"journal.ErrDamaged":         {journal.ErrDamaged, 500, "damaged"},
		"access.ErrForged":           {access.ErrForged, 500, "damaged"},
		"journal.ErrNotFound":        {journal.ErrNotFound, 404, "not-found"},
		"journal.ErrTooLarge":        {journal.ErrTooLarge, 422, "bad-metadata"},
		"keys.ErrUnavailable":        {keys.ErrUnavailable, 503, "key-service-unavailable"},
		"keys.ErrDenied":             {keys.ErrDenied, 503, "key-service-denies"},
		"keys.ErrNoKey":              {keys.ErrNoKey, 500, "key-lost"},
		"keys.ErrVersion":            {keys.ErrVersion, 500, "key-lost"},
		"keys.ErrWrapped":            {keys.ErrWrapped, 500, "key-lost"},
		"seal.ErrRow":                {seal.ErrRow, 500, "damaged"},
		"seal.ErrKeyset":             {seal.ErrKeyset, 500, "damaged"},
		"seal.ErrCiphertext":         {seal.ErrCiphertext, 500, "damaged"},
		"seal.ErrNewer":              {seal.ErrNewer, 500, "newer-format"},
		"objects.ErrFull":            {objects.ErrFull, 507, "object-store-full"},
		"objects.ErrUnavailable":     {objects.ErrUnavailable, 503, "object-store-unavailable"},
		"objects.ErrNotFound":        {objects.ErrNotFound, 500, "damaged"},
		"objects.ErrDamaged":         {objects.ErrDamaged, 500, "damaged"},
		"ledger.ErrUnavailable":      {ledger.ErrUnavailable, 503, "ledger-unavailable"},
		"ledger.ErrRefused":          {ledger.ErrRefused, 500, "ledger-refuses"},
		"anchor.ErrContradicted":     {anchor.ErrContradicted, 500, "ledger-refuses"},
	} {
		if p := problem.Of(fmt.Errorf("doing this: %w", c.err)); p.Code != c.code || p.Status != c.status {
			t.Errorf("%s is %d %s, not %d %s", name, p.Status, p.Code, c.status, c.code)
		}
		mapped = append(mapped, name)
	}
	for _, name := range sentinels(t) {
		if !slices.Contains(mapped, name) && !slices.Contains(inner(), name) {
			t.Errorf("%s is new: say which problem it is, or that it never gets here", name)
		}
	}
}

// inner are the sentinels that never reach a handler, or that are faults of ours when they do.
func inner() []string {
	return []string{
		"access.ErrUnknownKey",     // authn turns it into ErrUnauthenticated
		"access.ErrUnasked",        // a fault of ours
		"journal.ErrConflict",      // between the journal and its bucket
		"journal.ErrNoObject",      // the same
		"journal.ErrMissing",       // of Open
		"journal.ErrHeld",          // of Open
		"journal.ErrTakenOver",     // the journal stops
		"journal.ErrUnconditional", // of Open
		"journal.ErrNothingLost",   // of cmd
		"journal.ErrContradicts",   // of Open
		"journal.ErrPanic",         // a fault of ours
		"journal.ErrRow",           // a fault of ours
		"journal.ErrNotInStory",    // vault makes it ErrCursor
		"journal.ErrTaken",         // the vault looks tokens up in the same decide
		"keys.ErrSize",             // the vault wraps keys only, which are short
		"objects.ErrExists",        // object keys are random
		"objects.ErrKey",           // the vault draws them
		"objects.ErrOwned",         // of a start
		"objects.ErrLocked",        // of the lock duty
		"objects.ErrShort",         // the vault turns it into ErrMismatch or ErrDamagedContent
		"objects.ErrSpan",          // spans are computed from the size
		"seal.ErrSpan",             // the same
		"seal.ErrSealed",           // a fault of ours
		"ledger.ErrUnknown",        // between the publisher and its ledgers
		"vault.ErrBootstrapped",    // of cmd
	}
}

// sentinels finds the exported errors of the packages below in their source.
func sentinels(t *testing.T) []string {
	t.Helper()
	var out []string
	for name, folder := range map[string]string{
		"vault": "../../vault", "access": "../../vault/access", "keys": "../../vault/keys",
		"objects": "../../vault/objects",
		"seal":    "../../vault/seal", "retention": "../../retention",
		"journal": "../../anchor/journal", "ledger": "../../anchor/ledger", "anchor": "../../anchor",
		"authn": "../authn",
	} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.ValueSpec); ok {
					for _, id := range spec.Names {
						if strings.HasPrefix(id.Name, "Err") {
							out = append(out, name+"."+id.Name)
						}
					}
				}
				return true
			})
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d errors were found", len(out))
	}
	return out
}
