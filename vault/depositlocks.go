package vault

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
)

// depositLocks make deposits under one token follow each other, so that of many at once one uploads and the others
// repeat it. They only spare objects that nobody wants: that one document is made for a token is up to the commit.
type depositLocks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // by token; closed when it is given up
}

// take waits until nobody else holds one of the tokens, for the time wait at most, and returns what gives them up
// again. A deposit that comes in slowly must not keep others out, so after that time, or when ctx ends, the caller goes
// on without.
func (l *depositLocks) take(ctx context.Context, wait time.Duration, tokens ...[]byte) (release func()) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var mine []string
	slices.SortFunc(tokens, bytes.Compare) // in one order for all, so that no two wait for each other
	for _, token := range tokens {
		if token != nil && l.takeOne(ctx, string(token)) {
			mine = append(mine, string(token))
		}
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, token := range mine {
			close(l.held[token])
			delete(l.held, token)
		}
	})
}

// takeOne takes one token; false if it could not.
func (l *depositLocks) takeOne(ctx context.Context, token string) bool {
	for {
		l.mu.Lock()
		freed, busy := l.held[token]
		if !busy {
			l.held[token] = make(chan struct{})
		}
		l.mu.Unlock()
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
