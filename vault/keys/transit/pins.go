package transit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"muniment/anchor/bounded"
)

// pins are the public keys that a file remembers, by mount, key and version.
type pins map[string]ed25519.PublicKey

const pinsVersion = 1

type pinsFile struct {
	Version int               `json:"version"`
	Keys    map[string][]byte `json:"public_keys"`
}

func pinName(mount, key string, version int) string {
	return mount + "/" + key + ":v" + strconv.Itoa(version)
}

// readPins reads the file. Without one, nothing is remembered.
func readPins(path string) (pins, error) {
	out := pins{}
	if path == "" {
		return out, nil
	}
	raw, err := bounded.ReadFile(path, bounded.Large)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the remembered public keys: %w", err)
	}
	var f pinsFile
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil || f.Version < 1 {
		return nil, fmt.Errorf("reading the remembered public keys: %s is damaged; delete it: Vault is asked again",
			path)
	}
	if f.Version > pinsVersion {
		return nil, fmt.Errorf("reading the remembered public keys: %s is of version %d, "+
			"and this program reads up to %d", path, f.Version, pinsVersion)
	}
	for name, key := range f.Keys {
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("reading the remembered public keys: %s is damaged; delete it: Vault is asked again",
				path)
		}
		out[name] = key
	}
	return out, nil
}

// writePins replaces the file as a whole. It need not be on stable storage: what is lost is asked for again.
func writePins(path string, known pins) error {
	if path == "" {
		return nil
	}
	f := pinsFile{Version: pinsVersion, Keys: map[string][]byte{}}
	for name, key := range known {
		f.Keys[name] = key
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("remembering the public keys: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("remembering the public keys: %w", err)
	}
	_, err = temp.Write(append(raw, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("remembering the public keys: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}
