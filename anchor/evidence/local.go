package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	kindLocal   = "local"
	blockHeader = "muniment-local-block/1"
)

// block is a block of a local ledger.
type block struct {
	Height   uint64
	Previous [HashSize]byte
	Time     time.Time
	Head     head
}

// parseBlock reads a block of a local ledger: a signed note whose key name is the ledger's id and whose text is these
// lines:
//
//	muniment-local-block/1
//	height, decimal, from 1
//	base64 of the SHA-256 of the previous block's whole note; of 32 zero bytes for height 1
//	time, RFC 3339 in UTC, in whole seconds
//	origin, size and root of the checkpoint, as in the checkpoint
//
// It has one signature, because the next block names it by a hash of all of it. parseBlock does not check the
// signature.
func parseBlock(signed string) (block, error) {
	var b block
	text, signatures, err := noteText(signed)
	if err != nil {
		return b, err
	}
	if signatures != 1 {
		return b, errors.New("the block has more than one signature")
	}
	lines := strings.Split(text, "\n")
	if !strings.HasPrefix(lines[0], "muniment-local-block/") {
		return b, errors.New("not a block of a local ledger")
	}
	if lines[0] != blockHeader {
		return b, fmt.Errorf("the block is of version %.20q, and this program knows 1: %w",
			strings.TrimPrefix(lines[0], "muniment-local-block/"), ErrNewer)
	}
	if len(lines) != 8 {
		return b, errors.New("the block does not have seven lines")
	}
	if b.Height, err = parseDecimal(lines[1]); err != nil || b.Height == 0 {
		return b, errors.New("the block's height is not a positive decimal number")
	}
	previous, err := unbase64(lines[2])
	if err != nil || len(previous) != HashSize {
		return b, fmt.Errorf("the previous block's hash is not %d bytes of base64", HashSize)
	}
	b.Previous = [HashSize]byte(previous)
	if (b.Height == 1) != (b.Previous == [HashSize]byte{}) {
		return b, errors.New("the first block, and no other, follows 32 zero bytes")
	}
	if b.Time, err = time.Parse(time.RFC3339, lines[3]); err != nil || b.Time.UTC().Format(time.RFC3339) != lines[3] {
		return b, errors.New("the block's time is not RFC 3339 in UTC and whole seconds")
	}
	if b.Head, err = parseHead(lines[4], lines[5], lines[6]); err != nil {
		return b, fmt.Errorf("the block: %w", err)
	}
	return b, nil
}

// checkLocalPin accepts a local ledger's note verifier key, whose name is the ledger's id.
func checkLocalPin(id, pin string) error {
	verifier, err := parseKey(pin)
	if err != nil {
		return err
	}
	if verifier.Name() != id {
		return errors.New("the key's name is not the ledger's id")
	}
	return nil
}

// checkLocalProof judges a proof {"block": …}: the block must be signed by the pinned key and hold the wanted head.
func checkLocalProof(proof json.RawMessage, pin string, want head) (string, error) {
	var p struct {
		Block string `json:"block"`
	}
	if err := decode(proof, MaxAnchor, 0, &p); err != nil {
		return "", fmt.Errorf("reading the proof: %w", err)
	}
	if len(p.Block) > MaxNote {
		return "", fmt.Errorf("the block is longer than %d bytes", MaxNote)
	}
	b, err := parseBlock(p.Block)
	if err != nil {
		return "", err
	}
	if err := checkSignature(p.Block, []string{pin}); err != nil {
		return "", fmt.Errorf("block %d: %w", b.Height, err)
	}
	if b.Head != want {
		return "", fmt.Errorf("block %d holds another head than the checkpoint", b.Height)
	}
	since := b.Time.Format(time.RFC3339)
	return fmt.Sprintf("block %d, signed by the pinned key, has it since %s", b.Height, since), nil
}

// localCaveat says that the operator, who holds the ledger's key, can replace the whole chain of blocks.
func localCaveat(id string) string {
	return fmt.Sprintf("that local ledger %s was never rewritten: "+
		"that shows only against a copy of its blocks held elsewhere", id)
}
