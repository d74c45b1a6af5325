// Package transit keeps the tenants' keys, the journals' own, and the keys that sign, in the Transit engine of a
// HashiCorp Vault: the key service of production. A key never leaves Vault; what is to be wrapped, unwrapped or signed
// goes there.
//
// Concurrent callers share requests: while one request for a tenant is under way, what comes meanwhile is gathered for
// the next. A caller that comes alone does not wait.
//
// The gateway's login can use the keys and make new ones; what ends a key's life is the custodian's ([Custodian]),
// under a login of its own. [Policies] holds the two Vault policies.
package transit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"muniment/vault/keys"
)

// Service is a keys.Service over a Vault. It renews its login until Close.
type Service struct {
	vault   *client
	wraps   *gather
	unwraps *gather
	rewraps chan struct{} // as many may be under way at once as it holds

	signers map[string]*Signer
	refused map[string]error // why there is no signer of that name

	once sync.Once
}

var _ keys.Service = (*Service)(nil)

// Open logs in and looks at the signing keys. A definite refusal by Vault (of the login, the mount, the type of a key)
// is an error. While Vault is down or sealed it warns and returns a service whose calls fail with
// keys.ErrUnavailable until that is over; it then needs Config.PublicKeys, where an earlier start has left the public
// keys, for [Service.Signer]. ErrConfig.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the Vault key service: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (*Service, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	vault, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s := &Service{vault: vault, rewraps: make(chan struct{}, rewrapsAtOnce), signers: map[string]*Signer{},
		refused: map[string]error{}}
	bound := cfg.RequestTimeout + cfg.RetryTime
	s.wraps = newGather(vault.ctx, bound, s.encrypt)
	s.unwraps = newGather(vault.ctx, bound, s.decrypt)
	err = vault.login.begin(ctx)
	if err == nil {
		err = s.findMount(ctx)
	}
	if err != nil && !errors.Is(err, keys.ErrUnavailable) {
		return nil, errors.Join(err, s.Close())
	}
	if err != nil {
		cfg.Log.Warn("Vault cannot be used now; it is tried again until it can", "err", err)
	}
	if err := s.openSigners(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the renewal of the login and gives it back. Later calls return keys.ErrUnavailable.
func (s *Service) Close() error {
	s.once.Do(s.vault.close)
	return nil
}

// Format keeps what is inside out of whatever prints a Service.
func (s *Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[vault keys]") }
