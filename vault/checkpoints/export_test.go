package checkpoints

// Open reads a signed checkpoint; false when no key has signed it.
func Open(keys []string, signed []byte) (Kept, bool) {
	ours, err := newVerifiers(keys)
	if err != nil {
		return Kept{}, false
	}
	return ours.open(signed)
}
