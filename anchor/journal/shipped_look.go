package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

const (
	lookEvery = time.Hour   // at the shipped batches
	lookAgain = time.Minute // after a look that failed; then twice as long each time
	// lookReads and lookBytes bound what one look reads of batches whose names leave no doubt.
	lookReads = 64
	lookBytes = 256 << 20
	// lookSpeed is how many bytes a second it reads at most, so that the requests after a start are not behind it.
	lookSpeed = 50 << 20
	// maxFailures is after how many reads that fail in a row the whole bucket is taken to be away.
	maxFailures = 3
)

// errForeign says that a batch is whole, and of another history than the one released.
var errForeign = errors.New("it is of another history")

// keeper is what is known of the shipped batches.
type keeper struct {
	mu       sync.Mutex       // held while they are looked at or merged; guards what follows
	whole    map[string]int   // those that were read and lead from root to root of our history: name → shipping key
	broken   map[string]error // those that are damaged or of another history
	cursor   uint64           // the leaf from which on the next look reads
	begun    bool             // the cursor has been set
	reported bool             // it is on record that leaves are lost

	shippedAgain atomic.Uint64 // leaves

	stateMu sync.Mutex
	state   ShippedHealth
}

// tendBatches looks after the shipped batches until the journal closes: at once, every hour, and after each release for
// what can be merged.
func (j *Journal) tendBatches() {
	defer j.workers.Done()
	if !j.awaitOpened() {
		return
	}
	timer, again := time.NewTimer(0), lookAgain
	defer timer.Stop()
	for {
		swapped := j.swaps.wait()
		select {
		case <-timer.C:
			switch err := j.LookAfterBatches(j.ctx); {
			case err == nil:
				again = lookAgain
				timer.Reset(lookEvery)
			case errors.Is(err, ErrKeysUnavailable):
				timer.Reset(lookAgain)
			default:
				timer.Reset(again)
				again = min(2*again, lookEvery)
			}
		case <-swapped:
			if j.mergeWaiting(j.ctx) != nil {
				timer.Reset(0) // a look finds out what is wrong with them
			}
		case <-j.ctx.Done():
			return
		case <-j.stopped:
			return
		}
	}
}

// LookAfterBatches compares the release bucket's batches with the released head: by their names, and where these leave
// a doubt, and for a few others each time, by their content. Leaves that no whole batch holds are shipped again from
// the database, and copies of the wrapped shipping key that are gone or exchanged are put back. The leftovers of merges
// are deleted, and the batches of earlier processes are merged. The journal does so by itself at the start, in the
// background, and every hour. An error says that it could not be done or that something stays lost; ShippedHealth has
// it too. While the journal is provisional nothing is shipped or judged: ErrKeysUnavailable.
func (j *Journal) LookAfterBatches(ctx context.Context) error {
	if j.Provisional() {
		return fmt.Errorf("looking after the shipped batches: %w", ErrKeysUnavailable)
	}
	if err := j.bucket.keys.keepCopies(ctx, j.cfg.Log); err != nil && ctx.Err() == nil {
		j.cfg.Log.Warn("the copies of the wrapped shipping key could not be looked at", "error", err)
	}
	j.batches.mu.Lock()
	defer j.batches.mu.Unlock()
	c, err := j.lookAfterBatches(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		j.cfg.Log.Warn("the shipped batches are not as they must be, or cannot be looked after; trying again",
			"error", err)
	}
	j.conclude(c, err)
	return err
}

