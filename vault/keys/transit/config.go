package transit

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"muniment/vault/keys"
)

// Method is a way to log in to Vault.
type Method string

// The ways to log in.
const (
	Token      Method = "token"
	AppRole    Method = "approle"
	Kubernetes Method = "kubernetes"
)

// Auth says who we are to Vault.
type Auth struct {
	// Method is the way to log in.
	Method Method
	// Mount is where that way is mounted; empty means approle or kubernetes.
	Mount string
	// TokenFile holds the token, for Token. It is read again when Vault refuses what it held before.
	TokenFile string
	// Token is the token itself, for Token, where there is no file: what VAULT_TOKEN holds.
	Token keys.Secret
	// RoleID and SecretIDFile are for AppRole. The file is read at each login.
	RoleID       string
	SecretIDFile string
	// Role and JWTFile are for Kubernetes. The file is read at each login. Untested: no Kubernetes API was to be had.
	Role    string
	JWTFile string
}

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Config says where Vault is and what is ours in it.
type Config struct {
	// Address is the URL of the server: scheme, host and port.
	Address string
	// CA is a file with certificates in PEM that the server's may come from; empty means those that the system trusts.
	CA string
	// ServerName is the name that the server's certificate must have, where that is not the address's.
	ServerName string
	// Namespace is that of Vault Enterprise; empty for none. Untested: Vault Enterprise was not to be had.
	Namespace string
	// Mount is where the Transit engine is mounted; empty means transit.
	Mount string
	// Prefix begins the names of our keys: PREFIX-tenant-TENANT, PREFIX-journal, PREFIX-checkpoint, PREFIX-ledger;
	// empty means muniment.
	Prefix string
	// Auth says who we are to Vault.
	Auth Auth

	// CheckpointVersion and LedgerVersion are the versions of the signing keys that sign; 0 means 1. They are pinned
	// because who verifies knows one public key, and Vault by itself signs with whatever version is the newest.
	CheckpointVersion int
	LedgerVersion     int
	// PublicKeys is a file that remembers the signing keys' public keys, so that a start is possible while Vault cannot
	// be asked for them. It holds no secret, and what Vault says is held against it. Empty means that such a start
	// fails.
	PublicKeys string

	// RequestTimeout bounds one HTTP request; 0 means 10 s.
	RequestTimeout time.Duration
	// RetryTime is for how long what failed on its way is tried again; 0 means 5 s.
	RetryTime time.Duration

	Clock Clock
	Rand  io.Reader // of the jitter
	Log   *slog.Logger
}

// ErrConfig says that a Config cannot be used as it is, whatever Vault says.
var ErrConfig = errors.New("the configuration of the Vault key service is wrong")

const (
	defaultMount          = "transit"
	defaultPrefix         = "muniment"
	defaultRequestTimeout = 10 * time.Second
	defaultRetryTime      = 5 * time.Second
)

var prefixPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// complete checks the configuration and fills in what is left out.
func (c Config) complete() (Config, error) {
	c.Mount = strings.Trim(orString(c.Mount, defaultMount), "/")
	c.Prefix = orString(c.Prefix, defaultPrefix)
	c.RequestTimeout = orDuration(c.RequestTimeout, defaultRequestTimeout)
	c.RetryTime = orDuration(c.RetryTime, defaultRetryTime)
	c.CheckpointVersion = max(c.CheckpointVersion, 1)
	c.LedgerVersion = max(c.LedgerVersion, 1)
	if c.Clock == nil || c.Rand == nil || c.Log == nil {
		return c, fmt.Errorf("%w: it needs a clock, a source of randomness and a log", ErrConfig)
	}
	u, err := url.Parse(c.Address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return c, fmt.Errorf("%w: the address is no URL of a server; write it like https://vault.example.org:8200",
			ErrConfig)
	}
	if c.Mount == "" || strings.ContainsAny(c.Mount, "?#%\\ ") || strings.Contains(c.Mount, "..") {
		return c, fmt.Errorf("%w: the mount must be the path of the Transit engine, such as transit", ErrConfig)
	}
	if !prefixPattern.MatchString(c.Prefix) {
		return c, fmt.Errorf("%w: the prefix must be 1 to 64 lower-case letters, digits and hyphens", ErrConfig)
	}
	if strings.Contains(c.Prefix+"-", "-tenant-") { // its keys would look like tenants' under a shorter prefix
		return c, fmt.Errorf("%w: the prefix must not hold the word tenant after a hyphen", ErrConfig)
	}
	c.Auth, err = c.Auth.complete()
	return c, err
}

func (a Auth) complete() (Auth, error) {
	a.Mount = strings.Trim(orString(a.Mount, string(a.Method)), "/")
	var ok bool
	switch a.Method {
	case Token:
		ok = (a.TokenFile == "") != (len(a.Token) == 0)
	case AppRole:
		ok = a.RoleID != "" && a.SecretIDFile != ""
	case Kubernetes:
		ok = a.Role != "" && a.JWTFile != ""
	default:
		return a, fmt.Errorf("%w: the way to log in is none of token, approle and kubernetes", ErrConfig)
	}
	if !ok {
		return a, fmt.Errorf("%w: token needs a token or its file, approle a role id and the secret id's file, "+
			"kubernetes a role and the service account token's file", ErrConfig)
	}
	return a, nil
}

func orString(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
