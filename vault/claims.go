package vault

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
)

// claims make deposits under one token follow each other, so that of many at once one uploads and the others repeat it.
// They only spare objects that nobody wants: that one document is made for a token is up to the commit.
type claims struct {
	mu   sync.Mutex
	held map[string]chan struct{} // by token; closed when it is given up
}

// take waits until nobody else holds one of the tokens, for patience at most, and returns what gives them up again. A
// deposit that comes in slowly must not keep others out, so after that time, or when ctx ends, the caller goes on
// without.
func (c *claims) take(ctx context.Context, patience time.Duration, tokens ...[]byte) (release func()) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mine []string
	slices.SortFunc(tokens, bytes.Compare) // in one order for all, so that no two wait for each other
	for _, token := range tokens {
		if token != nil && c.wait(ctx, string(token)) {
			mine = append(mine, string(token))
		}
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, token := range mine {
			close(c.held[token])
			delete(c.held, token)
		}
	})
}

// wait takes one token; false if it could not.
func (c *claims) wait(ctx context.Context, token string) bool {
	for {
		c.mu.Lock()
		freed, busy := c.held[token]
		if !busy {
			c.held[token] = make(chan struct{})
		}
		c.mu.Unlock()
		if !busy {
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}
