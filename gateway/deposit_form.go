package gateway

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"muniment/gateway/problem"
	"muniment/vault"
)

const (
	// maxPartHead is how much of a form may stand before each part's content, in bytes: the boundary and the headers.
	// [multipart.Reader] itself would take 10 MiB.
	maxPartHead = 16 << 10
	// formExtent is how much longer than its file a form may be.
	formExtent = maxMetadata + 4*maxPartHead
	// fileBuffer is how much of the file is read at a time, in bytes.
	fileBuffer = 64 << 10
	// metadataPart is the name of the part that a form may begin with.
	metadataPart = "metadata"
)

// metadataFirst is the detail for a form with its parts in the wrong order.
const metadataFirst = "The metadata part stands after the file. Put it first: the file is streamed, and is not " +
	"taken before it is known what it is."

// form is a multipart/form-data body (RFC 7578) of metadata and one file. It is read as it comes in; reading from it is
// reading the file. The file ends well only when the closing boundary and the end of the body have been seen: every
// other end is a refusal, so that a body that breaks off is never a document.
type form struct {
	body  *body
	meter allowance
	parts *multipart.Reader
	file  *multipart.Part
	most  int64 // bytes of the file

	read  int64
	ended bool
	// failure is the client's mistake within the form; it is the answer.
	failure *problem.Problem
}

var (
	errSpent = errors.New("more than a form may have around its file")
	errEnded = errors.New("the body has ended")
)

// allowance reads from the body no more than is left, so that nothing but the file can be long. It gives
// [multipart.Reader] no io.EOF, because that would take one after any boundary, not only the closing one, for the end
// of the form; and it adds a line break to the body's end, for which the closing boundary needs none.
type allowance struct {
	src       io.Reader
	left      int64
	unlimited bool
	spent     bool   // more was asked for than was left
	ended     bool   // the body has ended
	tail      string // added to the body's end
}

// Read implements [io.Reader].
func (a *allowance) Read(p []byte) (int, error) {
	switch {
	case a.ended && a.tail == "":
		return 0, errEnded
	case a.ended:
		n := copy(p, a.tail)
		a.tail = a.tail[n:]
		return n, nil
	case !a.unlimited && a.left == 0:
		a.spent = true
		return 0, errSpent
	case !a.unlimited:
		p = p[:min(int64(len(p)), a.left)]
	}
	n, err := a.src.Read(p)
	a.left -= int64(n)
	if err == io.EOF {
		a.ended, a.tail, err = true, "\r\n", nil
	}
	return n, err
}

// openForm reads a form up to its file and adds to the deposit what the form says. most is the length of the longest
// file.
func openForm(body *body, boundary string, most int64, d *vault.Deposit) (*form, error) {
	if boundary == "" || len(boundary) > 70 { // RFC 2046, section 5.1.1
		return nil, problem.New(problem.BadBody, "The form's Content-Type has no boundary of 1 to 70 characters.")
	}
	d.Length = -1
	f := &form{body: body, meter: allowance{src: body}, most: most}
	f.parts = multipart.NewReader(&f.meter, boundary)
	part, name, err := f.next()
	if err != nil {
		return nil, err
	}
	if name == metadataPart {
		if err := f.metadata(part, d); err != nil {
			return nil, err
		}
		if part, name, err = f.next(); err != nil {
			return nil, err
		}
	}
	switch {
	case part == nil:
		return nil, problem.New(problem.BadBody, "The form has no part with the name file.")
	case name == metadataPart:
		return nil, problem.New(problem.BadBody, "The form has two metadata parts.")
	case !isFile(name):
		return nil, problem.New(problem.BadBody, strayPart)
	}
	if err := partFields(part, d); err != nil {
		return nil, err
	}
	// multipart.Reader asks for 4 KiB at a time, and each read from the body sets a deadline.
	f.file, f.meter.unlimited, f.meter.src = part, true, bufio.NewReaderSize(body, fileBuffer)
	return f, nil
}

// endsEarly is the detail for a form without its end.
const endsEarly = "The form ends before its closing boundary. Nothing was kept."

// strayPart is the detail for a form with other parts.
const strayPart = "A form has a metadata part in JSON, which may be left out, then one file part, and nothing else."

func isFile(name string) bool { return name == "file" || name == "content" }

// next reads the head of the next part; part is nil at the closing boundary.
func (f *form) next() (part *multipart.Part, name string, err error) {
	f.meter.left, f.meter.unlimited = maxPartHead, false
	part, err = f.parts.NextRawPart()
	if err == io.EOF { // only the bare one stands for the closing boundary: see allowance
		return nil, "", nil
	}
	if err != nil {
		return nil, "", f.fault(err)
	}
	if len(part.Header) == 0 && f.meter.ended {
		return nil, "", problem.New(problem.Interrupted, endsEarly)
	}
	disposition := part.Header.Values("Content-Disposition")
	if len(disposition) != 1 {
		return nil, "", problem.New(problem.BadBody, "A part has no Content-Disposition, or has two.")
	}
	kind, parameters, err := mime.ParseMediaType(disposition[0])
	if err != nil || kind != "form-data" {
		return nil, "", problem.New(problem.BadBody, "A part's Content-Disposition is not that of a form "+
			"(RFC 7578, section 4.2).")
	}
	return part, parameters["name"], nil
}

