package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

func historyCommand(p *cli.Program) *cobra.Command {
	var doc external
	var limit int
	c := &cobra.Command{
		Use:   "history ID",
		Short: "Tell a document's story: every event about it, oldest first",
		Args:  doc.args,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := remote.Connect(p)
			if err != nil {
				return err
			}
			id, err := doc.documentID(c.Context(), r, args)
			if err != nil {
				return err
			}
			story, err := r.History(c.Context(), id, limit)
			if err != nil {
				return err
			}
			if story.Next != nil {
				_, _ = fmt.Fprintf(p.Stderr, "the newest %d events; there are older ones\n", len(story.Entries))
			}
			return p.Emit(story, func(t *cli.Table) {
				t.Row("INDEX>", "AT", "TYPE", "ACTOR~", "DETAIL")
				for _, e := range story.Entries {
					t.Row(e.Index, e.At.Format(time.DateTime), e.Type, actor(e), detail(e))
				}
			})
		},
	}
	doc.flags(c.Flags())
	c.Flags().IntVar(&limit, "limit", 0, "at most so many, the newest (default: all)")
	return c
}

// actor is who caused an event, for people to read.
func actor(e openapi.Entry) string { return cli.Actor(remote.Text(e.ActorName), e.Actor) }

// entryRows are events as a table.
func entryRows(t *cli.Table, entries []openapi.Entry) {
	t.Row("INDEX>", "SEQ>", "AT", "TYPE", "ACTOR~", "DOCUMENT", "DETAIL")
	for _, e := range entries {
		t.Row(e.Index, e.Seq, e.At.Format(time.DateTime), e.Type, actor(e), remote.Text(e.Document),
			detail(e))
	}
}

// detail is what a person wants to know of an event besides who did it and when: for what, how much, and what was given
// out. Events that say nothing of the kind have none.
func detail(e openapi.Entry) string {
	var body struct {
		Data struct {
			Purpose   string   `json:"purpose"`
			Note      string   `json:"note"` // an id: the text is sealed
			Series    string   `json:"series"`
			Action    string   `json:"action"`
			Bytes     *int64   `json:"bytes"`
			Disclosed *bool    `json:"disclosed"`
			Authority string   `json:"authority"`
			Purposes  []string `json:"purposes"`
			Oldest    int      `json:"oldest"`
			Before    int      `json:"before"`
			Count     *int64   `json:"count"`
			Label     string   `json:"label"`
			Principal string   `json:"principal"`
			Grants    []struct {
				Role   string `json:"role"`
				Series string `json:"series"`
			} `json:"grants"`
		} `json:"data"`
	}
	if json.Unmarshal([]byte(e.Body), &body) != nil {
		return ""
	}
	var said []string
	add := func(what, value string) {
		if value != "" {
			said = append(said, what+" "+value)
		}
	}
	d := body.Data
	add("purpose", d.Purpose)
	if d.Note != "" {
		said = append(said, "with a note")
	}
	add("action", d.Action)
	add("series", d.Series)
	if d.Bytes != nil {
		said = append(said, fmt.Sprintf("%d bytes", *d.Bytes))
	}
	if d.Disclosed != nil && *d.Disclosed {
		said = append(said, "with the content's digest")
	}
	add("purposes", strings.Join(d.Purposes, " "))
	add("authority", d.Authority)
	add("label", d.Label)
	for _, version := range []int{d.Oldest, d.Before} {
		if version > 0 {
			said = append(said, fmt.Sprintf("versions before %d", version))
		}
	}
	if d.Count != nil {
		said = append(said, fmt.Sprintf("%d in all", *d.Count))
	}
	add("principal", cli.Actor("", d.Principal))
	for _, g := range d.Grants {
		add("role", strings.TrimSuffix(g.Role+":"+g.Series, ":"))
	}
	return strings.Join(said, ", ")
}
