package checkpoints

import "muniment/anchor/journal"

// Open reads a key; false when no key of ours has signed what it says.
func Open(keys []string, id journal.ID, key string) (Kept, bool) {
	ours, err := newVerifiers(keys)
	if err != nil {
		return Kept{}, false
	}
	return ours.open(id, key)
}
