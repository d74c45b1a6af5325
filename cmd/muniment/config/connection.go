package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"muniment/anchor/bounded"
)

// DefaultURL is where a server that nothing was said to listens.
const DefaultURL = "http://127.0.0.1:8080"

// Connection is how a client command reaches its server.
type Connection struct {
	// URL is the server's, from --url or MUNIMENT_URL.
	URL string
	// Token is the API key, from --token or MUNIMENT_TOKEN. On a machine that others use too, prefer a file: arguments
	// and environment can be seen in the process list.
	Token Secret
	// TokenFile is a file that holds the API key, from --token-file or MUNIMENT_TOKEN_FILE.
	TokenFile string
}

// Resolve fills in from the environment what flags have left open, reads the token's file, and checks the result.
func (c *Connection) Resolve(getenv func(string) string) error {
	c.resolveURL(getenv)
	if c.Token.IsZero() && c.TokenFile == "" {
		c.Token, c.TokenFile = NewSecret(getenv(Prefix+"TOKEN")), getenv(Prefix+"TOKEN_FILE")
	}
	if !c.Token.IsZero() && c.TokenFile != "" {
		return errors.New("there are both a token and a token file; give one of them")
	}
	if c.TokenFile != "" {
		data, err := bounded.ReadFile(c.TokenFile, bounded.Small)
		if err != nil {
			return fmt.Errorf("reading the token file, which --token-file or MUNIMENT_TOKEN_FILE names: %w", err)
		}
		c.Token = NewSecret(strings.TrimSpace(string(data)))
		if c.Token.IsZero() {
			return fmt.Errorf("the token file %s is empty; put the API key (mun_…) into it", c.TokenFile)
		}
	}
	if strings.ContainsAny(c.Token.Reveal(), " \t\r\n") {
		return errors.New("the token has a space or a line break in it; give the API key alone")
	}
	return c.checkURL(!c.Token.IsZero())
}

// ResolveWithoutKey is Resolve for a call that sends no API key, and is answered with one. A token file that is named
// may not be there yet.
func (c *Connection) ResolveWithoutKey(getenv func(string) string) error {
	c.resolveURL(getenv)
	c.Token, c.TokenFile = Secret{}, ""
	return c.checkURL(true)
}

func (c *Connection) resolveURL(getenv func(string) string) {
	if c.URL == "" {
		c.URL = getenv(Prefix + "URL")
	}
	if c.URL == "" {
		c.URL = DefaultURL
	}
}

// checkURL refuses what is no URL and, where an API key goes one way or the other, to send it in the clear to another
// machine.
func (c *Connection) checkURL(key bool) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no server's URL; write it like %s", c.URL, DefaultURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the server's URL holds a user, a query or a fragment; give scheme, host and port only")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && key && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s would carry the API key in the clear; use https, or a tunnel that ends on this machine",
			c.URL)
	}
	c.URL = strings.TrimSuffix(c.URL, "/")
	return nil
}
