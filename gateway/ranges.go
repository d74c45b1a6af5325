package gateway

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"muniment/gateway/problem"
	"muniment/vault/objects"
)

// Limits of a Range header (RFC 9110, section 17.15, on denial of service by ranges).
const (
	maxRanges      = 16
	maxRangeHeader = 1024 // bytes
)

// parseRange reads a Range header (RFC 9110, section 14.2) for content of the size given. It returns nil when the whole
// content is to be served: no header, or a unit other than bytes. Otherwise it returns the satisfiable ranges in
// ascending order, overlapping and adjacent ones merged. A header that is malformed, too long or not satisfiable is
// refused.
func parseRange(header string, size int64) ([]objects.Span, error) {
	if header == "" {
		return nil, nil
	}
	unit, set, ok := strings.Cut(header, "=")
	if ok && !strings.EqualFold(unit, "bytes") {
		return nil, nil
	}
	if !ok || len(header) > maxRangeHeader {
		return nil, problem.New(problem.BadRange, "")
	}
	var spans []objects.Span
	count := 0
	for spec := range strings.SplitSeq(set, ",") {
		spec = strings.Trim(spec, " \t")
		if spec == "" {
			continue
		}
		if count++; count > maxRanges {
			return nil, problem.New(problem.BadRange, "")
		}
		span, ok := parseRangeSpec(spec, size)
		if !ok {
			return nil, problem.New(problem.BadRange, "")
		}
		if span.Length > 0 {
			spans = append(spans, span)
		}
	}
	if len(spans) == 0 {
		return nil, problem.New(problem.BadRange, "")
	}
	return merge(spans), nil
}

// parseRangeSpec reads "first-last", "first-" or "-suffix". A span of no bytes is not satisfiable.
func parseRangeSpec(spec string, size int64) (objects.Span, bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return objects.Span{}, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		n = min(n, size)
		return objects.Span{Offset: size - n, Length: n}, ok
	}
	from, ok := parsePosition(first)
	if !ok {
		return objects.Span{}, false
	}
	to := int64(math.MaxInt64)
	if last != "" {
		if to, ok = parsePosition(last); !ok || to < from {
			return objects.Span{}, false
		}
	}
	if from >= size {
		return objects.Span{}, true
	}
	return objects.Span{Offset: from, Length: min(to, size-1) - from + 1}, true
}

// parsePosition reads digits only. A number that is too large for any content is the largest
// position.
func parsePosition(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && s != "" {
		return math.MaxInt64, true
	}
	return n, err == nil
}

// merge sorts the spans and joins those that overlap or touch.
func merge(spans []objects.Span) []objects.Span {
	slices.SortFunc(spans, func(a, b objects.Span) int { return cmp.Compare(a.Offset, b.Offset) })
	out := spans[:1]
	for _, s := range spans[1:] {
		last := &out[len(out)-1]
		if s.Offset > last.Offset+last.Length {
			out = append(out, s)
			continue
		}
		last.Length = max(last.Length, s.Offset+s.Length-last.Offset)
	}
	return out
}

// contentRange is the Content-Range of a span (RFC 9110, section 14.4).
func contentRange(s objects.Span, size int64) string {
	return "bytes " + strconv.FormatInt(s.Offset, 10) + "-" + strconv.FormatInt(s.Offset+s.Length-1, 10) +
		"/" + strconv.FormatInt(size, 10)
}
