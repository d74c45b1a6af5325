package journaltest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	headName    = "head"
	batchPrefix = "batch/"
)

// head is what must be known of the head object.
type head struct {
	Origin    string `json:"origin"`
	Size      uint64 `json:"size"`
	LastBatch string `json:"lastBatch"`
	Tail      *struct {
		First uint64 `json:"first"`
	} `json:"tail"`
}

// parseHead reads the line of a head object; its tail follows.
func parseHead(raw []byte) (h head, err error) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	err = json.Unmarshal(line, &h)
	return h, err
}

// batchesEnd is where in the log the head's batches end; its tail goes on from there to its size.
func (h head) batchesEnd() uint64 {
	if h.Tail == nil {
		return h.Size
	}
	return h.Tail.First
}

// span is where in the log a batch's entries stand.
type span struct{ first, end uint64 }

// spanOf reads the name "batch/<first>-<count>…".
func spanOf(name string) (s span, ok bool) {
	var count uint64
	if n, err := fmt.Sscanf(name, batchPrefix+"%d-%d", &s.first, &count); n != 2 || err != nil {
		return span{}, false
	}
	s.end = s.first + count
	return s, true
}

func (b *Bucket) watchPut(name string, before, after []byte) {
	switch {
	case strings.HasPrefix(name, batchPrefix):
		if before != nil {
			b.t.Errorf("the batch %s is written again", name)
		}
		if tag, ok := b.gone[name]; ok && tag != tagOf(after) {
			b.t.Errorf("the batch %s comes back with another content", name)
		}
	case name == headName:
		b.watchHead(before, after)
	}
}

func (b *Bucket) watchHead(before, after []byte) {
	next, err := parseHead(after)
	if err != nil {
		b.t.Errorf("the head is not JSON: %v", err)
		return
	}
	old, err := parseHead(before)
	if before != nil && err == nil && old.Origin == next.Origin && next.Size < old.Size {
		b.t.Errorf("the head goes back from %d to %d", old.Size, next.Size)
	}
	end := next.batchesEnd()
	if next.Tail != nil && end >= next.Size {
		b.t.Errorf("the head is at %d, and its tail begins at %d", next.Size, end)
	}
	if next.LastBatch == "" {
		if end != 0 && next.Tail != nil {
			b.t.Errorf("the head names no batch, and its tail begins at %d", end)
		}
		return
	}
	if b.objects[next.LastBatch] == nil {
		b.t.Errorf("the head names the batch %s, which is not there", next.LastBatch)
	}
	if s, ok := spanOf(next.LastBatch); !ok || s.end != end {
		b.t.Errorf("the head goes on at %d, and its last batch %s ends at %d", end, next.LastBatch, s.end)
	}
}

func (b *Bucket) watchDelete(name string, data []byte) {
	switch {
	case name == headName:
		b.t.Errorf("the head is deleted")
	case strings.HasPrefix(name, batchPrefix):
		b.gone[name] = tagOf(data)
		s, ok := spanOf(name)
		if ok && !b.holds(s) {
			b.t.Errorf("the batch %s is deleted, and no other holds its entries", name)
		}
	}
}

// holds says whether the batches that are there hold every entry of the span.
func (b *Bucket) holds(want span) bool {
	var spans []span
	for name := range b.objects {
		if s, ok := spanOf(name); ok && s.first < want.end && s.end > want.first {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	reached := want.first
	for _, s := range spans {
		if s.first <= reached {
			reached = max(reached, s.end)
		}
	}
	return reached >= want.end
}
