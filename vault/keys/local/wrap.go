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

func (v version) wrap(tenant string, secret keys.Secret) string {
	sealed := v.aead.Seal(nil, nil, secret, []byte(tenant))
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
		secret, err := st.unwrap(tenant, w)
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
		secret, err := st.unwrap(tenant, w)
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

func (st *state) unwrap(tenant, wrapped string) (keys.Secret, error) {
	versions := st.tenants[tenant]
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
		secret, err := v.aead.Open(nil, nil, sealed, []byte(tenant))
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
