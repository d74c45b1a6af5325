// Command tinkgo encrypts and decrypts files with github.com/google/tink/go, so that tests can show that it and this program
// read each other's documents.
//
// Usage: tinkgo encrypt|decrypt DIR
//
// For each NAME.keyset in DIR (a Tink keyset, binary, in the clear) it uses NAME.binding as associated data; encrypt makes
// NAME.ciphertext of NAME.plain, decrypt the other way round. It stops at the first that fails, with exit code 1.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/tink/go/insecurecleartextkeyset"
	"github.com/google/tink/go/keyset"
	"github.com/google/tink/go/streamingaead"
	"github.com/google/tink/go/tink"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tinkgo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: tinkgo encrypt|decrypt DIR")
	}
	keysets, err := filepath.Glob(filepath.Join(args[1], "*.keyset"))
	if err != nil {
		return err
	}
	if len(keysets) == 0 {
		return fmt.Errorf("no keysets in %s", args[1])
	}
	for _, path := range keysets {
		name := strings.TrimSuffix(path, ".keyset")
		switch args[0] {
		case "encrypt":
			err = convert(name, ".plain", ".ciphertext", encrypt)
		case "decrypt":
			err = convert(name, ".ciphertext", ".plain", decrypt)
		default:
			err = fmt.Errorf("neither encrypt nor decrypt")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

func convert(name, from, to string, do func(p tink.StreamingAEAD, in, binding []byte) ([]byte, error)) error {
	raw, err := os.ReadFile(name + ".keyset")
	if err != nil {
		return err
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(raw)))
	if err != nil {
		return err
	}
	primitive, err := streamingaead.New(handle)
	if err != nil {
		return err
	}
	in, err := os.ReadFile(name + from)
	if err != nil {
		return err
	}
	binding, err := os.ReadFile(name + ".binding")
	if err != nil {
		return err
	}
	out, err := do(primitive, in, binding)
	if err != nil {
		return err
	}
	return os.WriteFile(name+to, out, 0o600)
}

func encrypt(p tink.StreamingAEAD, in, binding []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := p.NewEncryptingWriter(&out, binding)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(in); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func decrypt(p tink.StreamingAEAD, in, binding []byte) ([]byte, error) {
	r, err := p.NewDecryptingReader(bytes.NewReader(in), binding)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
