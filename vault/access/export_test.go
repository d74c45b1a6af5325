package access

import "muniment/anchor/journal"

// NewGuard is a guard as a Door makes it.
func NewGuard(r journal.Reader, who Who) *Guard { return &Guard{r: r, who: who} }
