package samples

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// permit is a one-page certificate in PDF.
func permit(c *matter) (Document, error) {
	return Document{
		Name: c.number + "-permit.pdf", Title: "Certificate: " + c.subject, MediaType: "application/pdf",
		Attributes: map[string]string{"form": "SC-40"},
		Content: page("City of Sampleton", []string{
			mark, "", "Certificate " + c.number, c.subject, "",
			"Holder: " + c.person.name() + ", " + c.person.street,
			"Contractor: " + c.company.name + ", EIN " + c.company.ein,
			"Fee: USD " + dollars(c.amount), "Issued: " + c.opened.AddDate(0, 0, 21).Format(time.DateOnly),
		}),
	}, nil
}

// inspection is a report with a check list, in PDF.
func inspection(c *matter) (Document, error) {
	lines := []string{mark, "", "Inspection " + c.number, c.subject, "Premises of " + c.company.name, ""}
	for i, item := range []string{"Access", "Wiring", "Drainage", "Storage", "Signage", "Records"} {
		verdict := "in order"
		if (i+len(c.subject))%5 == 0 {
			verdict = "to be improved"
		}
		lines = append(lines, fmt.Sprintf("%d. %s: %s", i+1, item, verdict))
	}
	lines = append(lines, "", "Inspector "+c.person.name()+", "+c.person.phone)
	return Document{
		Name: c.number + "-inspection.pdf", Title: "Inspection report: " + c.subject, MediaType: "application/pdf",
		Attributes: map[string]string{"form": "SC-51"}, Content: page("Inspection report", lines),
	}, nil
}

// page makes a PDF 1.4 file (ISO 32000) of one page of text in one of the fonts that every reader has.
func page(heading string, lines []string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "BT\n/F1 18 Tf\n72 740 Td\n(%s) Tj\n/F1 11 Tf\n0 -30 Td\n16 TL\n", literal(heading))
	for _, line := range lines {
		fmt.Fprintf(&text, "(%s) Tj T*\n", literal(line))
	}
	text.WriteString("ET\n")

	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R " +
			"/Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", text.Len(), text.Bytes()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	table := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return out.Bytes()
}

// literal escapes text for a literal string (ISO 32000, section 7.3.4.2).
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`).Replace(s)
}
