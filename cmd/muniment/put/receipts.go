package put

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"muniment/anchor/bounded"
	"muniment/cmd/muniment/cli"
	"muniment/openapi"
)

// The states of a row in a receipts file.
const (
	rowCreated  = "created"
	rowReplayed = "replayed"
	rowFailed   = "failed"
)

// receiptColumns are those of a receipts file.
func receiptColumns() []string {
	return []string{"line", "path", "external_id", "document_id", "index", "leaf", "status", "error", "time", "row"}
}

// maxReceipts is more than some million receipts take, in bytes.
const maxReceipts = 16 << 30

// receipts is a receipts file, open for more lines. Each line is one record, since nothing in it has a line break, so a
// line that a crash has torn is known by its missing end.
type receipts struct {
	file *os.File
	kept map[string]bool // the fingerprints of rows that are deposited
	torn bool            // the last line was torn, and has been removed
	now  func() time.Time
}

// openReceipts opens a receipts file, or makes it, and keeps other processes from it until it is closed.
func openReceipts(name string) (r *receipts, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the receipts: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := lockFile(f); err != nil {
		return nil, cli.Hint(fmt.Errorf("opening the receipts: %s is in use: %w", name, err),
			"wait until the other put has ended")
	}
	raw, err := bounded.ReadAll(f, maxReceipts)
	if err != nil {
		return nil, fmt.Errorf("reading the receipts: %w", err)
	}
	r = &receipts{file: f, now: time.Now}
	whole := raw[:bytes.LastIndexByte(raw, '\n')+1]
	if r.kept, err = parseReceipts(whole, raw[len(whole):]); err != nil {
		return nil, cli.Hint(fmt.Errorf("reading the receipts: %s: %w", name, err),
			"it is no receipts file of ours, or was changed; name another one, or mend it")
	}
	if r.torn = len(whole) < len(raw); r.torn { // only now: a file that is not ours stays as it is
		if err := f.Truncate(int64(len(whole))); err != nil {
			return nil, fmt.Errorf("mending the receipts: %w", err)
		}
	}
	if _, err := f.Seek(int64(len(whole)), io.SeekStart); err != nil {
		return nil, fmt.Errorf("opening the receipts: %w", err)
	}
	if len(whole) == 0 {
		if err := r.write(receiptColumns()); err != nil {
			return nil, err
		}
		if err := syncFolder(filepath.Dir(name)); err != nil {
			return nil, fmt.Errorf("opening the receipts: %w", err)
		}
	}
	return r, nil
}

// parseReceipts finds out which rows are deposited by the whole lines of a receipts file, which a torn one may follow.
// A row that failed is none of them, unless a later line says otherwise.
func parseReceipts(whole, torn []byte) (map[string]bool, error) {
	kept := map[string]bool{}
	in := csv.NewReader(bytes.NewReader(whole))
	header, err := in.Read()
	if err == io.EOF && strings.HasPrefix(strings.Join(receiptColumns(), ","), string(torn)) {
		return kept, nil
	}
	if err != nil || !slices.Equal(header, receiptColumns()) {
		return nil, errors.New("its first line is not that of a receipts file")
	}
	status, row := slices.Index(header, "status"), slices.Index(header, "row")
	for {
		record, err := in.Read()
		if err == io.EOF {
			return kept, nil
		}
		if err != nil {
			return nil, err
		}
		switch record[status] {
		case rowCreated, rowReplayed:
			kept[record[row]] = true
		case rowFailed:
		default:
			line, _ := in.FieldPos(status)
			return nil, fmt.Errorf("line %d has no status", line)
		}
	}
}

// add adds how a row ended, and returns when that is on the disk.
func (r *receipts) add(row *manifestRow, out *openapi.Deposit, failure error) error {
	record := []string{
		strconv.Itoa(row.line), safeCell(row.given), safeCell(row.ExternalID), "", "", "", rowFailed, "",
		r.now().UTC().Format(time.RFC3339), row.print,
	}
	if failure != nil {
		record[7] = safeCell(withoutPath(failure))
		return r.write(record)
	}
	leaf, err := base64.StdEncoding.DecodeString(out.Receipt.Leaf)
	if err != nil {
		return fmt.Errorf("writing a receipt: the server's leaf is not base64: %w", err)
	}
	record[3], record[4], record[5] = out.ID, strconv.FormatUint(out.Receipt.Index, 10), hex.EncodeToString(leaf)
	if record[6] = rowReplayed; out.Created {
		record[6] = rowCreated
	}
	return r.write(record)
}

// write appends a record with one call, and syncs it.
func (r *receipts) write(record []string) error {
	var line bytes.Buffer
	w := csv.NewWriter(&line)
	if err := w.Write(record); err != nil {
		return fmt.Errorf("writing a receipt: %w", err)
	}
	w.Flush()
	if _, err := r.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("writing a receipt: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("writing a receipt: %w", err)
	}
	return nil
}

func (r *receipts) close() error { return r.file.Close() }

// safeCell is text as a cell that no spreadsheet takes for a formula, and that has no line break.
func safeCell(s string) string {
	s = cli.Visible(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
