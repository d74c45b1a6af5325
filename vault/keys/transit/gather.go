package transit

import (
	"context"
	"sync"
	"time"
)

// The bounds of one request. Vault takes 32 MiB, and no JSON array of more than 10,000 elements.
const (
	maxItems = 1000
	maxBytes = 4 << 20
)

// outcome is what became of one item of a batch.
type outcome struct {
	wrapped string
	secret  []byte
	err     error
}

// gather batches the items of concurrent callers. For each tenant one request is under way at a time; items that come
// meanwhile go into the next one. So a lone caller does not wait for others, and the more callers there are, the fewer
// requests there are for each.
type gather struct {
	run func(ctx context.Context, tenant string, items [][]byte) ([]outcome, error)
	ctx context.Context
	// bound is how long one request, with its retries, may take. It is apart from the callers' contexts: when one
	// caller's context ends, the others' request goes on.
	bound time.Duration

	mu    sync.Mutex
	lines map[string][]*job // of the tenants that have a request under way
}

// job is one caller's items, or as many of them as fit into a request.
type job struct {
	items [][]byte // fragments of JSON; overwritten at the end
	size  int
	done  chan struct{}
	out   []outcome
	err   error
	left  bool // the caller does not wait any more
}

func newGather(ctx context.Context, bound time.Duration,
	run func(context.Context, string, [][]byte) ([]outcome, error),
) *gather {
	return &gather{run: run, ctx: ctx, bound: bound, lines: map[string][]*job{}}
}

// do batches the items with those of concurrent callers and returns the outcome of each, in order. The items are
// overwritten, perhaps after do has returned.
func (g *gather) do(ctx context.Context, tenant string, items [][]byte) ([]outcome, error) {
	jobs := split(items)
	g.mu.Lock()
	line, busy := g.lines[tenant]
	g.lines[tenant] = append(line, jobs...)
	if !busy {
		go g.serve(tenant)
	}
	g.mu.Unlock()
	out := make([]outcome, 0, len(items))
	for _, j := range jobs {
		select {
		case <-j.done:
		case <-ctx.Done():
			g.leave(jobs)
			return nil, ctx.Err()
		}
		if j.err != nil {
			g.leave(jobs)
			return nil, j.err
		}
		out = append(out, j.out...)
	}
	return out, nil
}

// split makes jobs that fit into a request each.
func split(items [][]byte) []*job {
	var jobs []*job
	for _, chunk := range chunks(items) {
		jobs = append(jobs, &job{items: chunk, size: sizeOf(chunk), done: make(chan struct{})})
	}
	return jobs
}

// chunks gives the items in parts that fit into a request each. No item is too large for that.
func chunks(items [][]byte) [][][]byte {
	var out [][][]byte
	for len(items) > 0 {
		n, size := 1, len(items[0])+1
		for n < len(items) && n < maxItems && size+len(items[n])+1 <= maxBytes {
			size += len(items[n]) + 1
			n++
		}
		out, items = append(out, items[:n]), items[n:]
	}
	return out
}

func sizeOf(items [][]byte) int {
	size := 0
	for _, item := range items {
		size += len(item) + 1
	}
	return size
}

// leave notes that nobody waits for the jobs any more, and overwrites their secrets.
func (g *gather) leave(jobs []*job) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, j := range jobs {
		j.left = true
		wipeOutcomes(j.out)
	}
}

func wipeOutcomes(out []outcome) {
	for _, o := range out {
		clear(o.secret)
	}
}

func (j *job) wipe() {
	for _, item := range j.items {
		clear(item)
	}
}

// serve makes requests for a tenant until nobody waits.
func (g *gather) serve(tenant string) {
	for {
		batch := g.next(tenant)
		if len(batch) == 0 {
			return
		}
		g.serveBatch(tenant, batch)
	}
}

// next takes as many jobs as fit into a request, without those whose callers have left. When there are none, the
// tenant's line is closed.
func (g *gather) next(tenant string) []*job {
	g.mu.Lock()
	defer g.mu.Unlock()
	var batch []*job
	line, items, size := g.lines[tenant], 0, 0
	for len(line) > 0 {
		j := line[0]
		if j.left {
			j.wipe()
			line = line[1:]
			continue
		}
		if len(batch) > 0 && (items+len(j.items) > maxItems || size+j.size > maxBytes) {
			break
		}
		batch, line = append(batch, j), line[1:]
		items, size = items+len(j.items), size+j.size
	}
	if len(batch) == 0 {
		delete(g.lines, tenant)
	} else {
		g.lines[tenant] = line
	}
	return batch
}

func (g *gather) serveBatch(tenant string, batch []*job) {
	ctx, cancel := context.WithTimeout(g.ctx, g.bound)
	defer cancel()
	var items [][]byte
	for _, j := range batch {
		items = append(items, j.items...)
	}
	out, err := g.run(ctx, tenant, items)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, j := range batch {
		j.wipe()
		if j.err = err; err == nil {
			j.out, out = out[:len(j.items):len(j.items)], out[len(j.items):]
			if j.left {
				wipeOutcomes(j.out)
			}
		}
		close(j.done)
	}
}
