package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"muniment/cmd/muniment/cli"
	"muniment/openapi"
)

// ReadOptions says what of a document to read, and why.
type ReadOptions struct {
	Purpose  string    // a code
	Note     string    // the purpose in words; may be empty
	Range    string    // a byte range, such as bytes=0-1023; empty for all
	Progress io.Writer // where a bar may be shown; nil for nowhere
}

// largeRead is the size from which a read shows its progress, in bytes.
const largeRead = 1 << 20

// Read writes a document's content to w. The read goes on record.
func (r *Client) Read(ctx context.Context, id string, g ReadOptions, w io.Writer) error {
	params := openapi.GetContentParams{MunimentPurpose: Optional(g.Purpose), Range: Optional(g.Range)}
	res, err := r.answer(r.api.GetContent(ctx, id, &params, func(_ context.Context, req *http.Request) error {
		if g.Note != "" {
			req.Header.Set("Muniment-Purpose-Note", headerValue(g.Note, false))
		}
		return nil
	}))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var from io.Reader = res.Body
	if g.Progress != nil && res.ContentLength >= largeRead {
		bar := cli.StartTransfer(g.Progress, "get", 1, res.ContentLength)
		defer bar.Clear()
		from = bar.Reader(res.Body)
	}
	if _, err := io.Copy(w, from); err != nil {
		return cli.Hint(fmt.Errorf("reading %s: the content broke off: %w", id, err),
			"the part that came is no whole document; if it happens again, the server's log and fsck say why")
	}
	return nil
}
