package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a duration as Go writes it, "1h30m", "30s" or "0", or a number of days, "30d", of 24 hours each.
type Duration time.Duration

const day = 24 * time.Hour

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	if digits, ok := strings.CutSuffix(string(text), "d"); ok {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n >= 0 && n <= int64(1<<63-1)/int64(day) {
			*d = Duration(n) * Duration(day)
			return nil
		}
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write a number with a unit, such as 90s, 10m, 1h30m or 30d", text)
	}
	*d = Duration(v)
	return nil
}

// String writes the duration as it is read, whole days as days.
func (d Duration) String() string {
	if d > 0 && time.Duration(d)%day == 0 {
		return strconv.FormatInt(int64(time.Duration(d)/day), 10) + "d"
	}
	out := time.Duration(d).String()
	if strings.HasSuffix(out, "m0s") {
		out = strings.TrimSuffix(out, "0s")
	}
	if strings.HasSuffix(out, "h0m") {
		out = strings.TrimSuffix(out, "0m")
	}
	return out
}

// Size is a number of bytes: "4096", "64KiB", "5TiB".
type Size int64

// UnmarshalText reads a size. Only binary units are known, so that nobody has to guess.
func (s *Size) UnmarshalText(text []byte) error {
	digits, factor := string(text), int64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(digits, unit); ok {
			digits, factor = rest, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/factor {
		return fmt.Errorf("%q is no size; write a number of bytes, or one with KiB, MiB, GiB or TiB", text)
	}
	*s = Size(n * factor)
	return nil
}

// Secret is a credential. It prints as "[secret]" whatever the verb, and marshals as nothing else.
type Secret struct{ text string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the credential itself, for the one place that sends it.
func (s Secret) Reveal() string { return s.text }

// IsZero says whether there is none.
func (s Secret) IsZero() bool { return s.text == "" }

// UnmarshalText reads a credential.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// String hides the credential.
func (Secret) String() string { return "[secret]" }

// GoString hides the credential.
func (Secret) GoString() string { return "[secret]" }

// Format hides the credential under every verb, %x and %d included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalText hides the credential.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// String writes the size as it is read, in the largest unit that it is a multiple of.
func (s Size) String() string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	n, i := int64(s), 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return strconv.FormatInt(n, 10) + units[i]
}
