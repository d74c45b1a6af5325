package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"muniment/anchor/journal"
	"muniment/vault"
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

// NewBody makes the reader of a body.
func NewBody(w http.ResponseWriter, body io.Reader, limit int64, least MinSpeed) io.Reader {
	return newBody(w, body, limit, least)
}

// ReadForm reads a form to its end: what the deposit says, and the file.
func ReadForm(body io.Reader, boundary string, most int64) (d vault.Deposit, file []byte, err error) {
	d.Attributes = map[string]string{}
	up := newBody(httptest.NewRecorder(), body, most+formExtent, MinSpeed{Stall: time.Minute, Rate: 1})
	f, err := openForm(up, boundary, most, &d)
	if err != nil {
		return d, nil, up.failureOr(err)
	}
	if file, err = io.ReadAll(f); err != nil {
		return d, nil, f.failureOr(err)
	}
	return d, file, nil
}

// ParseInline reads an inline deposit.
func ParseInline(body []byte) (d vault.Deposit, content []byte, err error) {
	d.Attributes = map[string]string{}
	s := &Server{cfg: Config{Limits: Limits{}.orDefault()}}
	if err := s.readInline(body, &d); err != nil {
		return d, nil, err
	}
	content, err = io.ReadAll(d.Content)
	return d, content, err
}

// InlineType is the media type of inline deposits.
const InlineType = inlineType

// The parsers of untrusted bytes.
var (
	ParseRange         = parseRange
	ParseContentDigest = parseContentDigest
	DecodeHeader       = decodeHeader
	EncodeExtValue     = encodeExtValue
	ContentDisposition = contentDisposition
)

// NewAnswer makes the writer of an answer.
func NewAnswer(w http.ResponseWriter, least MinSpeed) io.Writer {
	return &answerWriter{ResponseWriter: w, control: http.NewResponseController(w), pace: pace{least: least}}
}

// NewPublic paces requests without a credential.
func NewPublic(perSecond int, clock journal.Clock) func(address string, cost int) error {
	return newPublic(perSecond, clock).admit
}
