package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
)

// Progress says how far long work has come: a bar on a terminal, elsewhere a line at the end. Its methods may be called
// concurrently.
type Progress struct {
	out   io.Writer
	width int // of the terminal, 0 for none
	what  string
	total int   // steps; 0 if nobody knows
	size  int64 // bytes in all; 0 if bytes are not counted, or nobody knows
	now   func() time.Time

	mu      sync.Mutex
	done    int
	moved   int64 // bytes
	started time.Time
	shown   time.Time
}

// StartProgress begins to show the progress of work in total steps.
func StartProgress(out io.Writer, what string, total int) *Progress {
	return StartTransfer(out, what, total, 0)
}

// StartTransfer begins to show the progress of work in total steps that moves size bytes in all, 0 if that is not
// known.
func StartTransfer(out io.Writer, what string, total int, size int64) *Progress {
	width, _ := IsTerminal(out)
	return &Progress{out: out, width: width, what: what, total: total, size: size, now: time.Now, started: time.Now()}
}

// Step counts one.
func (b *Progress) Step() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	b.show(b.done == b.total)
}

// At says how many steps are done of how many, where the work counts by itself.
func (b *Progress) At(done, total uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done, b.total = int(min(done, math.MaxInt)), int(min(total, math.MaxInt))
	b.show(done == total)
}

// Move counts bytes; a negative number takes back what has to be moved again.
func (b *Progress) Move(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moved += n
	b.show(false)
}

// show draws the bar on a terminal, now and then or when it must.
func (b *Progress) show(must bool) {
	if now := b.now(); b.width > 0 && (must || now.Sub(b.shown) > 50*time.Millisecond) {
		b.shown = now
		b.draw()
	}
}

func (b *Progress) draw() {
	numbers := b.numbers()
	room := max(0, min(40, b.width-cells(b.what)-cells(numbers)-6))
	full := 0
	switch {
	case b.size > 0:
		full = int(float64(room) * min(1, float64(b.moved)/float64(b.size)))
	case b.total > 0:
		full = room * b.done / b.total
	}
	line := fmt.Sprintf("  %s %s%s%s", b.what, strings.Repeat("█", full), strings.Repeat("░", room-full), numbers)
	fmt.Fprintf(b.out, "\r%s\x1b[K", truncate(line, b.width-1))
}

// numbers are the counts beside the bar: of steps unless there is one only, of bytes, and how fast they move.
func (b *Progress) numbers() string {
	var out strings.Builder
	switch b.total {
	case 0:
		fmt.Fprintf(&out, " %d", b.done)
	case 1:
	default:
		fmt.Fprintf(&out, " %d/%d", b.done, b.total)
	}
	if b.moved == 0 && b.size == 0 {
		return out.String()
	}
	out.WriteString(" " + Size(b.moved))
	if b.size > 0 {
		out.WriteString("/" + Size(b.size))
	}
	if took := b.now().Sub(b.started).Seconds(); took > 0 {
		out.WriteString(" " + Size(int64(float64(max(0, b.moved))/took)) + "/s")
	}
	return out.String()
}

// End removes the bar and leaves a line with the summary.
func (b *Progress) End(summary string) {
	b.Clear()
	fmt.Fprintf(b.out, "  %-10s %s\n", b.what, summary)
}

// Clear removes the bar and leaves nothing.
func (b *Progress) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width > 0 {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// Bytes is how many bytes were moved so far.
func (b *Progress) Bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moved
}

// Reader counts the bytes that are read from r.
func (b *Progress) Reader(r io.Reader) *CountingReader { return &CountingReader{Reader: r, bar: b} }

// CountingReader counts what is read from it, on a bar and by itself.
type CountingReader struct {
	io.Reader
	bar *Progress
	N   int64
}

// Read implements [io.Reader].
func (m *CountingReader) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.N += int64(n)
	m.bar.Move(int64(n))
	return n, err
}
