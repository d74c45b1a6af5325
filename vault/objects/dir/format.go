package dir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"muniment/anchor/bounded"
)

// formatFile names the file that says what a folder is, and formatVersion the newest layout that this program knows.
const (
	formatFile    = "format.json"
	formatVersion = 1
)

type format struct {
	V         int  `json:"v"`
	Versioned bool `json:"versioned"`
}

// openFormat checks that root is a store of this kind, or makes it one.
func openFormat(root string, versioned, create bool) error {
	path := filepath.Join(root, formatFile)
	raw, err := bounded.ReadFile(path, bounded.Small)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return ErrMissing
		}
		if err := createFormat(root, format{V: formatVersion, Versioned: versioned}); err != nil {
			return fmt.Errorf("starting a store: %w", classify(err))
		}
		raw, err = bounded.ReadFile(path, bounded.Small)
	}
	if err != nil {
		return classify(err)
	}
	var f format
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("reading %s: %w", formatFile, err)
	}
	if f.V != formatVersion {
		return fmt.Errorf("the folder needs format %d, this program knows %d", f.V, formatVersion)
	}
	if f.Versioned != versioned {
		return fmt.Errorf("the store was created with versioned=%t and is opened with versioned=%t",
			f.Versioned, versioned)
	}
	return nil
}

// createFormat makes the folders and, last, the format file: a creation that a crash cuts short is begun again. Objects
// without a format file are somebody's, and not taken over.
func createFormat(root string, f format) error {
	for _, name := range []string{dataFolder, incomingFolder} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			return err
		}
	}
	if there, err := os.ReadDir(filepath.Join(root, dataFolder)); err != nil {
		return err
	} else if len(there) > 0 {
		return fmt.Errorf("there are objects, but %s is missing", formatFile)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	staged, err := os.MkdirTemp(root, "format-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	if err := writeSynced(filepath.Join(staged, formatFile), append(raw, '\n')); err != nil {
		return err
	}
	err = os.Link(filepath.Join(staged, formatFile), filepath.Join(root, formatFile))
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process may have been first
		return err
	}
	if err := syncFolder(root); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(root))
}
