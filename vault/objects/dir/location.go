package dir

import (
	"path/filepath"
	"strings"
)

// Folders and marks of the layout. Neither mark is a byte of keys.
const (
	dataFolder     = "data"
	incomingFolder = "incoming"
	fanMark        = "+"         // ends a folder that holds the keys that start with the characters before it
	versionMark    = "@"         // stands between the last element of a key and what the file is
	recordSuffix   = "@versions" // ends a record's name
	fanWidth       = 2
	versionLength  = 32
)

// location is where a key is kept.
type location struct {
	key    string
	folder string
	leaf   string // the key's last element
}

// locationOf expects a key that objects.CheckKey has passed.
func (s *Store) locationOf(key string) location {
	parent, leaf := "", key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		parent, leaf = key[:i], key[i+1:]
	}
	folder := filepath.Join(s.root, dataFolder, parent, leaf[:min(fanWidth, len(leaf))]+fanMark)
	return location{key: key, folder: folder, leaf: leaf}
}

func (p location) record() string { return filepath.Join(p.folder, p.leaf+recordSuffix) }

func (p location) content(id string) string { return filepath.Join(p.folder, p.leaf+versionMark+id) }

// isVersion says whether a caller's version can be one of ours; anything else must not get into a path.
func isVersion(version string) bool {
	if len(version) != versionLength {
		return false
	}
	for i := range len(version) {
		if c := version[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
