package seal

import (
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"muniment/vault/keys"
)

// Encrypt returns a writer that encrypts what is written to it, segment by segment, to w. It is Tink's own; two
// segments are the memory that it takes.
//
// Close seals whatever was written until then as a whole document, and does not close w. Call it on success only: a
// deferred Close turns a broken upload into a document that verifies. A writer that is dropped without Close leaves a
// ciphertext that no reader accepts.
func Encrypt(w io.Writer, keyset keys.Secret, binding []byte) (io.WriteCloser, error) {
	k, err := readKeyset(keyset)
	if err != nil {
		return nil, fmt.Errorf("encrypting content: %w", err)
	}
	primitive, err := streamingaead.New(k.handle)
	if err != nil {
		return nil, fmt.Errorf("encrypting content: %w", err)
	}
	enc, err := primitive.NewEncryptingWriter(w, binding)
	if err != nil {
		return nil, fmt.Errorf("encrypting content: %w", err)
	}
	return enc, nil
}
