package local

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"muniment/vault/keys"
)

var (
	// ErrMissing says that there is no key file.
	ErrMissing = errors.New("there is no key file here")
	// ErrMode says that the key file is not a regular file that its owner alone can read.
	ErrMode = errors.New("the key file must be a regular file that only its owner can read or write (chmod 600)")
	// ErrFile says that the key file is not as this program writes it.
	ErrFile = errors.New("the key file is damaged")
	// ErrNewer says that a newer program wrote the key file.
	ErrNewer = errors.New("the key file is of a newer version")
	// ErrLocked says that another process has the key file open.
	ErrLocked = errors.New("another process has the key file open")
	// ErrChanged says that the key file was deleted or changed while it was open.
	ErrChanged = errors.New("the key file was deleted or changed by somebody else while it was open")
)

const fileVersion = 1

// file is the key file: JSON, indented, its members in this order, the names of maps sorted.
type file struct {
	Version int `json:"version"`
	// Signers are Ed25519 keys as the 32-byte seed of RFC 8032.
	Signers map[string][]byte `json:"signers"`
	// Tenants have one or more versions of their key, oldest first.
	Tenants map[string][]fileKey `json:"tenants"`
	// Journal are the versions of the key that wraps the journals' shipping keys. No custodian's act reaches it.
	Journal []fileKey `json:"journal"`
}

// fileKey is one version of a tenant's key or of the journals': a Tink keyset (binary, in the clear) with one raw
// AES-256-GCM key.
type fileKey struct {
	Version uint32 `json:"version"`
	Keyset  []byte `json:"keyset"`
}

// newFile has no tenant, a key for each signer, and one for the journals.
func newFile() (file, error) {
	f := file{Version: fileVersion, Signers: map[string][]byte{}, Tenants: map[string][]fileKey{}}
	for _, name := range []string{Checkpoint, Ledger} {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return file{}, fmt.Errorf("drawing the %s key: %w", name, err)
		}
		f.Signers[name] = private.Seed()
	}
	first, err := newVersion(1)
	if err != nil {
		return file{}, fmt.Errorf("drawing the journals' key: %w", err)
	}
	f.Journal = []fileKey{first}
	return f, nil
}

func keyParameters() (*aesgcm.Parameters, error) {
	return aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: 32,
		IVSizeInBytes:  12,
		TagSizeInBytes: 16,
		Variant:        aesgcm.VariantNoPrefix,
	})
}

func newVersion(number uint32) (fileKey, error) {
	params, err := keyParameters()
	if err != nil {
		return fileKey{}, err
	}
	m := keyset.NewManager()
	id, err := m.AddNewKeyFromParameters(params)
	if err != nil {
		return fileKey{}, err
	}
	if err := m.SetPrimary(id); err != nil {
		return fileKey{}, err
	}
	h, err := m.Handle()
	if err != nil {
		return fileKey{}, err
	}
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&out)); err != nil {
		return fileKey{}, err
	}
	return fileKey{Version: number, Keyset: out.Bytes()}, nil
}

// open makes the key ready for use.
func (k fileKey) open() (version, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(k.Keyset)))
	if err != nil {
		return version{}, fmt.Errorf("%w: a keyset cannot be read", ErrFile)
	}
	primary, err := h.Primary()
	if err != nil || h.Len() != 1 {
		return version{}, fmt.Errorf("%w: a keyset must hold one key", ErrFile)
	}
	want, err := keyParameters()
	if err != nil {
		return version{}, err
	}
	key, ok := primary.Key().(*aesgcm.Key)
	if !ok || !want.Equal(key.Parameters()) {
		return version{}, fmt.Errorf("%w: a key is not raw AES-256-GCM", ErrFile)
	}
	aead, err := newCipher(key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
	if err != nil {
		return version{}, fmt.Errorf("preparing a key: %w", err)
	}
	return version{number: k.Version, aead: aead}, nil
}

// state makes every key of the file ready for use.
func (f file) state() (*state, error) {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("formatting the key file: %w", err)
	}
	st := &state{file: f, raw: append(raw, '\n'), tenants: map[string][]version{}, signers: map[string]*Signer{}}
	for name, seed := range f.Signers {
		if len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("%w: the %s key is not %d bytes long", ErrFile, name, ed25519.SeedSize)
		}
		st.signers[name] = newSigner(seed)
	}
	for tenant, list := range f.Tenants {
		if tenant == keys.Journals {
			return nil, fmt.Errorf("%w: a tenant has the name %q, which is reserved", ErrFile, keys.Journals)
		}
		if st.tenants[tenant], err = openVersions(list); err != nil {
			return nil, fmt.Errorf("reading a tenant's key: %w", err)
		}
	}
	if st.journal, err = openVersions(f.Journal); err != nil {
		return nil, fmt.Errorf("reading the journals' key: %w", err)
	}
	return st, nil
}

// openVersions makes the versions of one key ready for use.
func openVersions(list []fileKey) ([]version, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is no key", ErrFile)
	}
	var last uint32
	var out []version
	for _, k := range list {
		if k.Version <= last {
			return nil, fmt.Errorf("%w: the versions of a key are out of order", ErrFile)
		}
		last = k.Version
		v, err := k.open()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// parseFile reads strictly: what it returns, written again, must give the same JSON. So unknown, repeated and misspelt
// members are refused, and only white space is free. The JSON decoder's errors may quote the file, so they are left
// out.
func parseFile(raw []byte) (file, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Version < 1 {
		return file{}, fmt.Errorf("%w: it is not JSON with a version", ErrFile)
	}
	if head.Version > fileVersion {
		return file{}, fmt.Errorf("%w: a program that reads version %d is needed, this one reads up to %d",
			ErrNewer, head.Version, fileVersion)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return file{}, fmt.Errorf("%w: a member is not of the type that it must be", ErrFile)
	}
	again, err := json.Marshal(f)
	if err != nil {
		return file{}, fmt.Errorf("formatting the key file: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil || !bytes.Equal(compact.Bytes(), again) {
		return file{}, fmt.Errorf("%w: a member is unknown, missing, repeated or out of order", ErrFile)
	}
	if f.Signers == nil || f.Tenants == nil || f.Journal == nil {
		return file{}, fmt.Errorf("%w: signers, tenants or the journals' key are missing", ErrFile)
	}
	return f, nil
}
