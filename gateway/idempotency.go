package gateway

import "muniment/gateway/problem"

// idempotencyKey reads the header, bare or as a quoted string. The vault keeps the key with the document, so it holds
// for as long as the document is on record.
func idempotencyKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(values) > 1 || key == "" {
		return "", problem.New(problem.BadMetadata, "idempotency_key is empty or given more than once")
	}
	return key, nil
}
