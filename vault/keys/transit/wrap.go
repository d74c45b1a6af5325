package transit

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"muniment/vault/keys"
)

// Wrap encrypts under the newest version of the tenant's key: "vault:v", the version, ":" and base64.
func (s *Service) Wrap(ctx context.Context, tenant string, secrets []keys.Secret) ([]string, error) {
	if err := keys.CheckSizes(secrets); err != nil {
		return nil, fmt.Errorf("wrapping in Vault: %w", err)
	}
	if len(secrets) == 0 {
		return nil, nil
	}
	items := make([][]byte, len(secrets))
	for i, secret := range secrets {
		items[i] = plaintextItem(secret)
	}
	results, err := s.wraps.do(ctx, tenant, items)
	if err != nil {
		return nil, s.gaveUp(ctx, "wrapping", err)
	}
	out := make([]string, len(results))
	for i, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		out[i] = r.wrapped
	}
	return out, nil
}

// gaveUp gives an error for one who left before there was a result.
func (s *Service) gaveUp(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("the Vault at %s: %s: the caller has left: %w: %w",
			s.vault.host(), doing, keys.ErrUnavailable, err)
	}
	return err
}

// Unwrap decrypts what Wrap or Rewrap gave.
func (s *Service) Unwrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Unwrapped, error) {
	out := make([]keys.Unwrapped, len(wrapped))
	items, at := s.ciphertexts(wrapped, func(i int, err error) { out[i].Err = err })
	if len(items) == 0 {
		return out, nil
	}
	results, err := s.unwraps.do(ctx, tenant, items)
	if err != nil {
		return nil, s.gaveUp(ctx, "unwrapping", err)
	}
	if err := whole(results); err != nil {
		wipeOutcomes(results)
		return nil, err
	}
	for k, r := range results {
		out[at[k]] = keys.Unwrapped{Secret: r.secret, Err: r.err}
	}
	return out, nil
}

// whole gives the error of an item that says nothing about the item, and so fails all of a caller's.
func whole(results []outcome) error {
	for _, r := range results {
		if errors.Is(r.err, keys.ErrUnavailable) || errors.Is(r.err, keys.ErrDenied) {
			return r.err
		}
	}
	return nil
}

// ciphertexts makes items of the wraps that have the form of one, and says where each of them stands.
func (s *Service) ciphertexts(wrapped []string, bad func(int, error)) (items [][]byte, at []int) {
	for i, w := range wrapped {
		if err := checkWrapped(w); err != nil {
			bad(i, fmt.Errorf("reading what Vault has wrapped: %w", err))
			continue
		}
		items, at = append(items, ciphertextItem(w)), append(at, i)
	}
	return items, at
}

// encrypt makes one request.
func (s *Service) encrypt(ctx context.Context, tenant string, items [][]byte) ([]outcome, error) {
	name, err := s.vault.keyOf(tenant)
	if err != nil {
		return nil, err
	}
	return s.encryptWith(ctx, name, items)
}

// encryptWith makes one request for the key of that name.
func (s *Service) encryptWith(ctx context.Context, name string, items [][]byte) ([]outcome, error) {
	req := s.batchOn("encrypt", name, items)
	defer req.body.wipe()
	ans, err := s.vault.call(ctx, req)
	if err != nil {
		return nil, err
	}
	if ans.status == http.StatusForbidden && s.lacks(ctx, name) {
		return nil, s.vault.failure(req, keys.ErrNoKey, "it has no such key")
	}
	return s.outcomes(req, ans, len(items), func(r result) outcome { return outcome{wrapped: r.Ciphertext} })
}

// lacks says whether there certainly is no key of that name. Vault forbids us to encrypt with a key that is not there,
// since that would make one; and says that it is not there only to who may read it.
func (s *Service) lacks(ctx context.Context, name string) bool {
	_, err := s.vault.readKey(ctx, name)
	return errors.Is(err, keys.ErrNoKey)
}

// decrypt makes one request.
func (s *Service) decrypt(ctx context.Context, tenant string, items [][]byte) ([]outcome, error) {
	name, err := s.vault.keyOf(tenant)
	if err == nil {
		var out []outcome
		if out, err = s.decryptWith(ctx, name, items); err == nil {
			return out, nil
		}
	}
	return eachWithoutKey(len(items), err)
}

// decryptWith makes one request for the key of that name.
func (s *Service) decryptWith(ctx context.Context, name string, items [][]byte) ([]outcome, error) {
	req := s.batchOn("decrypt", name, items)
	defer req.body.wipe()
	ans, err := s.vault.call(ctx, req)
	if err != nil {
		return nil, err
	}
	defer ans.wipe()
	return s.outcomes(req, ans, len(items), func(r result) outcome { return outcome{secret: r.Plaintext} })
}

// eachWithoutKey gives that the tenant has no key as the error of each item.
func eachWithoutKey(n int, err error) ([]outcome, error) {
	if !errors.Is(err, keys.ErrNoKey) {
		return nil, err
	}
	out := make([]outcome, n)
	for i := range out {
		out[i].err = err
	}
	return out, nil
}

// batchOn is the request of an operation on the key of that name.
func (s *Service) batchOn(operation, name string, items [][]byte) request {
	return request{method: http.MethodPost, path: s.vault.key(operation, name), body: batchBody(items)}
}

// outcomes reads the answer to a batch. get takes what it asked for out of a result; without it and without an error,
// the item has one.
func (s *Service) outcomes(req request, ans *answer, n int, get func(result) outcome) ([]outcome, error) {
	results, err := s.vault.results(req, ans, n)
	if err != nil {
		return nil, err
	}
	out := make([]outcome, n)
	for i, r := range results {
		failed, got := itemError(r.Error), get(r)
		switch {
		case errors.Is(failed, keys.ErrDenied):
			got.err = s.vault.failure(req, keys.ErrDenied,
				"the key is of the wrong type (it must be aes256-gcm96; that name is ours)")
		case errors.Is(failed, errOdd):
			got.err = s.vault.failure(req, keys.ErrUnavailable, "it failed inside for one of the batch")
		case failed != nil:
			got.err = s.vault.failure(req, failed, "for one of the batch")
		case len(got.secret) == 0 && got.wrapped == "":
			got.err = s.vault.failure(req, keys.ErrUnavailable, "its answer lacks what was asked for")
		case got.wrapped != "" && checkWrapped(got.wrapped) != nil:
			got.err = s.vault.failure(req, keys.ErrUnavailable, "its answer is not understood (is a proxy in between?)")
		}
		if got.err != nil {
			clear(got.secret)
			got = outcome{err: got.err}
		}
		out[i] = got
	}
	return out, nil
}
