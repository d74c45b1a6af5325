package cli

import (
	"fmt"
	"time"
)

// ParseTime reads the time or date that a flag was given; nil when it was given none.
func ParseTime(flag, s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return &at, nil
		}
	}
	return nil, fmt.Errorf("%s %q: write it like 2026-11-22 or 2026-11-22T10:00:00Z", flag, s)
}
