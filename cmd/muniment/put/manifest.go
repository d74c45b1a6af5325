package put

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"muniment/anchor/bounded"
	"muniment/cmd/muniment/cli"
	"muniment/vault"
)

// manifestRow is one line of a manifest: a document to be put.
type manifestRow struct {
	item
	line  int    // of the file, from 1
	given string // the path as it is written
	ref   vault.LedgerRef
	// print is the row's fingerprint: 128 bits of the SHA-256 over what its columns say, in hexadecimal. Rows that say
	// the same have the same, in whatever order the columns stand.
	print string
}

// attributeColumn is how a column of an attribute's begins.
const attributeColumn = "attr:"

// manifestColumns are the columns that a manifest may have, besides those of attributes.
func manifestColumns() []string {
	return []string{"path", "external_id", "title", "file_name", "series", "record_date", "media_type", "chain",
		"transaction", "role"}
}

// faults are what is wrong with a manifest, by line.
type faults []fault

type fault struct {
	line int
	text string
}

func (f fault) String() string { return fmt.Sprintf("line %d: %s", f.line, f.text) }

func (f *faults) add(line int, format string, args ...any) {
	*f = append(*f, fault{line, cli.Visible(fmt.Sprintf(format, args...))})
}

// manifestFaultsShown is how many faults are listed one by one.
const manifestFaultsShown = 100

// err is all of the faults as one error; nil if there are none.
func (f faults) err(name string) error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b fault) int { return a.line - b.line })
	text := ""
	for _, one := range f[:min(len(f), manifestFaultsShown)] {
		text += "\n  " + one.String()
	}
	if more := len(f) - manifestFaultsShown; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return cli.Hint(fmt.Errorf("%s has %s:%s", name, cli.Count(uint64(len(f)), "fault", "faults"), text),
		"nothing was deposited; correct the manifest and repeat the command")
}

// maxManifest is more than a manifest of some million rows has, in bytes.
const maxManifest = 1 << 30

// readManifest reads a manifest and checks every row of it, the files included. Its error lists all faults.
func readManifest(name string) ([]manifestRow, error) {
	raw, err := bounded.ReadFile(name, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	var bad faults
	rows := parseManifest(raw, filepath.Dir(name), &bad)
	for i := range rows {
		rows[i].checkFile(&bad)
	}
	if err := bad.err(name); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s lists no document; each line after the first is one", name)
	}
	return rows, nil
}

// parseManifest reads the rows of a manifest whose paths are relative to folder.
func parseManifest(raw []byte, folder string, bad *faults) []manifestRow {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if bytes.HasPrefix(raw, []byte{0xff, 0xfe}) || bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		bad.add(1, "it is in UTF-16; save it as CSV in UTF-8")
		return nil
	}
	in := csv.NewReader(bytes.NewReader(raw))
	header, err := in.Read()
	if err != nil {
		why := csvFault(err)
		if errors.Is(err, io.EOF) {
			why = "the file is empty"
		}
		bad.add(1, "no line names the columns: %s", why)
		return nil
	}
	if !checkHeader(header, bad) {
		return nil
	}
	var (
		rows []manifestRow
		seen = seenRows{prints: map[string]int{}, externals: map[string]int{}}
	)
	for {
		record, err := in.Read()
		if err == io.EOF {
			return rows
		}
		if broken := new(csv.ParseError); errors.As(err, &broken) {
			bad.add(broken.StartLine, "%s", csvFault(err))
			if !errors.Is(err, csv.ErrFieldCount) {
				return rows // where quotes do not match, nobody knows where rows begin
			}
			continue
		}
		line, _ := in.FieldPos(0)
		row := newManifestRow(header, record, line, folder)
		row.check(bad)
		seen.check(&row, bad)
		rows = append(rows, row)
	}
}

// csvFault is what is wrong with a line of CSV, without the line, which is named anyway.
func csvFault(err error) string {
	if broken := new(csv.ParseError); errors.As(err, &broken) {
		if errors.Is(err, csv.ErrFieldCount) {
			return "it has another number of fields than the first line"
		}
		return fmt.Sprintf("%v, in column %d", broken.Err, broken.Column)
	}
	return err.Error()
}

