package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// batchMagic begins every shipped batch. The digit is the format's version.
const (
	batchMagic   = "muniment batch/1\n"
	batchPrefix  = "batch/"
	maxBatch     = 8 << 20  // bytes after which a batch is shipped though more is waiting
	maxGrown     = 32 << 20 // bytes after which it is shipped though a row of it is erased by a later entry
	maxWhole     = 48 << 20 // bytes after which it is shipped though a change is not whole yet
	maxBatchFile = 64 << 20 // a longer object is not a batch
)

var errBatch = errors.New("not a whole batch of this journal")

// batchHeader stands at the start of a batch, as a line of JSON.
type batchHeader struct {
	First    uint64 `json:"first"` // index of the first entry
	Count    uint64 `json:"count"`
	Root     Hash   `json:"root"`     // of the tree after the last entry
	Prev     string `json:"prev"`     // the name of the batch before; empty for the first
	PrevRoot Hash   `json:"prevRoot"` // of the tree before the first entry
	Key      int    `json:"key"`      // the number of the shipping key that authenticates the batch
}

// batchItem is one item of a batch: an entry (nonce and body), or a sealed row's write (key, value) or erasure (key).
// Sealed rows follow the last event of the change that wrote them.
type batchItem struct {
	kind  byte // 'e', 's', 'x'
	nonce [NonceSize]byte
	key   []byte
	value []byte // the body, or the row's ciphertext
}

// appendBatch writes a batch: the magic line, the header line, the items, and the HMAC of all of that.
func appendBatch(h batchHeader, items []batchItem, key *shippingKey) ([]byte, error) {
	h.Key = key.number
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("writing a batch: %w", err)
	}
	out := make([]byte, 0, len(batchMagic)+len(line)+1+sizeOf(items)+macSize)
	out = append(append(append(out, batchMagic...), line...), '\n')
	if out, err = appendItems(out, items); err != nil {
		return nil, err
	}
	return append(out, key.mac(macBatch, out)...), nil
}

// appendItems writes the items of a batch. An item is its kind, for an entry the nonce, for a row the key after its
// length in 16 bits, and, but for an erasure, the value after its length in 32 bits, all big-endian.
func appendItems(out []byte, items []batchItem) ([]byte, error) {
	out = slices.Grow(out, sizeOf(items))
	for _, item := range items {
		out = append(out, item.kind)
		if item.kind == 'e' {
			out = append(out, item.nonce[:]...)
		} else {
			out = binary.BigEndian.AppendUint16(out, uint16(len(item.key)))
			out = append(out, item.key...)
		}
		if item.kind != 'x' {
			out = binary.BigEndian.AppendUint32(out, uint32(len(item.value)))
			out = append(out, item.value...)
		}
	}
	if len(out)+macSize > maxBatchFile {
		return nil, fmt.Errorf("writing a batch: it has more than %d bytes", maxBatchFile)
	}
	return out, nil
}

// sizeOf is how many bytes items take at most when they are written.
func sizeOf(items []batchItem) (size int) {
	for _, item := range items {
		size += 1 + NonceSize + 2 + len(item.key) + 4 + len(item.value)
	}
	return size
}

// getBatch reads a shipped batch. It is errBatch if it is not what its name says, or if the shipping key does not
// authenticate it.
func getBatch(ctx context.Context, b shipped, name string) (batchHeader, []batchItem, error) {
	raw, _, err := b.Get(ctx, name)
	if err != nil {
		return batchHeader{}, nil, fmt.Errorf("reading the shipped batch %s: %w", name, err)
	}
	h, items, err := parseBatch(raw)
	if err == nil && batchName(h, raw) != name {
		err = errBatch
	}
	if err == nil {
		covered := len(raw) - macSize
		err = b.keys.verify(ctx, h.Key, macBatch, raw[:covered], raw[covered:])
	}
	if err != nil {
		return h, nil, fmt.Errorf("reading the shipped batch %s: %w", name, err)
	}
	return h, items, nil
}

// batchName names a batch by first leaf, count and content: two writers who ship the same entries cannot overwrite each
// other.
func batchName(h batchHeader, raw []byte) string {
	sum := sha256.Sum256(raw)
	return fmt.Sprintf("%s%016d-%d-%s", batchPrefix, h.First, h.Count, hex.EncodeToString(sum[:]))
}

// parseBatchName reads first leaf and count out of a batch's name.
func parseBatchName(name string) (first, count uint64, err error) {
	parts := strings.Split(strings.TrimPrefix(name, batchPrefix), "-")
	if len(parts) == 3 {
		first, err = strconv.ParseUint(parts[0], 10, 64)
		if err == nil {
			count, err = strconv.ParseUint(parts[1], 10, 64)
		}
	}
	if len(parts) != 3 || err != nil {
		return 0, 0, fmt.Errorf("%q is not the name of a batch", name)
	}
	return first, count, nil
}

// parseBatch reads a batch, and does not look whether it is authentic. Its items share raw's memory.
func parseBatch(raw []byte) (h batchHeader, items []batchItem, err error) {
	rest, ok := bytes.CutPrefix(raw, []byte(batchMagic))
	if !ok || len(rest) < macSize || len(raw) > maxBatchFile {
		return h, nil, errBatch
	}
	line, rest, ok := bytes.Cut(rest[:len(rest)-macSize], []byte("\n"))
	if !ok || json.Unmarshal(line, &h) != nil {
		return h, nil, errBatch
	}
	items, entries, err := parseItems(rest)
	if err != nil || entries != h.Count || h.Count == 0 {
		return h, nil, errBatch
	}
	return h, items, nil
}

// parseItems reads the items of a batch, and counts the entries among them. The items share raw's memory.
func parseItems(raw []byte) (items []batchItem, entries uint64, err error) {
	for rest := raw; len(rest) > 0; {
		var item batchItem
		if item, rest, err = parseItem(rest); err != nil {
			return nil, 0, err
		}
		if item.kind == 'e' {
			entries++
		}
		items = append(items, item)
	}
	return items, entries, nil
}

func parseItem(in []byte) (item batchItem, rest []byte, err error) {
	item.kind, rest = in[0], in[1:]
	switch item.kind {
	case 'e':
		if len(rest) < NonceSize {
			return item, nil, errBatch
		}
		copy(item.nonce[:], rest)
		rest = rest[NonceSize:]
	case 's', 'x':
		if len(rest) < 2 {
			return item, nil, errBatch
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; len(rest) < n || n == 0 {
			return item, nil, errBatch
		}
		item.key, rest = rest[:n], rest[n:]
	default:
		return item, nil, errBatch
	}
	if item.kind == 'x' {
		return item, rest, nil
	}
	if len(rest) < 4 {
		return item, nil, errBatch
	}
	n := int(binary.BigEndian.Uint32(rest))
	if rest = rest[4:]; len(rest) < n || n == 0 {
		return item, nil, errBatch
	}
	item.value, rest = rest[:n], rest[n:]
	return item, rest, nil
}
