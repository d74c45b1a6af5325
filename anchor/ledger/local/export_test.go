package local

import "os"

// OpenFaulty opens a ledger whose syncs and links go through the functions given.
func OpenFaulty(cfg Config, sync func(*os.File) error, link func(from, to string) error) (*Ledger, error) {
	return open(cfg, files{sync: sync, link: link})
}

// ParseText reads what is signed of a block.
func ParseText(text string) (Block, error) { return parseText(text) }

// Text is what is signed of a block.
func (b Block) Text() string { return b.text() }
