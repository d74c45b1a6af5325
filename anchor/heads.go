package anchor

import (
	"sync"
	"time"

	"muniment/anchor/journal"
)

// heads chooses the released head to anchor. Ledgers should anchor the same one, so that an evidence file, which stands
// at one size, can name all of them: each worker takes its turns at times of its own, and every quiet event makes a new
// head.
type heads struct {
	cfg    *Config
	mu     sync.Mutex
	chosen journal.Checkpoint
	at     time.Time
}

// choose returns a released head of more than live entries that covers the news or, unless urgent, was chosen for
// another ledger less than half an interval ago.
func (h *heads) choose(live, news uint64, urgent bool) journal.Checkpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, newest := h.cfg.Clock.Now(), h.cfg.Journal.Checkpoint()
	age := now.Sub(h.at)
	recent := !urgent && age >= 0 && age < h.cfg.Interval/2
	if h.chosen.Origin == newest.Origin && h.chosen.Size > live && (h.chosen.Size >= news || recent) {
		return h.chosen
	}
	h.chosen, h.at = newest, now
	return newest
}