// fault translates an error of the parser.
func (f *form) fault(err error) *problem.Problem {
	switch {
	case f.body.failure != nil:
		return f.body.failure
	case f.meter.spent:
		return problem.New(problem.TooLarge, "There is more around the form's file than a form may have: headers "+
			"of 16 KiB, metadata of 64 KiB.")
	case errors.Is(err, errEnded):
		return problem.New(problem.Interrupted, endsEarly)
	}
	return problem.New(problem.BadBody, "The form is malformed (RFC 2046, section 5.1).")
}

// metadata reads the metadata part.
func (f *form) metadata(part *multipart.Part, d *vault.Deposit) error {
	given := part.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(given); given != "" && (err != nil || kind != "application/json") {
		return problem.New(problem.NotJSON, "The metadata part is application/json.")
	}
	if err := plainPart(part); err != nil {
		return err
	}
	f.meter.left = maxMetadata + maxPartHead
	data, err := io.ReadAll(io.LimitReader(part, maxMetadata+1))
	switch {
	case err != nil:
		return f.fault(err)
	case len(data) > maxMetadata:
		return problem.New(problem.TooLarge, "The metadata part is longer than 64 KiB.")
	}
	var in depositMetadata
	if err := readMetadata(data, &in); err != nil {
		return err
	}
	return in.addTo(d)
}

// plainPart refuses encodings, digests that nobody would check, and Muniment- headers, which are not read in a part.
func plainPart(part *multipart.Part) error {
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return problem.New(problem.UnsupportedEncoding, "")
	}
	if encoding := part.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return problem.New(problem.UnsupportedEncoding, "")
	}
	for name := range part.Header {
		if strings.HasPrefix(name, "Muniment-") {
			return problem.New(problem.UnknownParameter,
				"A part has a Muniment- header. Put it into the metadata part.")
		}
	}
	return otherDigests(part.Header.Values)
}

// quoting undoes the escapes that browsers and curl write in file names (HTML, "multipart form data").
var quoting = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// partFields adds media type, file name and digest of the file's part; the metadata's own go before them.
func partFields(part *multipart.Part, d *vault.Deposit) error {
	if err := plainPart(part); err != nil {
		return err
	}
	if d.MediaType == "" {
		d.MediaType = part.Header.Get("Content-Type")
	}
	if d.FileName == "" {
		// Not part.FileName, which would keep the last element of a path and not say so.
		_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return problem.New(problem.BadBody, "A part's Content-Disposition is malformed.")
		}
		d.FileName = quoting.Replace(parameters["filename"])
	}
	digest, err := parseContentDigest(part.Header.Values("Content-Digest"))
	if err != nil || digest == nil {
		return err
	}
	if d.Digest != nil {
		return problem.New(problem.UnknownParameter, "content_sha256 is given more than once")
	}
	d.Digest = digest
	return nil
}

// Read reads the file.
func (f *form) Read(p []byte) (int, error) {
	if f.failure != nil {
		return 0, f.failure
	}
	if f.ended {
		return 0, io.EOF
	}
	n, err := f.file.Read(p)
	if f.read += int64(n); f.read > f.most {
		f.failure = problem.New(problem.TooLarge, "")
		return 0, f.failure
	}
	if err == nil {
		return n, nil
	}
	if err != io.EOF { // only the bare one is the end of the part
		f.failure = f.fault(err)
	} else if err := f.close(); err != nil {
		f.failure = problem.Of(err)
	}
	if f.failure != nil {
		return 0, f.failure
	}
	f.ended = true
	return n, io.EOF
}

// close reads the closing boundary and the end of the body, and refuses another part.
func (f *form) close() error {
	part, name, err := f.next()
	switch {
	case err != nil:
		return err
	case part != nil && name == metadataPart:
		return problem.New(problem.BadBody, metadataFirst)
	case part != nil && isFile(name):
		return problem.New(problem.BadBody, "The form has two files. Make a deposit of each.")
	case part != nil:
		return problem.New(problem.BadBody, strayPart)
	}
	f.meter.left = maxPartHead
	if _, err := io.Copy(io.Discard, &f.meter); !errors.Is(err, errEnded) {
		return f.fault(err)
	}
	return nil
}

// failureOr returns the client's failure if there was one, or else err.
func (f *form) failureOr(err error) error {
	if err != nil && f.failure != nil && f.body.failure == nil {
		return f.failure
	}
	return f.body.failureOr(err)
}
