// Package authn finds out who sends a request. It never says, and never logs, what credential was sent.
package authn

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"muniment/vault/access"
)

// ErrUnauthenticated says that a request has no valid credential. Nothing about it goes into the journal.
var ErrUnauthenticated = errors.New("no valid credential")

// Authenticator says who sends a request: ErrUnauthenticated, wrapped, if there is no telling; any other error means
// that it could not be found out.
type Authenticator interface {
	Authenticate(r *http.Request) (access.Who, error)
}

// maxToken is far above the length of any API key, and bounds the work on a forged one.
const maxToken = 256

// APIKeys authenticates by `Authorization: Bearer mun_…` (RFC 6750, section 2.1) against the keys on record.
type APIKeys struct {
	Authority *access.Authority
}

// Authenticate implements Authenticator.
func (a APIKeys) Authenticate(r *http.Request) (access.Who, error) {
	token, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		return access.Who{}, err
	}
	who, err := a.Authority.AuthenticateNow(r.Context(), token)
	if errors.Is(err, access.ErrUnknownKey) {
		return access.Who{}, fmt.Errorf("authenticating by API key: %w", ErrUnauthenticated)
	}
	if err != nil {
		return access.Who{}, fmt.Errorf("authenticating by API key: %w", err)
	}
	return who, nil
}

// bearer takes the token out of the one Authorization header. The scheme's name is not case-sensitive.
func bearer(values []string) (string, error) {
	if len(values) != 1 {
		return "", fmt.Errorf("want one Authorization header: %w", ErrUnauthenticated)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", fmt.Errorf("want the scheme Bearer: %w", ErrUnauthenticated)
	}
	token = strings.Trim(token, " ")
	if token == "" || len(token) > maxToken {
		return "", fmt.Errorf("want a token of at most %d characters: %w", maxToken, ErrUnauthenticated)
	}
	return token, nil
}
