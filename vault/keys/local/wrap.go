package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"muniment/vault/keys"
)

const wrapPrefix = "local:v"

// Wrap encrypts with AES-256-GCM: "local:v" and the key's version, ":", and in base64 nonce, ciphertext and tag, as
// Tink's raw keys write it. The associated data is the tenant's name.
func (s *Service) Wrap(_ context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errClosed
	}
	if err := keys.CheckSizes(secrets); err != nil {
		return nil, fmt.Errorf("local key file: wrapping: %w", err)
	}
	versions := st.tenants[tenant]
	if len(versions) == 0 {
		return nil, fmt.Errorf("local key file: wrapping: %w", keys.ErrNoKey)
	}
	newest := versions[len(versions)-1]
	out := make([]string, len(secrets))
	for i, secret := range secrets {
		out[i] = newest.wrap(tenant, secret)
	}
	return out, nil
}

// shippingData is the associated data of a journal's shipping key: no UTF-8, so that no tenant can have it for a name.
const shippingData = "\xffjournal"

// WrapShipping encrypts as Wrap does, under the journals' key.
func (s *Service) WrapShipping(_ context.Context, secret keys.Secret) (string, error) {
	st := s.state.Load()
	if st == nil {
		return "", errClosed
	}
	if err := keys.CheckSizes([]keys.Secret{secret}); err != nil {
		return "", fmt.Errorf("local key file: wrapping a shipping key: %w", err)
	}
	return st.journal[len(st.journal)-1].wrap(shippingData, secret), nil
}

// UnwrapShipping decrypts what WrapShipping gave.
func (s *Service) UnwrapShipping(_ context.Context, wrapped string) (keys.Secret, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errClosed
	}
	secret, err := unwrap(st.journal, shippingData, wrapped)
	if err != nil {
		return nil, fmt.Errorf("local key file: unwrapping a shipping key: %w", err)
	}
	return secret, nil
}

func (v version) wrap(data string, secret keys.Secret) string {
	sealed := v.aead.Seal(nil, nil, secret, []byte(data))
	return wrapPrefix + strconv.FormatUint(uint64(v.number), 10) + ":" + base64.StdEncoding.EncodeToString(sealed)
}

// Unwrap decrypts what Wrap gave, under whichever version of the tenant's key.
func (s *Service) Unwrap(_ context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errClosed
	}
	out := make([]keys.Unwrapped, len(wrapped))
	for i, w := range wrapped {
		secret, err := unwrap(st.tenants[tenant], tenant, w)
		if err != nil {
			out[i].Err = fmt.Errorf("local key file: unwrapping: %w", err)
			continue
		}
		out[i].Secret = secret
	}
	return out, nil
}

// Rewrap decrypts each and encrypts it with the newest version; what has that already comes back as it was, once it is
// known to open.
func (s *Service) Rewrap(_ context.Context, tenant string, wrapped []string) ([]keys.Rewrapped, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errClosed
	}
	out := make([]keys.Rewrapped, len(wrapped))
	for i, w := range wrapped {
		secret, err := unwrap(st.tenants[tenant], tenant, w)
		if err != nil {
			out[i].Err = fmt.Errorf("local key file: rewrapping: %w", err)
			continue
		}
		versions := st.tenants[tenant]
		newest := versions[len(versions)-1]
		if number, _, _ := parseWrapped(w); number == newest.number {
			out[i].Wrapped = w
		} else {
			out[i].Wrapped = newest.wrap(tenant, secret)
		}
		clear(secret)
	}
	return out, nil
}

// unwrap decrypts with whichever of a key's versions has wrapped it.
func unwrap(versions []version, data, wrapped string) (keys.Secret, error) {
	if len(versions) == 0 {
		return nil, keys.ErrNoKey
	}
	number, sealed, ok := parseWrapped(wrapped)
	if !ok {
		return nil, keys.ErrWrapped
	}
	for _, v := range versions {
		if v.number != number {
			continue
		}
		secret, err := v.aead.Open(nil, nil, sealed, []byte(data))
		if err != nil || len(secret) == 0 {
			return nil, keys.ErrWrapped
		}
		return secret, nil
	}
	return nil, keys.ErrNoKey
}

func parseWrapped(wrapped string) (number uint32, sealed []byte, ok bool) {
	rest, ok := strings.CutPrefix(wrapped, wrapPrefix)
	if !ok {
		return 0, nil, false
	}
	digits, value, ok := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits || strings.ContainsAny(value, "\r\n") {
		return 0, nil, false // base64's decoder skips line ends
	}
	sealed, err = base64.StdEncoding.Strict().DecodeString(value)
	return uint32(n), sealed, err == nil
}

// newCipher draws its nonces inside the cryptographic module, which Tink's own AES-GCM does not, so that it also runs
// under GODEBUG=fips140=only. The format is the same.
func newCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