// checkHeader says whether the columns are such that rows can be read.
func checkHeader(header []string, bad *faults) bool {
	if len(header) == 1 && strings.Contains(header[0], ";") {
		bad.add(1, "the columns are separated by semicolons; separate them by commas (RFC 4180)")
		return false
	}
	before := len(*bad)
	for i, name := range header {
		attribute, isAttribute := strings.CutPrefix(name, attributeColumn)
		switch {
		case slices.Index(header, name) < i:
			bad.add(1, "the column %s is there twice", name)
		case isAttribute && attribute == "":
			bad.add(1, "the column %s does not say which attribute; write attr:form", name)
		case !isAttribute && !slices.Contains(manifestColumns(), name):
			bad.add(1, "there is no column %q; there is %s and attr:NAME", name, strings.Join(manifestColumns(), ", "))
		}
	}
	if !slices.Contains(header, "path") {
		bad.add(1, "there is no column path")
	}
	return len(*bad) == before
}

// newManifestRow makes a row of a record. Empty cells say nothing.
func newManifestRow(header, record []string, line int, folder string) manifestRow {
	cells := map[string]string{}
	row := manifestRow{line: line}
	row.Attributes = map[string]string{}
	for i, name := range header {
		if record[i] == "" {
			continue
		}
		cells[name] = record[i]
		if attribute, ok := strings.CutPrefix(name, attributeColumn); ok {
			row.Attributes[attribute] = record[i]
		}
	}
	row.given, row.name, row.below = cells["path"], cells["path"], filepath.ToSlash(cells["path"])
	if row.path = row.given; !filepath.IsAbs(row.path) {
		row.path = filepath.Join(folder, row.path)
	}
	row.ExternalID, row.Title, row.Series, row.RecordDate = cells["external_id"], cells["title"], cells["series"],
		cells["record_date"]
	if row.FileName = cells["file_name"]; row.FileName == "" {
		row.FileName = filepath.Base(row.path)
	}
	if row.MediaType = cells["media_type"]; row.MediaType == "" {
		row.MediaType = mime.TypeByExtension(filepath.Ext(row.FileName))
	}
	row.ref = vault.LedgerRef{Chain: cells["chain"], Transaction: cells["transaction"], Role: cells["role"]}
	if row.ref != (vault.LedgerRef{}) {
		row.LedgerRefs = []string{strings.TrimSpace(row.ref.Chain + " " + row.ref.Transaction + " " + row.ref.Role)}
	}
	row.print = fingerprintOf(cells)
	return row
}

// fingerprintOf is the fingerprint of a row.
func fingerprintOf(cells map[string]string) string {
	canonical, err := json.Marshal(cells) // in the order of the names
	if err != nil {
		return "" // strings can always be written
	}
	sum := sha256.Sum256(append([]byte("muniment manifest row v1\n"), canonical...))
	return hex.EncodeToString(sum[:16])
}

// check looks at what the row says; what the vault would refuse is refused here.
func (row *manifestRow) check(bad *faults) {
	if row.given == "" {
		bad.add(row.line, "path is empty")
	}
	if strings.ContainsFunc(row.given, unicode.IsControl) || !utf8.ValidString(row.given) {
		bad.add(row.line, "path has a control character or is not UTF-8")
	}
	d := vault.Deposit{
		Series: row.Series, ExternalID: row.ExternalID, FileName: row.FileName, Title: row.Title,
		MediaType:  row.MediaType,
		Attributes: row.Attributes, RecordDate: row.RecordDate,
	}
	if row.ref != (vault.LedgerRef{}) {
		d.LedgerRefs = []vault.LedgerRef{row.ref}
	}
	for _, fault := range d.Faults() {
		bad.add(row.line, "%s %s", fault.Name, fault.Reason)
	}
}

// checkFile looks at the row's file. It is opened, not only looked at, because that is what counts.
func (row *manifestRow) checkFile(bad *faults) {
	if row.given == "" {
		return
	}
	f, err := os.Open(row.path)
	if err != nil {
		bad.add(row.line, "%s: %s", row.given, withoutPath(err))
		return
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		bad.add(row.line, "%s: %s", row.given, withoutPath(err))
	case !info.Mode().IsRegular():
		bad.add(row.line, "%s is no regular file", row.given)
	default:
		row.size = info.Size()
	}
}

// seenRows finds rows that repeat another.
type seenRows struct{ prints, externals map[string]int }

func (s seenRows) check(row *manifestRow, bad *faults) {
	if earlier, twice := s.prints[row.print]; twice {
		bad.add(row.line, "it says the same as line %d", earlier)
		return
	}
	s.prints[row.print] = row.line
	if row.ExternalID == "" {
		return
	}
	if earlier, twice := s.externals[row.ExternalID]; twice {
		bad.add(row.line, "external_id is that of line %d", earlier)
		return
	}
	s.externals[row.ExternalID] = row.line
}
