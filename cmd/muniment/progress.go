package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress says how far long work has come: a bar on a terminal, elsewhere a line at the end. Its methods may be called
// concurrently.
type progress struct {
	out   io.Writer
	width int // of the terminal, 0 for none
	what  string
	total int

	mu    sync.Mutex
	done  int
	shown time.Time
}

// startProgress begins to show the progress of work in total steps.
func startProgress(out io.Writer, what string, total int) *progress {
	width, _ := isTerminal(out)
	return &progress{out: out, width: width, what: what, total: total}
}

// step counts one.
func (b *progress) step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if b.width > 0 && (time.Since(b.shown) > 50*time.Millisecond || b.done == b.total) {
		b.shown = time.Now()
		b.draw()
	}
}

func (b *progress) draw() {
	numbers := fmt.Sprintf(" %d/%d", b.done, b.total)
	room := max(0, min(40, b.width-len(b.what)-len(numbers)-6))
	full := 0
	if b.total > 0 {
		full = room * b.done / b.total
	}
	fmt.Fprintf(b.out, "\r  %s %s%s%s", b.what, strings.Repeat("█", full), strings.Repeat("░", room-full), numbers)
}

// end removes the bar and leaves a line with the summary.
func (b *progress) end(summary string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width > 0 {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
	fmt.Fprintf(b.out, "  %-10s %s\n", b.what, summary)
}
