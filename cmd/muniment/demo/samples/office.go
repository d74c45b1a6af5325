package samples

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// The parts of an Office Open XML document (ECMA-376) that a word processor needs to open it.
const (
	contentTypes = xml.Header + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/word/document.xml" ` +
		`ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`
	relationships = xml.Header +
		`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Target="word/document.xml" ` +
		`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>`
	wordStart = xml.Header +
		`<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`
	wordEnd = `</w:body></w:document>`
)

// decision is a letter, as a word processor stores it.
func decision(c *matter) (Document, error) {
	var body strings.Builder
	body.WriteString(wordStart)
	for _, line := range []string{
		mark, "City of Sampleton, Case " + c.number, c.person.name() + ", " + c.person.street,
		"Dear " + c.person.name() + ",",
		"your request about \"" + c.subject + "\" was decided on " + c.opened.AddDate(0, 1,
			0).Format("2 January 2006") + ".",
		"The sum of USD " + dollars(c.amount) + " is due to " + c.company.name + " (EIN " + c.company.ein + ").",
		"Your number with us: " + c.person.ssn + ". We reach you at " + c.person.phone + ".",
	} {
		body.WriteString(`<w:p><w:r><w:t xml:space="preserve">`)
		if err := xml.EscapeText(&body, []byte(line)); err != nil {
			return Document{}, fmt.Errorf("writing a letter: %w", err)
		}
		body.WriteString(`</w:t></w:r></w:p>`)
	}
	body.WriteString(wordEnd)

	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, part := range [][2]string{
		{"[Content_Types].xml", contentTypes}, {"_rels/.rels", relationships}, {"word/document.xml", body.String()},
	} {
		// Stored, not deflated, and without a time: the same bytes from every version of the compressor.
		f, err := w.CreateHeader(&zip.FileHeader{Name: part[0], Method: zip.Store})
		if err != nil {
			return Document{}, fmt.Errorf("writing a letter: %w", err)
		}
		if _, err := f.Write([]byte(part[1])); err != nil {
			return Document{}, fmt.Errorf("writing a letter: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return Document{}, fmt.Errorf("writing a letter: %w", err)
	}
	return Document{
		Name: c.number + "-decision.docx", Title: "Decision: " + c.subject,
		MediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Content: out.Bytes(),
	}, nil
}
