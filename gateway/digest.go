package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"muniment/gateway/problem"
)

// trailersUnchecked is the detail for a request with trailers.
const trailersUnchecked = "Fields after the body are not read. Send Content-Digest as a header."

// digestOfBody is the detail for Content-Digest as a header of a request whose body is more than the document.
const digestOfBody = "Content-Digest would be that of the whole body here (RFC 9530, section 2), not of the " +
	"document. Send content_sha256 in the metadata or, in a form, Content-Digest as a header of the file's part."

// checkedDigests refuses digests in other headers, and trailers: they would promise an integrity that nobody checks.
func checkedDigests(in *http.Request) error {
	if len(in.Trailer) > 0 {
		return problem.New(problem.BadDigest, trailersUnchecked)
	}
	return otherDigests(in.Header.Values)
}

// otherDigests refuses digests in headers that are not Content-Digest.
func otherDigests(values func(name string) []string) error {
	for _, name := range []string{"Repr-Digest", "Digest", "Content-Md5"} {
		if len(values(name)) > 0 {
			return problem.New(problem.BadDigest, name+" is not checked. Send Content-Digest instead.")
		}
	}
	return nil
}

// parseContentDigest reads the SHA-256 from the values of Content-Digest (RFC 9530, section 2): a structured-field
// dictionary (RFC 9651, section 3.2) of algorithms and byte sequences. No header means no digest. A header without a
// sha-256 is refused, so that nobody takes an unchecked digest for a checked one; so is one that has two.
func parseContentDigest(values []string) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var digest []byte
	for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, value, _ := strings.Cut(strings.Trim(member, " \t"), "=")
		if name != "sha-256" {
			continue
		}
		value, ok := strings.CutPrefix(value, ":")
		if !ok {
			return nil, problem.New(problem.BadDigest, "")
		}
		value, ok = strings.CutSuffix(value, ":")
		if !ok || digest != nil {
			return nil, problem.New(problem.BadDigest, "")
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil || len(raw) != sha256.Size || strings.ContainsAny(value, "\r\n") {
			return nil, problem.New(problem.BadDigest, "")
		}
		digest = raw
	}
	if digest == nil {
		return nil, problem.New(problem.BadDigest, "")
	}
	return digest, nil
}
