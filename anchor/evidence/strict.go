package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNewer says that a format is newer than this program: a later one is needed to judge it. The error names the
// version.
var ErrNewer = errors.New("a newer version of this program is needed")

const (
	maxDepth = 32
	// maxWeight bounds how much is built of one JSON value, whatever its length in bytes: an element or a field weighs
	// 1, an object 16 more. The largest evidence file that is in order weighs some 350,000.
	maxWeight    = 1 << 19
	objectWeight = 16
)

// decode reads JSON that nobody vouches for. It refuses JSON that two readers might understand differently, or that
// could be changed without a reader noticing: duplicate keys, fields that are unknown, missing, null or written in
// another case, numbers and base64 in other than their one form, bytes that are not UTF-8, and data after the value.
// The last check does most of this at once: the value is written again, and must say the same as the data given.
func decode(data []byte, limit, version int, dst any) error {
	given, err := tree(data, limit)
	if err != nil {
		return err
	}
	if version > 0 {
		if err := checkVersion(given, version); err != nil {
			return err
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	again, err := json.Marshal(dst)
	if err != nil {
		return fmt.Errorf("writing JSON again: %w", err)
	}
	read, err := tree(again, 2*limit+1024)
	if err != nil {
		return err
	}
	if path := difference("", given, read); path != "" {
		return fmt.Errorf("%s is missing, null, or not written in its one form", strings.TrimPrefix(path, "."))
	}
	return nil
}

// checkVersion reads the field v by itself, because a newer format may have fields that this one does not know.
func checkVersion(given any, version int) error {
	object, ok := given.(map[string]any)
	if !ok {
		return errors.New("not a JSON object")
	}
	number, ok := object["v"].(json.Number)
	if !ok {
		return errors.New("there is no version (field v)")
	}
	v, err := strconv.ParseUint(string(number), 10, 32)
	switch {
	case err != nil || v == 0 || strconv.FormatUint(v, 10) != string(number):
		return errors.New("the version (field v) is not a positive integer")
	case v > uint64(version):
		return fmt.Errorf("this is version %d, and this program knows up to version %d: %w", v, version, ErrNewer)
	case v < uint64(version):
		return fmt.Errorf("there never was a version %d", v)
	}
	return nil
}

// tree reads one JSON value as maps, slices, strings, numbers and booleans, and refuses the ambiguous.
func tree(data []byte, limit int) (any, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(data) {
		return nil, errors.New("not one JSON value")
	}
	// A file of empty objects and short numbers takes fifty times its length once it is built.
	if weight(data) > maxWeight {
		return nil, errors.New("too many values")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return value(dec, 0)
}

// weight says, without building anything, how much there is in valid JSON.
func weight(data []byte) int {
	n, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{':
			n += objectWeight
		case c == '[' || c == ',':
			n++
		}
	}
	return n
}

func value(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return object(dec, depth)
		}
		return array(dec, depth)
	case string:
		// Decoders put U+FFFD in the place of half a surrogate pair, so two different texts would read the same.
		if strings.ContainsRune(t, utf8.RuneError) {
			return nil, errors.New("a string holds U+FFFD, the mark of damaged text")
		}
	}
	return token, nil
}

func object(dec *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		name, ok := key.(string)
		if !ok {
			return nil, errors.New("an object's key is not a string")
		}
		if _, twice := out[name]; twice {
			return nil, errors.New("a key stands twice in one object")
		}
		if out[name], err = value(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return out, err
}

func array(dec *json.Decoder, depth int) (any, error) {
	out := []any{}
	for dec.More() {
		element, err := value(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, element)
	}
	_, err := dec.Token()
	return out, err
}

// difference is the path of the first field in which two trees differ, or empty.
func difference(path string, given, read any) string {
	if g, ok := given.(map[string]any); ok {
		r, _ := read.(map[string]any)
		for name := range r {
			if _, ok := g[name]; !ok {
				return path + "." + name
			}
		}
		for name := range g {
			if _, ok := r[name]; !ok {
				return path + "." + name
			}
			if d := difference(path+"."+name, g[name], r[name]); d != "" {
				return d
			}
		}
		return ""
	}
	if g, ok := given.([]any); ok {
		r, _ := read.([]any)
		if len(g) != len(r) {
			return path
		}
		for i := range g {
			if d := difference(fmt.Sprintf("%s[%d]", path, i), g[i], r[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if !reflect.DeepEqual(given, read) {
		return path
	}
	return ""
}

// unbase64 reads standard base64 (RFC 4648, section 4) with padding, in its one form.
func unbase64(s string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != s {
		return nil, errors.New("not base64 in its one form")
	}
	return raw, nil
}
