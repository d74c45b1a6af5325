package transit

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"muniment/vault/keys"
)

const wrapName = "vault"

// Items are written by hand: an encoder's buffers would keep secrets that nobody overwrites.

func plaintextItem(secret keys.Secret) []byte {
	const begin, end = `{"plaintext":"`, `"}`
	b := make([]byte, 0, len(begin)+base64.StdEncoding.EncodedLen(len(secret))+len(end))
	b = append(b, begin...)
	b = base64.StdEncoding.AppendEncode(b, secret)
	return append(b, end...)
}

// ciphertextItem is for a wrap that checkWrapped has passed, so that there is nothing in it to escape.
func ciphertextItem(wrapped string) []byte { return []byte(`{"ciphertext":"` + wrapped + `"}`) }

// batchBody is the body of a request with these items.
func batchBody(items [][]byte) *body {
	const begin, end = `{"batch_input":[`, `]}`
	size := len(begin) + len(end)
	for _, item := range items {
		size += len(item) + 1
	}
	b := append(make([]byte, 0, size), begin...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	return newBody(append(b, end...))
}

// checkWrapped is stricter than Vault, which also takes a version with zeros before it and base64 that ends in stray
// bits, so that of each wrap there is one form only. It says nothing about the key.
func checkWrapped(wrapped string) error {
	version, err := keys.VersionOf(wrapped)
	if err != nil {
		return err
	}
	value, ok := strings.CutPrefix(wrapped, wrapName+":v"+strconv.Itoa(version)+":")
	if !ok || value == "" || strings.ContainsAny(value, "\r\n") {
		return keys.ErrWrapped
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(value); err != nil {
		return keys.ErrWrapped
	}
	return nil
}

// result is one result of a batch as Vault writes it.
type result struct {
	Ciphertext string `json:"ciphertext"`
	Plaintext  []byte `json:"plaintext"`
	Error      string `json:"error"`
}

// errOdd says that an item failed in a way that says nothing about the item.
var errOdd = errors.New("it cannot do one of the batch")

// itemError is the error of an item; keys.ErrDenied when the key is of a type that cannot do it at all.
func itemError(text string) error {
	contains := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case text == "":
		return nil
	case contains("too old"), contains("version is too new"), contains("no such key version"):
		return keys.ErrNoKey
	case contains("not supported for key type"):
		return keys.ErrDenied
	case contains("invalid ciphertext"), contains("missing ciphertext"), contains("message authentication failed"):
		return keys.ErrWrapped
	default:
		return errOdd
	}
}

// results reads the answer to a request with n items. It can be of status 400 or 500 when an item has failed.
func (c *client) results(req request, ans *answer, n int) ([]result, error) {
	var said struct {
		Data struct {
			Results []result `json:"batch_results"`
		} `json:"data"`
	}
	if ans.status == http.StatusOK || ans.status == http.StatusBadRequest ||
		ans.status == http.StatusInternalServerError {
		if err := c.decode(req, ans, &said); err != nil {
			wipeResults(said.Data.Results)
			return nil, err
		}
	}
	switch {
	case len(said.Data.Results) == n:
		return said.Data.Results, nil
	case ans.status == http.StatusOK || len(said.Data.Results) > 0:
		wipeResults(said.Data.Results)
		return nil, c.failure(req, keys.ErrUnavailable, "it answers with "+strconv.Itoa(len(said.Data.Results))+
			" results for "+strconv.Itoa(n)+" (is a proxy in between?)")
	default:
		return nil, c.refusal(req, ans)
	}
}

func wipeResults(results []result) {
	for _, r := range results {
		clear(r.Plaintext)
	}
}
