package proxytest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Kind is a way to fail.
type Kind int

// The ways to fail. Those with an After fail once the server has done what was asked and has answered: the request took
// effect, and its answer is lost.
const (
	Answer      Kind = iota // the client gets Status, Header and Body; the server gets nothing
	AnswerAfter             // the same after the server has done it
	Hang                    // the server gets nothing, and the client no answer until it gives up or the proxy ends
	HangAfter               // the same after the server has done it
	Reset                   // the server gets nothing, and the client's connection is reset
	ResetAfter              // the same after the server has done it
	CutRequest              // the server gets Bytes of the body and then the connection's end; the client's is reset
	StallUpload             // the server gets Bytes of the body and then nothing more, the connection staying open
	CutAnswer               // the client gets Bytes of the answer's body and then the connection's end
	StallAnswer             // the client gets Bytes of the answer's body and then nothing more until it gives up
	Delay                   // the server gets the request after For, and all goes well
)

// String names the kind as the constants do.
func (k Kind) String() string {
	names := [...]string{
		"Answer", "AnswerAfter", "Hang", "HangAfter", "Reset", "ResetAfter", "CutRequest", "StallUpload", "CutAnswer",
		"StallAnswer", "Delay",
	}
	if k < 0 || int(k) >= len(names) {
		return "unknown kind"
	}
	return names[k]
}

// Fault is something that will go wrong. A request suffers the first fault that was injected, matches it and is not
// spent.
type Fault struct {
	Kind  Kind
	Match func(*http.Request) bool // may look at everything but the body, and not call the proxy; nil: every request
	Skip  int                      // requests that match and go well before
	Times int                      // how many requests it strikes; 0: one; negative: all

	Status int         // of Answer and AnswerAfter; 0: 503
	Header http.Header // of the same; a Retry-After, for example
	Body   string      // of the same

	Bytes int64         // of CutRequest, StallUpload, CutAnswer and StallAnswer; a shorter body is passed on whole
	For   time.Duration // of Delay

	// MayMiss says that the test is right even if this never strikes. Otherwise a fault that struck nothing by the end
	// of the test fails it.
	MayMiss bool
}

// Injected is a Fault in a proxy.
type Injected struct {
	fault   Fault
	proxy   *Proxy
	matched int // requests that it matched; under proxy.mu
	removed bool
	struck  atomic.Int64
}

// Struck is the number of requests that have suffered it. A request that hangs counts as soon as it does; a request
// whose answer is lost counts once the server has answered.
func (i *Injected) Struck() int { return int(i.struck.Load()) }

// Remove ends it for later requests; one that is in it stays in it.
func (i *Injected) Remove() {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	i.removed = true
}

// takes tells whether a request is to suffer the fault. proxy.mu is held.
func (i *Injected) takes(r *http.Request) bool {
	if i.removed || i.fault.Match != nil && !i.fault.Match(r) {
		return false
	}
	i.matched++
	turn := i.matched - i.fault.Skip
	return turn >= 1 && (i.fault.Times < 0 || turn <= max(1, i.fault.Times))
}

// strikes counts a request as struck.
func (i *Injected) strikes() { i.struck.Add(1) }

// On matches requests with a method, or any if it is "", whose path and query ("/bucket/key?uploads=") contain a part,
// or all if that is "".
func On(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return (method == "" || method == r.Method) && strings.Contains(r.URL.RequestURI(), part)
	}
}
