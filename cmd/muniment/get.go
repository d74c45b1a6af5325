package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"muniment/openapi"
)

// reading says what to read, and why.
type reading struct {
	external, purpose, note, span, to string
	progress                          io.Writer // where a bar may be shown; nil for nowhere
}

func getCommand(p *program) *cobra.Command {
	var g reading
	c := &cobra.Command{
		Use:   "get ID --purpose CODE",
		Short: "Read a document's content; the read goes on record",
		Long: `Reads a document to standard output, or to the file that --to names. Every read states its purpose, a code of your
house, and is on record before the first byte leaves the server. The file appears under its name when all of it is there.`,
		Example: "  muniment get 0190b5a0-7c1e-7000-8000-000000000001 --purpose audit --to plan.pdf",
		Args: func(c *cobra.Command, args []string) error {
			if err := idOrExternal(&g.external)(c, args); err != nil {
				return err
			}
			if g.purpose == "" {
				return errors.New("why is it read? give --purpose CODE, such as audit")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := connect(p)
			if err != nil {
				return err
			}
			id, err := r.find(c.Context(), args, g.external)
			if err != nil {
				return err
			}
			if _, shown := isTerminal(p.stdout); !shown || g.to != "" {
				g.progress = p.stderr
			}
			if g.to != "" {
				return r.readTo(c.Context(), id, g)
			}
			return r.read(c.Context(), id, g, p.stdout)
		},
	}
	f := c.Flags()
	externalFlag(f, &g.external)
	f.StringVar(&g.purpose, "purpose", "", "why it is read, as a code: letters a to z, digits and dashes")
	f.StringVar(&g.note, "note", "", "the purpose in words")
	f.StringVar(&g.span, "range", "", "a byte range, such as bytes=0-1023")
	f.StringVar(&g.to, "to", "", "the file to write; it must not exist yet")
	return c
}

// content opens a document's content. The caller closes the answer's body.
func (r *remote) content(ctx context.Context, id string, g reading) (*http.Response, error) {
	var params openapi.GetContentParams
	if g.purpose != "" {
		params.MunimentPurpose = &g.purpose
	}
	if g.span != "" {
		params.Range = &g.span
	}
	res, err := r.api.GetContent(ctx, id, &params, func(_ context.Context, req *http.Request) error {
		if g.note != "" {
			req.Header.Set("Muniment-Purpose-Note", headerValue(g.note, false))
		}
		return nil
	})
	if err != nil {
		return nil, r.unreached(err)
	}
	if err := failure(res, http.StatusOK, http.StatusPartialContent); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// largeRead is from what size on a read shows its progress, in bytes.
const largeRead = 1 << 20

// read writes a document's content to w.
func (r *remote) read(ctx context.Context, id string, g reading, w io.Writer) error {
	res, err := r.content(ctx, id, g)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var from io.Reader = res.Body
	if g.progress != nil && res.ContentLength >= largeRead {
		bar := startTransfer(g.progress, "get", 1, res.ContentLength)
		defer bar.clear()
		from = &moving{Reader: res.Body, bar: bar}
	}
	if _, err := io.Copy(w, from); err != nil {
		return hint(fmt.Errorf("reading %s: the content broke off: %w", id, err),
			"what came before is no whole document; if it happens again, the server's log and fsck say why")
	}
	return nil
}

// readTo writes beside the file and renames, so that a broken read leaves no file that looks whole.
func (r *remote) readTo(ctx context.Context, id string, g reading) error {
	if _, err := os.Lstat(g.to); err == nil {
		return fmt.Errorf("%s exists already; name another file", g.to)
	}
	f, err := os.CreateTemp(filepath.Dir(g.to), ".muniment-*")
	if err != nil {
		return fmt.Errorf("making a file beside %s: %w", g.to, err)
	}
	if err = r.read(ctx, id, g, f); err == nil {
		err = f.Sync() // before it has its name: no crash leaves a part of it under that
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Link(f.Name(), g.to) // unlike a rename, it replaces nothing
	}
	return errors.Join(err, os.Remove(f.Name()))
}
