package access

import (
	"bytes"
	"fmt"

	"muniment/anchor/journal"
)

// KeysOf are the SHA-256 digests of the API keys that speak for a principal, in their own order. It looks at every key
// that there is: principals are few.
func KeysOf(r journal.Reader, principal journal.ID) (digests [][]byte, err error) {
	err = apiKeys.Scan(r, journal.Range{}, func(_ []byte, key apiKey) error {
		if key.Principal == principal {
			digests = append(digests, bytes.Clone(key.Digest))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for a principal's API keys: %w", err)
	}
	return digests, nil
}
