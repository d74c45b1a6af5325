package objects

import (
	"fmt"
	"strings"
)

// The longest key, and the longest element of one, in bytes. File systems end at 255 for a name, and a store in a
// folder adds a version to it.
const (
	MaxKey     = 512
	MaxElement = 200
)

// CheckKey returns ErrKey unless the key is 1 to 512 bytes of [A-Za-z0-9._/-], without an element that is empty, ".",
// ".." or longer than 200 bytes. The key itself is not part of the error: a wrong one may hold anything.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%w: it has %d bytes; want 1 to %d", ErrKey, len(key), MaxKey)
	}
	for i := range len(key) {
		if !keyByte(key[i]) {
			return fmt.Errorf("%w: byte %d is not one of A-Z a-z 0-9 . _ / -", ErrKey, i)
		}
	}
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." || len(element) > MaxElement {
			return fmt.Errorf(`%w: it has an element that is empty, ".", ".." or longer than %d bytes`, ErrKey,
				MaxElement)
		}
	}
	return nil
}

func keyByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	return b == '.' || b == '_' || b == '/' || b == '-'
}
