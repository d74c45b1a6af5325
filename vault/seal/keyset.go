package seal

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead/aesctrhmac"
	"github.com/tink-crypto/tink-go/v2/streamingaead/aesgcmhkdf"

	"muniment/vault/keys"
)

// NewKeyset draws a content keyset: a serialized Tink keyset (the protocol buffer google.crypto.tink.Keyset) with one
// key, in the clear. The caller wraps it before it goes anywhere.
func NewKeyset(s Suite) (keys.Secret, error) {
	params, err := s.parameters()
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	id, err := m.AddNewKeyFromParameters(params)
	if err != nil {
		return nil, fmt.Errorf("drawing a content keyset: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("drawing a content keyset: %w", err)
	}
	h, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("drawing a content keyset: %w", err)
	}
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&out)); err != nil {
		return nil, fmt.Errorf("writing a content keyset: %w", err)
	}
	return out.Bytes(), nil
}

func (s Suite) parameters() (key.Parameters, error) {
	l, err := s.layout()
	if err != nil {
		return nil, err
	}
	if s == GCMSmall || s == GCMLarge {
		return aesgcmhkdf.NewParameters(aesgcmhkdf.ParametersOpts{
			KeySizeInBytes:        keySize,
			DerivedKeySizeInBytes: keySize,
			HKDFHashType:          aesgcmhkdf.SHA256,
			SegmentSizeInBytes:    int32(l.segment),
		})
	}
	return aesctrhmac.NewParameters(aesctrhmac.ParametersOpts{
		KeySizeInBytes:        keySize,
		DerivedKeySizeInBytes: keySize,
		HkdfHashType:          aesctrhmac.SHA256,
		HmacHashType:          aesctrhmac.SHA256,
		HmacTagSizeInBytes:    ctrTag,
		SegmentSizeInBytes:    int32(l.segment),
	})
}

// SuiteOf says which suite a content keyset is for. ErrKeyset if it is not one that NewKeyset makes.
func SuiteOf(content keys.Secret) (Suite, error) {
	k, err := readKeyset(content)
	if err != nil {
		return "", err
	}
	return k.suite, nil
}

// contentKey is the one key of a content keyset.
type contentKey struct {
	suite  Suite
	main   []byte
	handle *keyset.Handle
}

// readKeyset reads a keyset strictly: one enabled key, of one of our suites. Tink's own errors are left out of ours,
// since they describe what stood in a secret.
func readKeyset(content keys.Secret) (contentKey, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(content)))
	if err != nil {
		return contentKey{}, fmt.Errorf("%w: it cannot be read", ErrKeyset)
	}
	primary, err := h.Primary()
	if err != nil || h.Len() != 1 {
		return contentKey{}, fmt.Errorf("%w: it must hold one key", ErrKeyset)
	}
	for _, s := range []Suite{GCMSmall, GCMLarge, CTRSmall, CTRLarge} {
		params, err := s.parameters()
		if err != nil {
			return contentKey{}, err
		}
		if !params.Equal(primary.Key().Parameters()) {
			continue
		}
		k := contentKey{suite: s, handle: h}
		switch key := primary.Key().(type) {
		case *aesgcmhkdf.Key:
			k.main = key.KeyBytes().Data(insecuresecretdataaccess.Token{})
		case *aesctrhmac.Key:
			k.main = key.KeyBytes().Data(insecuresecretdataaccess.Token{})
		}
		return k, nil
	}
	return contentKey{}, fmt.Errorf("%w: its parameters are others", ErrKeyset)
}
