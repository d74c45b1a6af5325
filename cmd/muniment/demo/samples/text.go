package samples

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// fill executes a template over a matter.
func fill(text string, c *matter) ([]byte, error) {
	t, err := template.New("sample").Funcs(template.FuncMap{"dollars": dollars}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Mark": mark, "Number": c.number, "Subject": c.subject, "Opened": c.opened, "Amount": dollars(c.amount),
		"Name": c.person.name(), "First": c.person.first, "Last": c.person.last, "SSN": c.person.ssn,
		"Phone": c.person.phone, "Street": c.person.street, "Mail": c.person.mail(),
		"Company": c.company.name, "EIN": c.company.ein, "Domain": c.company.domain,
	})
	if err != nil {
		return nil, fmt.Errorf("filling a template: %w", err)
	}
	return out.Bytes(), nil
}

// application is a form as a line printer would fill it in, plain text.
func application(c *matter) (Document, error) {
	content, err := fill(`{{.Mark}}

CITY OF SAMPLETON                                          FORM SC-12 (01/2026)
APPLICATION                                                Case {{.Number}}
===============================================================================
 1. Subject          {{.Subject}}
 2. Applicant        {{.Last}}, {{.First}}
 3. SSN              {{.SSN}}
 4. Address          {{.Street}}
 5. Telephone        {{.Phone}}
 6. Mail             {{.Mail}}
 7. Acting for       {{.Company}} (EIN {{.EIN}})
 8. Date             {{.Opened.Format "2006-01-02"}}
===============================================================================
I declare that the statements above are made up.             /s/ {{.Name}}
`, c)
	return Document{
		Name: c.number + "-application.txt", Title: "Application: " + c.subject, MediaType: "text/plain",
		Attributes: map[string]string{"form": "SC-12"}, Content: content,
	}, err
}

// invoice is a bill with its lines, as comma-separated values (RFC 4180).
func invoice(c *matter) (Document, error) {
	parts := []int{c.amount * 55 / 100, c.amount * 30 / 100}
	parts = append(parts, c.amount-parts[0]-parts[1])
	rows := [][]string{{"line", "case", "payee", "ein", "description", "amount_usd", "remark"}}
	for i, what := range []string{"Materials", "Labor, hourly", "Delivery and disposal"} {
		rows = append(rows, []string{
			fmt.Sprint(i + 1), c.number, c.company.name, c.company.ein, what, dollars(parts[i]), mark,
		})
	}
	return table(c, "invoice", "Invoice of "+c.company.name, rows)
}

// payments is what a finance system exports at night.
func payments(c *matter) (Document, error) {
	rows := [][]string{{"voucher", "case", "date", "payee", "ein", "amount_usd", "method", "remark"}}
	for i := range 6 {
		rows = append(rows, []string{
			fmt.Sprintf("V-%s-%02d", c.number, i+1), c.number, c.opened.AddDate(0, i, 14).Format(time.DateOnly),
			c.company.name, c.company.ein, dollars(c.amount / 6), "ACH", mark,
		})
	}
	return table(c, "payments", "Payment vouchers, "+c.subject, rows)
}

// readings are measurements of a sensor, one a day.
func readings(c *matter) (Document, error) {
	rows := [][]string{{"station", "at", "ph", "turbidity_ntu", "temperature_c", "remark"}}
	for i := range 60 {
		rows = append(rows, []string{
			"SC-" + c.number[len(c.number)-2:], c.opened.AddDate(0, 0, i).Format(time.RFC3339),
			fmt.Sprintf("%.2f", 7.1+float64(i*37%23)/50), fmt.Sprintf("%.1f", 2+float64(i*53%41)/10),
			fmt.Sprintf("%.1f", 11+float64(i*29%67)/10), mark,
		})
	}
	return table(c, "readings", "Readings, "+c.subject, rows)
}

func table(c *matter, kind, title string, rows [][]string) (Document, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	if err := w.WriteAll(rows); err != nil {
		return Document{}, fmt.Errorf("writing a table: %w", err)
	}
	return Document{
		Name: c.number + "-" + kind + ".csv", Title: title, MediaType: "text/csv", Content: out.Bytes(),
	}, nil
}

// minutes are notes of a meeting, in Markdown.
func minutes(c *matter) (Document, error) {
	content, err := fill(`# Minutes: {{.Subject}}

> {{.Mark}}

| | |
|---|---|
| Case | {{.Number}} |
| Date | {{.Opened.Format "2 January 2006"}} |
| Present | {{.Name}} ({{.Phone}}), for {{.Company}}; the sample board |

1. The board heard {{.Name}}.
2. The sum of USD {{.Amount}} was found to be *plausible and invented*.
3. **Resolved**, four to one, to file this paper.
`, c)
	return Document{
		Name: c.number + "-minutes.md", Title: "Minutes: " + c.subject, MediaType: "text/markdown", Content: content,
	}, err
}

// correspondence is a mail (RFC 5322) with an attachment.
func correspondence(c *matter) (Document, error) {
	content, err := fill(`From: {{.Name}} <{{.Mail}}>
To: Records <records@sampleton.example>
Date: {{.Opened.Format "Mon, 02 Jan 2006 15:04:05 -0700"}}
Message-ID: <{{.Number}}@mail.example>
Subject: [{{.Number}}] {{.Subject}}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="sample-{{.Number}}"

--sample-{{.Number}}
Content-Type: text/plain; charset=utf-8

{{.Mark}}

Dear records office,

please find attached what you asked for about "{{.Subject}}".
You reach me at {{.Phone}}.

{{.Name}}
for {{.Company}}, EIN {{.EIN}}

--sample-{{.Number}}
Content-Type: text/csv; charset=utf-8
Content-Disposition: attachment; filename="sums.csv"

case,amount_usd,remark
{{.Number}},{{.Amount}},SYNTHETIC

--sample-{{.Number}}--
`, c)
	return Document{
		Name: c.number + "-mail.eml", Title: "Mail from " + c.person.name(), MediaType: "message/rfc822",
		Content: bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")),
	}, err
}

// fileSafe is a company's name as part of a number.
func fileSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}
