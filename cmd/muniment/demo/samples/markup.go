package samples

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"time"
)

// purchaseOrder is an order as a procurement system stores it, in JSON.
func purchaseOrder(c *matter) (Document, error) {
	type line struct {
		Item     string `json:"item"`
		Quantity int    `json:"quantity"`
		Price    string `json:"price_usd"`
	}
	order := struct {
		Notice   string    `json:"notice"`
		Number   string    `json:"order"`
		Case     string    `json:"case"`
		Date     time.Time `json:"date"`
		Supplier string    `json:"supplier"`
		EIN      string    `json:"ein"`
		Officer  string    `json:"officer"`
		Phone    string    `json:"phone"`
		Lines    []line    `json:"lines"`
		Total    string    `json:"total_usd"`
	}{
		mark, "PO-" + c.number, c.number, c.opened, c.company.name, c.company.ein, c.person.name(), c.person.phone,
		[]line{{c.subject, 1, dollars(c.amount)}}, dollars(c.amount),
	}
	content, err := json.MarshalIndent(order, "", "  ")
	if err != nil {
		return Document{}, fmt.Errorf("writing an order: %w", err)
	}
	return Document{
		Name: c.number + "-order.json", Title: "Purchase order to " + c.company.name, MediaType: "application/json",
		Attributes: map[string]string{"form": "PO"}, Content: append(content, '\n'),
	}, nil
}

// parcel is a piece of land as GeoJSON (RFC 7946), somewhere in the Atlantic.
func parcel(c *matter) (Document, error) {
	lon, lat := -30-float64(len(c.subject))/100, 30+float64(len(c.number))/100
	ring := [][2]float64{{lon, lat}, {lon + 0.01, lat}, {lon + 0.01, lat + 0.01}, {lon, lat + 0.01}, {lon, lat}}
	content, err := json.MarshalIndent(map[string]any{
		"type": "Feature",
		"properties": map[string]any{
			"notice": mark, "case": c.number, "subject": c.subject, "owner": c.person.name(),
			"address": c.person.street,
		},
		"geometry": map[string]any{"type": "Polygon", "coordinates": [][][2]float64{ring}},
	}, "", "  ")
	if err != nil {
		return Document{}, fmt.Errorf("writing a parcel: %w", err)
	}
	return Document{
		Name: c.number + "-parcel.geojson", Title: "Parcel: " + c.subject, MediaType: "application/geo+json",
		Content: append(content, '\n'),
	}, nil
}

// electronicInvoice is a bill in XML.
func electronicInvoice(c *matter) (Document, error) {
	type party struct {
		Name string `xml:"Name"`
		EIN  string `xml:"EIN"`
		Mail string `xml:"Mail"`
	}
	bill := struct {
		XMLName  xml.Name `xml:"urn:sampleton:invoice Invoice"`
		Notice   string   `xml:",comment"`
		ID       string   `xml:"ID"`
		Case     string   `xml:"Case"`
		Issued   string   `xml:"IssueDate"`
		Supplier party    `xml:"Supplier"`
		Subject  string   `xml:"Line>Description"`
		Payable  struct {
			Currency string `xml:"currency,attr"`
			Amount   string `xml:",chardata"`
		} `xml:"PayableAmount"`
	}{
		Notice: " SYNTHETIC: made for demonstration; no real person, place or payment ",
		ID:     "INV-" + fileSafe(c.company.name) + "-" + c.number,
		Case:   c.number, Issued: c.opened.Format(time.DateOnly), Subject: c.subject,
		Supplier: party{c.company.name, c.company.ein, "billing@" + c.company.domain},
	}
	bill.Payable.Currency, bill.Payable.Amount = "USD", dollars(c.amount)
	content, err := xml.MarshalIndent(bill, "", "  ")
	if err != nil {
		return Document{}, fmt.Errorf("writing an invoice: %w", err)
	}
	return Document{
		Name: c.number + "-invoice.xml", Title: "Electronic invoice of " + c.company.name, MediaType: "application/xml",
		Content: append([]byte(xml.Header), append(content, '\n')...),
	}, nil
}

// noticePage is a page of the agency's web site.
const noticePage = `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body>
<p><strong>{{.Mark}}</strong></p>
<h1>Public notice {{.Number}}</h1>
<p>The City of Sampleton gives notice of: {{.Subject}}. Filed by {{.Company}} on {{.Date}}.</p>
<p>Questions: <a href="mailto:records@sampleton.example">records@sampleton.example</a>, (202) 555-0199.</p>
</body>
</html>
`

// notice is a public notice in HTML.
func notice(c *matter) (Document, error) {
	t, err := template.New("notice").Parse(noticePage)
	if err != nil {
		return Document{}, fmt.Errorf("reading a template: %w", err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]string{
		"Mark": mark, "Number": c.number, "Subject": c.subject, "Company": c.company.name,
		"Date": c.opened.Format("2 January 2006"),
	})
	if err != nil {
		return Document{}, fmt.Errorf("filling a template: %w", err)
	}
	return Document{
		Name: c.number + "-notice.html", Title: "Public notice: " + c.subject, MediaType: "text/html",
		Content: out.Bytes(),
	}, nil
}
