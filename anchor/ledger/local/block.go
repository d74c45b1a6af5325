package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

const (
	blockVersion = "muniment-local-block/1"
	blockLines   = 7
	maxOrigin    = 255
	maxBlock     = 4 << 10 // bytes of a whole note: an origin, three hashes or signatures, and room
)

// ErrBlock says that bytes are not a block of this ledger.
var ErrBlock = errors.New("not a block of this ledger")

// Block is one link of the chain: a checkpoint, the time, and the hash of the block before.
//
// It is written as an Ed25519 signed note (golang.org/x/mod/sumdb/note, C2SP signed-note) with one signature, whose key
// name is the ledger's id and whose text is these lines, each ending in a newline:
//
//	muniment-local-block/1
//	<height, decimal, from 1>
//	<previous: standard base64 of the SHA-256 of the previous block's whole signed note; zeros at height 1>
//	<time, RFC 3339, UTC, in seconds>
//	<origin>
//	<size, decimal, from 1>
//	<root: standard base64 of 32 bytes>
//
// There is one way to write a block, and any other is refused, so that the hash of a note names it.
type Block struct {
	Height   uint64
	Previous [sha256.Size]byte
	Time     time.Time
	Origin   string
	Size     uint64
	Root     [sha256.Size]byte
}

// text is the signed part of the note.
func (b Block) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n%s\n%d\n%s\n", blockVersion, b.Height,
		base64.StdEncoding.EncodeToString(b.Previous[:]), b.Time.UTC().Format(time.RFC3339), b.Origin, b.Size,
		base64.StdEncoding.EncodeToString(b.Root[:]))
}

// ParseBlock reads a block that v's key has signed; errors wrap ErrBlock. It accepts what Ledger writes and nothing
// else.
func ParseBlock(data []byte, v note.Verifier) (Block, error) {
	if len(data) > maxBlock {
		return Block{}, fmt.Errorf("%w: it is longer than %d bytes", ErrBlock, maxBlock)
	}
	n, err := note.Open(data, note.VerifierList(v))
	if err != nil {
		return Block{}, fmt.Errorf("%w: opening the note: %w", ErrBlock, err)
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return Block{}, fmt.Errorf("%w: it has more than one signature", ErrBlock)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return Block{}, fmt.Errorf("%w: reading the signature: %w", ErrBlock, err)
	}
	// note.Open passes over details, such as line breaks inside base64, that would give one block two hashes.
	canonical := n.Text + "\n— " + v.Name() + " " + base64.StdEncoding.EncodeToString(signature) + "\n"
	if !bytes.Equal(data, []byte(canonical)) {
		return Block{}, fmt.Errorf("%w: its signature is not written as it must be", ErrBlock)
	}
	return parseText(n.Text)
}

// parseText reads the lines that are signed.
func parseText(text string) (Block, error) {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) != blockLines+1 || lines[blockLines] != "" {
		if version, found := strings.CutPrefix(lines[0], "muniment-local-block/"); found &&
			lines[0] != blockVersion+"\n" {
			return Block{}, fmt.Errorf("%w: it needs a program that reads version %q",
				ErrBlock, strings.TrimSpace(version))
		}
		return Block{}, fmt.Errorf("%w: it has not %d lines", ErrBlock, blockLines)
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\n")
	}
	if lines[0] != blockVersion {
		return Block{}, fmt.Errorf("%w: its version is not %s", ErrBlock, blockVersion)
	}
	var b Block
	var err error
	if b.Height, err = strconv.ParseUint(lines[1], 10, 64); err != nil || b.Height == 0 {
		return Block{}, fmt.Errorf("%w: its height is not a positive number", ErrBlock)
	}
	if err := parseHash(&b.Previous, lines[2]); err != nil {
		return Block{}, fmt.Errorf("%w: reading the previous block's hash: %w", ErrBlock, err)
	}
	if b.Time, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return Block{}, fmt.Errorf("%w: its time is not RFC 3339", ErrBlock)
	}
	if b.Origin = lines[4]; !validOrigin(b.Origin) {
		return Block{}, fmt.Errorf("%w: its origin is not one", ErrBlock)
	}
	if b.Size, err = strconv.ParseUint(lines[5], 10, 64); err != nil || b.Size == 0 {
		return Block{}, fmt.Errorf("%w: its size is not a positive number", ErrBlock)
	}
	if err := parseHash(&b.Root, lines[6]); err != nil {
		return Block{}, fmt.Errorf("%w: reading the root: %w", ErrBlock, err)
	}
	b.Time = b.Time.UTC()
	if b.text() != text {
		return Block{}, fmt.Errorf("%w: its lines are not written as they must be", ErrBlock)
	}
	if (b.Height == 1) != (b.Previous == [sha256.Size]byte{}) {
		return Block{}, fmt.Errorf("%w: the first block, and only it, has no previous one", ErrBlock)
	}
	return b, nil
}

func parseHash(into *[sha256.Size]byte, s string) error {
	h, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(h) != len(into) {
		return errors.New("not the base64 of 32 bytes")
	}
	copy(into[:], h)
	return nil
}

// validOrigin says whether s can stand on a line of its own.
func validOrigin(s string) bool {
	return s != "" && len(s) <= maxOrigin && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
