package gateway

import (
	"io"
	"net/http"
	"strings"
)

// Route is a route, for the test that compares routes and contract.
type Route struct {
	Method, Path   string
	Public         bool
	Query, Headers []string
}

// Routes lists all routes.
func Routes() []Route {
	var out []Route
	for _, r := range new(Server).routes() {
		out = append(out, Route{r.method, r.path, r.public, strings.Fields(r.query), strings.Fields(r.headers)})
	}
	return out
}

// ProblemCodes lists the whole vocabulary.
func ProblemCodes() []string {
	var out []string
	for _, p := range problems() {
		out = append(out, p.code)
	}
	return out
}

// NewUpload makes the reader of a body.
func NewUpload(w http.ResponseWriter, body io.Reader, limit int64, pace Pace) io.Reader {
	return newUpload(w, body, limit, pace)
}

// The parsers of untrusted bytes.
var (
	ParseRange         = parseRange
	ParseContentDigest = parseContentDigest
	DecodeHeader       = decodeHeader
	EncodeExtValue     = encodeExtValue
	ContentDisposition = contentDisposition
)

// ProblemOf is the code and status that an error has for a client; ok is false when nothing but "internal" fits.
func ProblemOf(err error) (code string, status int, ok bool) {
	r := refusalOf(err)
	return r.code, r.status, r.code != internal.code
}
