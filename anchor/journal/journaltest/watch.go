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
	Tail      []byte `json:"tail"`
}

// tailSpan is where in the log the entries of the head's own batch stand: its second line says.
func (h head) tailSpan() (s span, ok bool) {
	if h.Tail == nil {
		return span{h.Size, h.Size}, true
	}
	_, rest, _ := bytes.Cut(h.Tail, []byte("\n"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	var place struct{ First, Count uint64 }
	if err := json.Unmarshal(line, &place); err != nil {
		return span{}, false
	}
	return span{place.First, place.First + place.Count}, true
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
	var old, next head
	if err := json.Unmarshal(after, &next); err != nil {
		b.t.Errorf("the head is not JSON: %v", err)
		return
	}
	if before != nil && json.Unmarshal(before, &old) == nil && old.Origin == next.Origin && next.Size < old.Size {
		b.t.Errorf("the head goes back from %d to %d", old.Size, next.Size)
	}
	tail, ok := next.tailSpan()
	if !ok || tail.end != next.Size {
		b.t.Errorf("the head is at %d, and its tail ends at %d", next.Size, tail.end)
	}
	if next.LastBatch == "" {
		if tail.first != 0 && next.Tail != nil {
			b.t.Errorf("the head names no batch, and its tail begins at %d", tail.first)
		}
		return
	}
	if b.objects[next.LastBatch] == nil {
		b.t.Errorf("the head names the batch %s, which is not there", next.LastBatch)
	}
	if s, ok := spanOf(next.LastBatch); !ok || s.end != tail.first {
		b.t.Errorf("the head goes on at %d, and its last batch %s ends at %d", tail.first, next.LastBatch, s.end)
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
