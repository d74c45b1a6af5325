package transit

import (
	"context"
	"fmt"
	"sync"

	"muniment/vault/keys"
)

// rewrapsAtOnce is how many requests rewrap at a time. Measured on two cores with Vault on them: more is not faster,
// and one is half as fast.
const rewrapsAtOnce = 4

// Rewrap has Vault decrypt each and encrypt it with the newest version, in several requests at once. The secrets stay
// there.
func (s *Service) Rewrap(ctx context.Context, tenant string, wrapped []string) ([]keys.Rewrapped, error) {
	out := make([]keys.Rewrapped, len(wrapped))
	items, at := s.ciphertexts(wrapped, func(i int, err error) { out[i].Err = err })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	begin := 0
	for _, chunk := range chunks(items) {
		places := at[begin : begin+len(chunk)]
		begin += len(chunk)
		select {
		case s.rewraps <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		wg.Go(func() {
			defer func() { <-s.rewraps }()
			results, err := s.rewrap(ctx, tenant, chunk)
			if err == nil {
				err = whole(results)
			}
			if err != nil {
				cancel(err)
				return
			}
			for k, r := range results {
				out[places[k]] = keys.Rewrapped{Wrapped: r.wrapped, Err: r.err}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, s.stopped(ctx)
	}
	return out, nil
}

// stopped gives why a rewrap was not finished.
func (s *Service) stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == ctx.Err() { //nolint:errorlint // the very same: there was no other cause
		return fmt.Errorf("the Vault at %s: rewrapping: the caller has left: %w: %w",
			s.vault.host(), keys.ErrUnavailable, cause)
	}
	return cause
}

// rewrap makes one request.
func (s *Service) rewrap(ctx context.Context, tenant string, items [][]byte) ([]outcome, error) {
	name, err := s.vault.keyOf(tenant)
	if err == nil {
		req := s.batchOn("rewrap", name, items)
		defer req.body.wipe()
		var ans *answer
		if ans, err = s.vault.call(ctx, req); err == nil {
			var out []outcome
			if out, err = s.outcomes(req, ans, len(items),
				func(r result) outcome { return outcome{wrapped: r.Ciphertext} }); err == nil {
				return out, nil
			}
		}
	}
	return eachWithoutKey(len(items), err)
}
