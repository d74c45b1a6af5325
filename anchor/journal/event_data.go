package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("the event's data is not a JSON object in UTF-8")
	errSpaces    = errors.New("the event's data has spaces between its values")
	errTwice     = errors.New("the event's data has a key twice")
)

// checkData refuses data that two readers could understand differently: other than one JSON object in UTF-8, with
// spaces between its values, or with a key twice in one object, at any depth.
func checkData(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' || !utf8.Valid(raw) || !json.Valid(raw) {
		return errNotObject
	}
	var (
		keys    [][]byte // of all objects that are open, each one's after those of the one around it
		opened  []int    // for each object or array that is open: where its keys begin, or -1 for an array
		expects bool     // whether the next string is a key
	)
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ' ', '\t', '\n', '\r':
			return errSpaces
		case '{':
			opened, expects = append(opened, len(keys)), true
		case '[':
			opened, expects = append(opened, -1), false
		case '}', ']':
			if first := opened[len(opened)-1]; first >= 0 {
				keys = keys[:first]
			}
			opened, expects = opened[:len(opened)-1], false
		case ',':
			expects = opened[len(opened)-1] >= 0
		case '"':
			end := endOfString(raw, i)
			if expects {
				key := unescaped(raw[i : end+1])
				for _, earlier := range keys[opened[len(opened)-1]:] {
					if bytes.Equal(earlier, key) {
						return errTwice
					}
				}
				keys, expects = append(keys, key), false
			}
			i = end
		}
	}
	return nil
}

// endOfString is the place of the quote that ends the string that begins at the place given, in valid JSON.
func endOfString(raw []byte, begin int) int {
	i := begin + 1
	for raw[i] != '"' {
		if raw[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

// unescaped is a quoted key as a reader understands it.
func unescaped(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var key string
	_ = json.Unmarshal(quoted, &key) // it is valid, and one that is not would be no worse than its raw form
	return []byte(key)
}
