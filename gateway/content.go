package gateway

import (
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"

	"github.com/labstack/echo/v4"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/vault"
	"muniment/vault/objects"
)

// octets is the media type of content without one of its own.
const octets = "application/octet-stream"

// content serves a document, or ranges of it. The read is on record before the first byte leaves.
func (s *Server) content(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	purpose, note, err := r.purpose()
	if err != nil {
		return err
	}
	etag := etagOf(id)
	wanted := r.ranges(etag)
	partial := false
	content, err := s.cfg.Vault.Read(r.Request().Context(), r.who, id, vault.ReadRequest{
		Purpose: purpose, Note: note,
		Select: func(size int64) (spans []objects.Span, err error) {
			spans, partial, err = selectSpans(wanted, size)
			return spans, err
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // the vault logs what it cannot record
	out := &download{res: r.Response(), status: http.StatusOK}
	h := r.Response().Header()
	contentHeader(h, content.Document)
	h.Set("Muniment-Index", strconv.FormatUint(content.Index, 10))
	return out.send(r.Request().Context(), content, partial)
}

// contentHead describes the content as its read would, without one: it is on record as a description.
func (s *Server) contentHead(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	found, err := s.cfg.Vault.Describe(r.Request().Context(), r.who, id)
	if err != nil {
		return err
	}
	switch { // the read that may follow would be answered like this too
	case found.State == vault.Erased:
		return vault.ErrErased
	case found.WithheldBecause == vault.ReasonFull:
		return problem.New(problem.JournalFull, "")
	case found.Withheld:
		return problem.New(problem.KeysUnavailable, "")
	}
	h := r.Response().Header()
	contentHeader(h, found)
	h.Set("Content-Type", mediaType(found.MediaType))
	h.Set("Content-Length", strconv.FormatInt(found.Size, 10))
	r.Response().WriteHeader(http.StatusOK)
	return nil
}

// etagOf is a document's validator. Content never changes, so the id makes a strong one; unlike a digest, it says
// nothing about the content.
func etagOf(id journal.ID) string { return `"` + id.String() + `"` }

// contentHeader sets the headers of content, whole or in ranges.
func contentHeader(h http.Header, d vault.Document) {
	h.Set("ETag", etagOf(d.ID))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Disposition", contentDisposition(d.FileName))
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

// purpose is why the content is read.
func (r *request) purpose() (code, note string, err error) {
	if code, err = r.fields().one("Muniment-Purpose", "purpose"); err != nil {
		return "", "", err
	}
	if code == "" {
		return "", "", problem.New(problem.PurposeMissing, "")
	}
	note, err = fields{header: r.Request().Header}.one("Muniment-Purpose-Note", "purpose_note")
	return code, note, err
}

// ranges is the Range header, if it is to be honoured (RFC 9110, section 14.2 and 13.1.5).
func (r *request) ranges(etag string) string {
	h := r.Request().Header
	if condition := h.Get("If-Range"); condition != "" && condition != etag {
		return ""
	}
	return h.Get("Range")
}

// selectSpans picks what to serve, and says whether that is a part only. Its refusal names the size, which is known
// only here.
func selectSpans(wanted string, size int64) (spans []objects.Span, partial bool, err error) {
	if spans, err = parseRange(wanted, size); err != nil {
		return nil, false, problem.Of(err).With("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	}
	if spans == nil {
		return []objects.Span{{Offset: 0, Length: size}}, false, nil
	}
	return spans, true, nil
}

// download sends content. Its headers leave with the first byte, so that a failure before it can still become a
// problem.
type download struct {
	res    *echo.Response
	status int
	sent   bool
}

// Write implements io.Writer.
func (d *download) Write(p []byte) (int, error) {
	if !d.sent {
		d.sent = true
		d.res.WriteHeader(d.status)
	}
	return d.res.Write(p)
}

func (d *download) send(ctx context.Context, content *vault.Content, partial bool) error {
	h, size, kind := d.res.Header(), content.Document.Size, mediaType(content.Document.MediaType)
	switch {
	case !partial:
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	case len(content.Spans) == 1:
		d.status = http.StatusPartialContent
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.FormatInt(content.Spans[0].Length, 10))
		h.Set("Content-Range", contentRange(content.Spans[0], size))
	default:
		d.status = http.StatusPartialContent
		return d.sendParts(ctx, content, kind)
	}
	for i := range content.Spans {
		if err := content.WriteSpan(ctx, d, i); err != nil {
			return fmt.Errorf("sending content: %w", err)
		}
	}
	_, err := d.Write(nil) // empty content has headers too
	return err
}

// sendParts sends several spans as multipart/byteranges (RFC 9110, section 14.6).
func (d *download) sendParts(ctx context.Context, content *vault.Content, kind string) error {
	parts := multipart.NewWriter(d)
	h := d.res.Header()
	h.Set("Content-Type", "multipart/byteranges; boundary="+parts.Boundary())
	length, err := partsLength(parts.Boundary(), content, kind)
	if err != nil {
		return err
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	for i, span := range content.Spans {
		part, err := parts.CreatePart(partHeader(span, content.Document.Size, kind))
		if err != nil {
			return fmt.Errorf("sending a range: %w", err)
		}
		if err := content.WriteSpan(ctx, part, i); err != nil {
			return fmt.Errorf("sending a range: %w", err)
		}
	}
	if err := parts.Close(); err != nil {
		return fmt.Errorf("sending the end of ranges: %w", err)
	}
	return nil
}

// partsLength is the length of the multipart body, found by writing all of it but the content.
func partsLength(boundary string, content *vault.Content, kind string) (int64, error) {
	var n counter
	parts := multipart.NewWriter(&n)
	if err := parts.SetBoundary(boundary); err != nil {
		return 0, fmt.Errorf("measuring ranges: %w", err)
	}
	for _, span := range content.Spans {
		if _, err := parts.CreatePart(partHeader(span, content.Document.Size, kind)); err != nil {
			return 0, fmt.Errorf("measuring ranges: %w", err)
		}
		n += counter(span.Length)
	}
	err := parts.Close()
	return int64(n), err
}

func partHeader(span objects.Span, size int64, kind string) textproto.MIMEHeader {
	return textproto.MIMEHeader{"Content-Type": {kind}, "Content-Range": {contentRange(span, size)}}
}

// counter counts bytes.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)

// mediaType is what the depositor called the content, if that can stand in a header.
func mediaType(given string) string {
	kind, parameters, err := mime.ParseMediaType(given)
	if err != nil {
		return octets
	}
	if out := mime.FormatMediaType(kind, parameters); out != "" {
		return out
	}
	return octets
}