func (j *Journal) lookAfterBatches(ctx context.Context) (*coverage, error) {
	head := j.swapped.Load() // before the listing: batches that it names are there by then
	if head.Size == 0 {
		return &coverage{}, nil
	}
	all, c, err := j.chart(ctx, head)
	if err != nil {
		return nil, err
	}
	unclear := c.unclear
	before := j.batches.shippedAgain.Load()
	if len(c.gaps) > 0 {
		j.reportLost(ctx, c.gaps)
		var failed error
		key, err := j.bucket.keys.get(ctx, head.Key) // the head's, also while the history is shipped under the next one
		if err != nil {
			return nil, err
		}
		for _, gap := range c.gaps {
			_, err := j.shipAgain(ctx, head, key, gap, c.endingAt(gap.First), nil)
			failed = errors.Join(failed, err)
		}
		if all, c, err = j.chart(ctx, head); err != nil {
			return nil, errors.Join(failed, err)
		}
		if unclear = c.unclear; len(c.gaps) > 0 {
			return c, errors.Join(failed, unclear, fmt.Errorf("the leaves from %d on are in no whole batch: %w",
				c.gaps[0].First, ErrDamaged))
		}
	}
	j.reportRestored(ctx, j.batches.shippedAgain.Load()-before)
	if unclear != nil {
		return c, unclear
	}
	if err := j.deleteLeftovers(ctx, head, all, c); err != nil {
		return c, err
	}
	return c, j.mergeOld(ctx, head, c)
}

// endingAt names the batch of the path that ends at a leaf, if there is one.
func (c *coverage) endingAt(leaf uint64) string {
	for _, b := range c.path {
		if b.end == leaf {
			return b.name
		}
	}
	return ""
}

// end is where the head's batches end; its own tail follows.
func (h *releasedHead) end() uint64 {
	if h.tail != nil {
		return h.tail.header.First
	}
	return h.Size
}

// chart lists the batches and finds those that lead to the released head. It reads those whose names leave a doubt, and
// as many others as one look may.
func (j *Journal) chart(ctx context.Context, head *releasedHead) (all []listed, c *coverage, err error) {
	if all, err = listBatches(ctx, j.cfg.Bucket); err != nil {
		return nil, nil, err
	}
	j.batches.forget(all)
	all = slices.DeleteFunc(all, func(b listed) bool { return b.end > head.end() })
	r := &batchReader{j: j, head: head, tried: map[string]bool{}}
	for _, b := range all { // somebody may have put one back
		if j.batches.broken[b.name] != nil {
			r.read(ctx, b)
		}
	}
	for {
		usable := slices.DeleteFunc(slices.Clone(all), func(b listed) bool { return j.batches.broken[b.name] != nil })
		found := cover(usable, head.end())
		doubtful := found.doubtful(usable, head)
		sound := true
		for _, b := range found.path {
			if doubtful[b.name] && j.batches.whole[b.name] != head.Key && !r.read(ctx, b) {
				sound = false
			}
		}
		if r.err == nil && sound {
			sound = r.readSome(ctx, found.path)
		}
		if r.err != nil {
			return all, nil, r.err
		}
		if sound {
			found.unclear = r.unclear
			return all, &found, nil
		}
	}
}

// forget drops what is known of batches that are not there any more.
func (k *keeper) forget(all []listed) {
	there := make(map[string]bool, len(all))
	for _, b := range all {
		there[b.name] = true
	}
	for name := range k.whole {
		if !there[name] {
			delete(k.whole, name)
		}
	}
	for name := range k.broken {
		if !there[name] {
			delete(k.broken, name)
		}
	}
}

// doubtful names the batches of the path whose names do not settle that they are of our history: those beside a gap,
// those that others overlap, and one that ends at the head and is not the one that it names.
func (c *coverage) doubtful(usable []listed, head *releasedHead) map[string]bool {
	out := map[string]bool{}
	for _, b := range c.path {
		for _, gap := range c.gaps {
			if gap.First == b.end || gap.First+gap.Count == b.first {
				out[b.name] = true
			}
		}
		if b.end == head.end() && b.name != head.LastBatch {
			out[b.name] = true
		}
	}
	for _, b := range usable {
		for _, other := range c.overlapping(b) {
			if other.name != b.name {
				out[other.name] = true
			}
		}
	}
	return out
}

