package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"muniment/vault/keys"
	"muniment/vault/seal"
)

// referenceEncrypt writes a document's ciphertext from the published description of Tink's streaming AEADs, sharing
// nothing with the code under test. The header, which is random, is given.
func referenceEncrypt(t testing.TB, s seal.Suite, keyset keys.Secret, header, binding, content []byte) []byte {
	t.Helper()
	derived, err := hkdf.Key(sha256.New, mainKey(t, keyset), header[1:33], string(binding), 64)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		t.Fatal(err)
	}
	gcm := s == seal.GCMSmall || s == seal.GCMLarge
	out := bytes.Clone(header)
	room := firstPlain(s)
	for number := uint32(0); ; number++ {
		segment := content[:min(room, int64(len(content)))]
		content = content[len(segment):]
		room = restPlain(s)
		nonce := binary.BigEndian.AppendUint32(bytes.Clone(header[33:]), number)
		nonce = append(nonce, 0)
		if len(content) == 0 {
			nonce[11] = 1
		}
		if gcm {
			aead, err := cipher.NewGCM(block)
			if err != nil {
				t.Fatal(err)
			}
			out = aead.Seal(out, nonce, segment, nil)
		} else {
			nonce = append(nonce, 0, 0, 0, 0)
			encrypted := make([]byte, len(segment))
			cipher.NewCTR(block, nonce).XORKeyStream(encrypted, segment)
			mac := hmac.New(sha256.New, derived[32:])
			mac.Write(nonce)
			mac.Write(encrypted)
			out = mac.Sum(append(out, encrypted...))
		}
		if len(content) == 0 {
			return out
		}
	}
}

// mainKey takes the one key out of a keyset, through Tink.
func mainKey(t testing.TB, keyset keys.Secret) []byte {
	t.Helper()
	handle, err := insecurecleartextkeyset.Read(tinkkeyset.NewBinaryReader(bytes.NewReader(keyset)))
	if err != nil {
		t.Fatal(err)
	}
	primary, err := handle.Primary()
	if err != nil {
		t.Fatal(err)
	}
	return primary.Key().(interface{ KeyBytes() secretdata.Bytes }).KeyBytes().Data(insecuresecretdataaccess.Token{})
}

// referenceRow joins the parts of a sealed row.
func referenceRow(wrapped, text []byte) []byte {
	row := []byte{'M', 'S', 'R', 1}
	row = binary.BigEndian.AppendUint32(row, uint32(len(wrapped)))
	return append(append(row, wrapped...), text...)
}

// rowParts takes a sealed row apart.
func rowParts(t testing.TB, row []byte) (wrapped, text []byte) {
	t.Helper()
	if len(row) < 8 || !bytes.HasPrefix(row, []byte("MSR\x01")) {
		t.Fatalf("a row begins %x", row[:min(8, len(row))])
	}
	n := binary.BigEndian.Uint32(row[4:])
	return row[8 : 8+n], row[8+n:]
}

// referenceFields joins byte strings, each behind its length.
func referenceFields(list ...[]byte) []byte {
	var out []byte
	for _, f := range list {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(f))), f...)
	}
	return out
}
