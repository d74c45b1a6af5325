package transit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"muniment/anchor/bounded"
	"muniment/vault/keys"
)

// enter logs in. Secrets are read from their files each time, since others renew them there.
func (c *client) enter(ctx context.Context) (lease, error) {
	method, err := c.method()
	if err != nil {
		return lease{}, fmt.Errorf("logging in to Vault at %s: %w: %w", c.host(), keys.ErrDenied, err)
	}
	if method == nil {
		return c.lookUp(ctx)
	}
	req := request{method: http.MethodPost, path: "auth/" + c.cfg.Auth.Mount + "/login"}
	secret, err := method.Login(ctx, c.api)
	if err != nil {
		return lease{}, c.loginFailure(req, err)
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return lease{}, c.failure(req, keys.ErrDenied, "its answer holds no token (is a second factor asked for?)")
	}
	now, ttl := c.cfg.Clock.Now(), time.Duration(secret.Auth.LeaseDuration)*time.Second
	return lease{token: secret.Auth.ClientToken, renewable: secret.Auth.Renewable, got: now, ttl: ttl, full: ttl}, nil
}

// method is how Vault's client logs in; nil for a token, which needs no login.
func (c *client) method() (api.AuthMethod, error) {
	auth := c.cfg.Auth
	switch auth.Method {
	case AppRole:
		secret, err := readSecret(auth.SecretIDFile)
		if err != nil {
			return nil, err
		}
		return approle.NewAppRoleAuth(auth.RoleID, &approle.SecretID{FromString: secret},
			approle.WithMountPath(auth.Mount))
	case Kubernetes:
		token, err := bounded.ReadFile(auth.JWTFile, bounded.Small)
		if err != nil {
			return nil, fmt.Errorf("reading the service account's token: %w", err)
		}
		return kubernetes.NewKubernetesAuth(auth.Role, kubernetes.WithMountPath(auth.Mount),
			kubernetes.WithServiceAccountToken(strings.TrimSpace(string(token))))
	default:
		return nil, nil
	}
}

// loginFailure is the error of a login. Vault's client puts the whole answer into its error, so only the kind of it is
// used.
func (c *client) loginFailure(req request, err error) error {
	var answered *api.ResponseError
	if !errors.As(err, &answered) {
		return c.lost(req, err)
	}
	switch answered.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return c.failure(req, keys.ErrDenied,
			fmt.Sprintf("it refuses our login (is the %s method enabled at that path, and are the role "+
				"and its credential right and not used up or expired?)", c.cfg.Auth.Method))
	default:
		said := &answer{status: answered.StatusCode}
		if strings.Contains(strings.Join(answered.Errors, " "), "sealed") {
			said.body = []byte(`{"errors":["sealed"]}`)
		}
		return c.unavailable(req, said, "")
	}
}

// lookUp asks how long the token that was given to us lasts.
func (c *client) lookUp(ctx context.Context) (lease, error) {
	token := string(c.cfg.Auth.Token)
	if c.cfg.Auth.TokenFile != "" {
		var err error
		if token, err = readSecret(c.cfg.Auth.TokenFile); err != nil {
			return lease{}, fmt.Errorf("logging in to Vault at %s: %w: %w", c.host(), keys.ErrDenied, err)
		}
	}
	req := request{method: http.MethodGet, path: "auth/token/lookup-self"}
	ans, err := c.send(ctx, req, token)
	if err != nil {
		return lease{}, err
	}
	if ans.status == http.StatusForbidden && !refused(ans) { // a token that works, but may not look at itself
		return lease{token: token, got: c.cfg.Clock.Now()}, nil
	}
	if ans.status != http.StatusOK {
		return lease{}, c.failure(req, keys.ErrDenied, "it refuses our token, which may have expired or been revoked "+
			"(put a new one in its place)")
	}
	var said struct {
		Data struct {
			TTL       int  `json:"ttl"`
			Renewable bool `json:"renewable"`
		} `json:"data"`
	}
	if err := c.decode(req, ans, &said); err != nil {
		return lease{}, err
	}
	now, ttl := c.cfg.Clock.Now(), time.Duration(said.Data.TTL)*time.Second
	return lease{token: token, renewable: said.Data.Renewable, got: now, ttl: ttl, full: ttl}, nil
}

// renew prolongs a token.
func (c *client) renew(ctx context.Context, have lease) (lease, error) {
	req := request{method: http.MethodPost, path: "auth/token/renew-self", body: newBody([]byte("{}"))}
	ans, err := c.send(ctx, req, have.token)
	if err != nil {
		return lease{}, err
	}
	if ans.status != http.StatusOK {
		return lease{}, c.refusal(req, ans)
	}
	var said struct {
		Auth *struct {
			Duration  int  `json:"lease_duration"`
			Renewable bool `json:"renewable"`
		} `json:"auth"`
	}
	if err := c.decode(req, ans, &said); err != nil {
		return lease{}, err
	}
	if said.Auth == nil || said.Auth.Duration <= 0 {
		return lease{}, c.failure(req, keys.ErrDenied, "it does not renew the login")
	}
	have.got, have.ttl, have.renewable = c.cfg.Clock.Now(), time.Duration(said.Auth.Duration)*time.Second,
		said.Auth.Renewable
	return have, nil
}

// leave revokes a token that we logged in for. A token that was given to us is not ours to revoke.
func (c *client) leave(ctx context.Context, have lease) {
	if c.cfg.Auth.Method == Token {
		return
	}
	req := request{method: http.MethodPost, path: "auth/token/revoke-self"}
	if _, err := c.send(ctx, req, have.token); err != nil {
		c.cfg.Log.Warn("the login to Vault could not be given back; it ends by itself", "err", err)
	}
}

// readSecret reads a file that only its owner and group may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("reading a credential: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("reading a credential: "+
			"others than its owner and group may read or write %s (chmod o= it)", path)
	}
	content, err := bounded.ReadFile(path, bounded.Small)
	if err != nil {
		return "", fmt.Errorf("reading a credential: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	clear(content)
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("reading a credential: %s must hold one line", path)
	}
	return secret, nil
}