// overlapping are the batches of the path that have leaves in common with one.
func (c *coverage) overlapping(b listed) []listed {
	from := sort.Search(len(c.path), func(i int) bool { return c.path[i].end > b.first })
	to := sort.Search(len(c.path), func(i int) bool { return c.path[i].first >= b.end })
	return c.path[from:max(from, to)]
}

// batchReader reads batches for one look.
type batchReader struct {
	j        *Journal
	head     *releasedHead
	tried    map[string]bool
	reads    int
	bytes    int64
	failures int   // in a row
	unclear  error // batches that could not be read, though the bucket answers
	err      error // the bucket does not answer
}

// read reads a batch and notes whether it is whole and of our history; false when it is not.
func (r *batchReader) read(ctx context.Context, b listed) bool {
	if r.err != nil || r.tried[b.name] {
		return true
	}
	r.tried[b.name] = true
	err := r.j.examine(ctx, r.head, b.name)
	switch {
	case err == nil:
		r.failures = 0
		r.j.batches.whole[b.name] = r.head.Key
		delete(r.j.batches.broken, b.name)
		return true
	case unusable(err) || errors.Is(err, errForeign):
		r.failures = 0
		delete(r.j.batches.whole, b.name)
		r.j.batches.broken[b.name] = err
		r.j.cfg.Log.Error("a shipped batch is of no use", "batch", b.name, "error", err)
		return false
	}
	delete(r.j.batches.whole, b.name)
	r.unclear = errors.Join(r.unclear, err)
	if r.failures++; r.failures == maxFailures || ctx.Err() != nil {
		r.err = r.unclear
	}
	return true
}

// readSome reads the batches of a path by turns, a few each time; false when one of them is of no use.
func (r *batchReader) readSome(ctx context.Context, path []listed) bool {
	k := &r.j.batches
	if !k.begun && len(path) > 0 {
		// Each process begins somewhere else, so that one that is often restarted reads all of them in time.
		k.begun = true
		if len(path) > lookReads {
			k.cursor = path[randomBelow(len(path))].first
		}
	}
	sound := true
	from := sort.Search(len(path), func(i int) bool { return path[i].first >= k.cursor })
	for i := range path {
		if r.reads == lookReads || r.bytes >= lookBytes || r.err != nil {
			break
		}
		b := path[(from+i)%len(path)]
		if r.tried[b.name] {
			continue
		}
		if r.pause(ctx, min(max(b.size, 0), maxBatchFile)); ctx.Err() != nil {
			break
		}
		r.reads++
		r.bytes += max(b.size, 0)
		k.cursor = b.end
		sound = r.read(ctx, b) && sound
	}
	return sound
}

// pause waits for as long as so many bytes may take, unless ctx ends.
func (r *batchReader) pause(ctx context.Context, bytes int64) {
	timer := time.NewTimer(time.Duration(bytes) * time.Second / lookSpeed)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// randomBelow draws a number. Nothing depends on it but the order in which batches are read.
func randomBelow(n int) int {
	drawn, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0
	}
	return int(drawn.Int64())
}

// examine reads a batch and holds it against the tree: errForeign if it is of another history.
func (j *Journal) examine(ctx context.Context, head *releasedHead, name string) error {
	h, _, err := getBatch(ctx, j.bucket, name)
	if err != nil {
		return err
	}
	return j.View(ctx, func(r Reader) error {
		root, err := releasedRoot(r, head, h.First+h.Count)
		if err != nil {
			return fmt.Errorf("comparing a shipped batch with the journal: %w", err)
		}
		before := Hash{}
		if h.First > 0 {
			if before, err = releasedRoot(r, head, h.First); err != nil {
				return fmt.Errorf("comparing a shipped batch with the journal: %w", err)
			}
		}
		if h.Root != root || h.PrevRoot != before || h.Key != head.Key {
			return fmt.Errorf("the shipped batch %s: %w", name, errForeign)
		}
		return nil
	})
}
