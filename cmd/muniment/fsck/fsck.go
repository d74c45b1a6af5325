// Package fsck checks a data folder against its log: it replays every event, and compares every row and object.
package fsck

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"muniment/anchor/journal"
	"muniment/anchor/journal/bolt"
	ledgerlocal "muniment/anchor/ledger/local"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
	"muniment/vault"
	"muniment/vault/keys"
	"muniment/vault/objects"
)

// Finding is a state that the log does not explain.
type Finding struct {
	Where   string `json:"where"` // the table or folder
	Key     string `json:"key"`
	Problem string `json:"problem"`
}

// Result is the result of fsck.
type Result struct {
	Entries  uint64    `json:"entries"` // of the log, replayed
	Objects  int       `json:"objects"` // read and compared
	Findings []Finding `json:"findings"`
	Locked   uint64    `json:"locked"`  // the size of the newest locked checkpoint that the log was held against
	Unknown  []Unknown `json:"unknown"` // objects of deposits that did not come back with a restore
	// Authenticated says that the key service was asked whether this journal wrote what was checked.
	Authenticated bool `json:"authenticated"`
}

// Command is fsck.
func Command(p *cli.Program) *cobra.Command {
	var at cli.ConfigFlags
	var content, keys bool
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Check a data folder: replay the log, compare every row and every stored object",
		Long: `Replays the log into scratch tables and compares them with those of the journal, row by row;
holds the head against the one released; and reads every stored object and compares its
digest with the recorded one. With --keys it also unwraps every sealed row, and compares
what it is bound to and the lookup tokens that lead to it; without, a sealed row that was
swapped or damaged goes unnoticed. The structure of the database's file and the blocks of
the embedded ledger are checked, too. It changes nothing. The server must not be running. It
exits 0 when all agrees, 1 when there is a finding, and 2 when there is none but the key
service could not be asked whether heads and batches are authentic.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := p.LoadConfig(c, at)
			if err != nil {
				return err
			}
			return runFsck(c.Context(), p, cfg, content, keys)
		},
	}
	at.AddTo(c.Flags())
	c.Flags().BoolVar(&content, "content", true, "read the stored objects too")
	c.Flags().BoolVar(&keys, "keys", false, "unwrap every sealed row too, and compare bindings and lookup tokens")
	return c
}

func runFsck(ctx context.Context, p *cli.Program, cfg config.Config, content, keys bool) error {
	result, err := Check(ctx, cfg, content, keys)
	if err != nil {
		return err
	}
	err = p.Emit(result, func(t *cli.Table) {
		if len(result.Unknown) > 0 {
			t.Row("UNKNOWN OBJECT", "STORED", "BYTES")
		}
		for _, u := range result.Unknown {
			t.Row(u.Key, u.At.Format(time.RFC3339), u.Size)
		}
		if len(result.Findings) > 0 {
			t.Row("WHERE", "KEY", "PROBLEM")
		}
		for _, f := range result.Findings {
			t.Row(f.Where, f.Key, f.Problem)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%s replayed, %s read, %s\n", cli.Count(result.Entries, "entry", "entries"),
		cli.Count(uint64(result.Objects), "object", "objects"), cli.Count(uint64(len(result.Findings)), "finding",
			"findings"))
	if !keys {
		fmt.Fprintln(p.Stderr, "sealed rows (titles, file names, keys of contents) were not unwrapped: one that "+
			"was swapped or damaged shows with --keys only")
	}
	if n := len(result.Unknown); n > 0 {
		fmt.Fprintf(p.Stderr, "%s in the store when the journal came back, newer than what came back, and of no "+
			"document: "+
			"tell those who deposited then to send it again\n", cli.Count(uint64(n), "object was", "objects were"))
	}
	if len(result.Findings) > 0 {
		return cli.Hint(fmt.Errorf("%s is not what its log says", cfg.Data),
			"keep a copy of the folder as it is; then put back from a backup what is named above")
	}
	if !result.Authenticated {
		return cli.Hint(cli.ErrUnauthenticated, "check again when the key service answers")
	}
	return nil
}

// Check opens what is configured and runs the checks over it.
func Check(ctx context.Context, cfg config.Config, content, keys bool) (result Result, err error) {
	result.Findings, result.Unknown, result.Authenticated = []Finding{}, []Unknown{}, true
	s, err := node.OpenExisting(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := checkFiles(ctx, s, &result); err != nil {
		return result, err
	}
	if err := checkJournal(ctx, s, keys, &result); err != nil {
		return result, err
	}
	if err := checkLocked(ctx, s, &result); err != nil {
		return result, err
	}
	unknown, err := UnknownObjects(ctx, s.Backend, s.Objects)
	if err != nil {
		return result, err
	}
	result.Unknown = append(result.Unknown, unknown...)
	if !content {
		return result, nil
	}
	return result, CheckObjects(ctx, s.Backend, s.Objects, &result)
}

// maxFaults is how many faults of the database file's structure are listed: one damaged page may cause thousands.
const maxFaults = 100

// checkFiles checks what no row of the journal shows: the structure of the database's own file, and the blocks of the
// embedded ledger.
func checkFiles(ctx context.Context, s *node.Storage, result *Result) error {
	if file, ok := s.Backend.(journal.Checker); ok {
		faults := 0
		err := file.CheckStructure(ctx, func(where, problem string) {
			if faults++; faults <= maxFaults {
				result.Findings = append(result.Findings, Finding{fileTable, where, problem})
			}
		})
		if err != nil {
			return err
		}
		if faults > maxFaults {
			result.Findings = append(result.Findings, Finding{fileTable, "",
				fmt.Sprintf("%d more faults of its structure", faults-maxFaults)})
		}
		if faults > 0 {
			result.Findings = append(result.Findings, Finding{fileTable, "",
				"rows may be written over: move it away, and run muniment restore"})
		}
	}
	blocks, err := s.CheckLedger()
	if errors.Is(err, keys.ErrUnavailable) { // it does not say by which key the blocks are to be signed
		result.Authenticated = false
		return nil
	}
	if errors.Is(err, ledgerlocal.ErrDamaged) {
		result.Findings = append(result.Findings, Finding{"ledger", fmt.Sprintf("block %d", blocks+1),
			err.Error() + ": " + node.LedgerAdvice})
		return nil
	}
	return err
}

// fileTable is where findings about the database's file are.
const fileTable = "journal.db"

// checkJournal replays the log into a scratch file, and compares the two.
func checkJournal(ctx context.Context, s *node.Storage, unwrap bool, result *Result) (err error) {
	scratch, remove, err := Scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	bucket := objects.NewBucket(s.Release)
	shipping := authenticator(ctx, s, bucket)
	result.Authenticated = result.Authenticated && shipping != nil
	cfg := journal.FsckConfig{
		Backend: s.Backend, Bucket: bucket, ShippingKeys: shipping, Definitions: node.Definitions(), Scratch: scratch,
		Progress: func(done, _ uint64) { result.Entries = done }, Allowed: node.EventRules().Allowed(),
	}
	if unwrap {
		cfg.Tokens = vault.NewIndexer(s.Backend.View, s.Keys).Tokens
	}
	found, err := journal.Fsck(ctx, cfg)
	if err != nil {
		return err
	}
	result.Findings = append(result.Findings, Findings(found)...)
	return nil
}

// authenticator is what unwraps the shipping key; nil while the key service cannot be asked.
func authenticator(ctx context.Context, s *node.Storage, bucket journal.Bucket) journal.ShippingKeys {
	shipping := node.ShippingKeys{Keys: s.Keys}
	if _, err := journal.ReadReleased(ctx, bucket, shipping); errors.Is(err, journal.ErrKeysUnavailable) {
		return nil
	}
	return shipping
}

// Scratch makes a journal's file to replay into, which may come to be as large as the journal. remove closes and
// removes it.
func Scratch() (scratch *bolt.Store, remove func() error, err error) {
	temp, err := os.MkdirTemp("", "muniment-scratch-*")
	if err != nil {
		return nil, nil, fmt.Errorf("making a scratch folder: %w", err)
	}
	scratch, err = bolt.Open(bolt.Config{Path: filepath.Join(temp, "scratch.db"), Create: true})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(temp))
	}
	return scratch, func() error { return errors.Join(scratch.Close(), os.RemoveAll(temp)) }, nil
}

// Findings are a replay's findings, as a person can read them.
func Findings(found []journal.Finding) (out []Finding) {
	for _, f := range found {
		out = append(out, Finding{f.Table.String(), keyText(f.Table, f.Key), f.Problem})
	}
	return out
}

// keyText is a key as a person can read it: an index, text, or else hexadecimal digits.
func keyText(t journal.Table, key []byte) string {
	if t == BodyTable() && len(key) == 8 {
		return strconv.FormatUint(binary.BigEndian.Uint64(key), 10)
	}
	for _, b := range key {
		if b <= ' ' || b > '~' {
			return hex.EncodeToString(key)
		}
	}
	return string(key)
}
