package samples_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/cmd/muniment/demo/samples"
)

func all(t *testing.T) []samples.Document {
	t.Helper()
	docs, err := samples.All()
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestAboutFortyDifferentDocuments(t *testing.T) {
	docs := all(t)
	if n := len(docs); n < 38 || n > 45 {
		t.Errorf("%d documents, want about 40", n)
	}
	names, contents, formats := map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, d := range docs {
		if names[d.Name] {
			t.Errorf("%s: there are two of that name", d.Name)
		}
		if other, ok := contents[string(d.Content)]; ok {
			t.Errorf("%s: has the content of %s", d.Name, other)
		}
		names[d.Name], contents[string(d.Content)], formats[path.Ext(d.Name)] = true, d.Name, true
		if d.Title == "" || d.Attributes["case"] == "" {
			t.Errorf("%s: no title or case", d.Name)
		}
		if _, err := time.Parse(time.DateOnly, d.RecordDate); err != nil {
			t.Errorf("%s: record date: %v", d.Name, err)
		}
	}
	if len(formats) < 9 {
		t.Errorf("formats: %v, want at least nine", formats)
	}
}

func TestAlwaysTheSame(t *testing.T) {
	if diff := cmp.Diff(all(t), all(t)); diff != "" {
		t.Errorf("two runs differ (-first +second):\n%s", diff)
	}
}

func TestEachIsValidInItsFormat(t *testing.T) {
	checks := map[string]struct {
		mediaType string
		check     func([]byte) error
	}{
		".txt":     {"text/plain", checkText},
		".md":      {"text/markdown", checkText},
		".csv":     {"text/csv", checkCSV},
		".json":    {"application/json", checkJSON},
		".geojson": {"application/geo+json", checkJSON},
		".xml":     {"application/xml", checkXML},
		".html":    {"text/html", checkXMLish},
		".eml":     {"message/rfc822", checkMail},
		".pdf":     {"application/pdf", checkPDF},
		".png":     {"image/png", checkPNG},
		".docx":    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", checkDOCX},
	}
	for _, d := range all(t) {
		c, ok := checks[path.Ext(d.Name)]
		if !ok {
			t.Errorf("%s: no check for this format", d.Name)
			continue
		}
		if d.MediaType != c.mediaType {
			t.Errorf("%s: media type %s, want %s", d.Name, d.MediaType, c.mediaType)
		}
		if err := c.check(d.Content); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}

// TestMarkedAndNeverIssued looks for the mark, and for numbers that could be somebody's.
func TestMarkedAndNeverIssued(t *testing.T) {
	var found struct{ ssn, ein, phone int }
	ssn := regexp.MustCompile(`\b(\d{3})-(\d{2})-(\d{4})\b`)
	ein := regexp.MustCompile(`\b(\d{2})-\d{7}\b`)
	phone := regexp.MustCompile(`\(\d{3}\) (\d{3}-\d{4})`)
	host := regexp.MustCompile(`@([A-Za-z0-9.-]+)`)
	for _, d := range all(t) {
		if path.Ext(d.Name) == ".png" {
			continue // its mark is drawn; checkPNG looks for it
		}
		if !bytes.Contains(d.Content, []byte("SYNTHETIC")) {
			t.Errorf("%s: is not marked SYNTHETIC", d.Name)
		}
		text := string(d.Content)
		for _, m := range ssn.FindAllStringSubmatch(text, -1) {
			found.ssn++
			if m[1] != "000" && (m[1][0] != '9' || m[2] != "00") {
				t.Errorf("%s: %s could be somebody's social security number", d.Name, m[0])
			}
		}
		for _, m := range ein.FindAllStringSubmatch(text, -1) {
			found.ein++
			if m[1] != "00" {
				t.Errorf("%s: %s could be somebody's employer number", d.Name, m[0])
			}
		}
		for _, m := range phone.FindAllStringSubmatch(text, -1) {
			found.phone++
			if !strings.HasPrefix(m[1], "555-01") {
				t.Errorf("%s: %s could be somebody's telephone number", d.Name, m[0])
			}
		}
		for _, m := range host.FindAllStringSubmatch(text, -1) {
			if !strings.HasSuffix(strings.TrimRight(m[1], "."), ".example") {
				t.Errorf("%s: mail at %s could reach somebody", d.Name, m[1])
			}
		}
	}
	if found.ssn < 5 || found.ein < 20 || found.phone < 10 {
		t.Errorf("numbers found: %+v; the documents should look like real ones", found)
	}
}

func checkText(b []byte) error {
	if !utf8.Valid(b) || !bytes.HasSuffix(b, []byte("\n")) {
		return errors.New("not UTF-8 text that ends with a newline")
	}
	if bytes.Contains(b, []byte("<no value>")) {
		return errors.New("a field of the template has no value")
	}
	return nil
}

func checkCSV(b []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll() // refuses rows of different lengths
	if err == nil && len(rows) < 2 {
		err = errors.New("only a header")
	}
	return err
}

func checkJSON(b []byte) error {
	var v map[string]any
	return json.Unmarshal(b, &v)
}

func checkXML(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// checkXMLish reads HTML that is written so that every element but meta is closed.
func checkXMLish(b []byte) error {
	if !bytes.HasPrefix(b, []byte("<!DOCTYPE html>\n")) {
		return errors.New("no document type")
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict, d.AutoClose = false, []string{"meta"}
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func checkMail(b []byte) error {
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if _, err := m.Header.Date(); err != nil {
		return err
	}
	for _, field := range []string{"From", "To"} {
		if _, err := m.Header.AddressList(field); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && n == 2 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("part %d: %w", n+1, err)
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return err
		}
	}
}

// checkPDF follows startxref, the cross-reference table and the stream's length (ISO 32000, section 7.5).
func checkPDF(b []byte) error {
	if !bytes.HasPrefix(b, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(b, []byte("%%EOF\n")) {
		return errors.New("no header or no end marker")
	}
	m := regexp.MustCompile(`startxref\n(\d+)\n`).FindSubmatch(b)
	if m == nil {
		return errors.New("no startxref")
	}
	at, err := strconv.Atoi(string(m[1]))
	if err != nil || at >= len(b) || !bytes.HasPrefix(b[at:], []byte("xref\n0 6\n")) {
		return errors.New("startxref does not lead to the table")
	}
	entries := b[at+len("xref\n0 6\n"):]
	for i := 1; i < 6; i++ {
		offset, err := strconv.Atoi(string(entries[20*i : 20*i+10]))
		if err != nil || !bytes.HasPrefix(b[offset:], fmt.Appendf(nil, "%d 0 obj\n", i)) {
			return fmt.Errorf("object %d is not where the table says", i)
		}
	}
	m = regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*)endstream`).FindSubmatch(b)
	if m == nil {
		return errors.New("no stream")
	}
	if n, err := strconv.Atoi(string(m[1])); err != nil || n != len(m[2]) {
		return fmt.Errorf("the stream has %d bytes, its length says %s", len(m[2]), m[1])
	}
	if bytes.Count(m[2], []byte("(")) != bytes.Count(m[2], []byte(")")) {
		return errors.New("unbalanced parentheses in the stream")
	}
	return nil
}

func checkPNG(b []byte) error {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	red := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, _, _ := img.At(x, y).RGBA(); r > 2*g {
				red++
			}
		}
	}
	if red < 500 {
		return fmt.Errorf("only %d pixels of the mark", red)
	}
	return nil
}

func checkDOCX(b []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "word/document.xml"} {
		f, err := archive.Open(name)
		if err != nil {
			return err
		}
		part, err := io.ReadAll(f) // checks the CRC
		if err != nil {
			return err
		}
		if err := checkXML(part); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
