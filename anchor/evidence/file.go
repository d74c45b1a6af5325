package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Version is the version of the evidence file and of the policy that this package reads and writes.
const Version = 1

// Limits of an evidence file. Parse and Marshal refuse what is beyond them.
const (
	MaxSize    = 16 << 20 // bytes of a file
	MaxBodies  = 4096
	MaxBody    = 64 << 10 // bytes of a body
	MaxProof   = 63       // hashes of an inclusion proof
	MaxNote    = 64 << 10 // bytes of a checkpoint or block, signatures included
	MaxAnchors = 64
	MaxAnchor  = 64 << 10 // bytes of an anchor's proof; ledgers give at most 32 KiB, and indenting adds to that
	maxName    = 255      // bytes of an origin, or of a ledger's kind or id
)

// Sizes of fixed-size fields, in bytes.
const (
	NonceSize = 16
	SaltSize  = 32
	HashSize  = 32
)

// File is an evidence file: what proves to a stranger the journal's record of one document. Binary fields are standard
// base64 with padding (RFC 4648, section 4), unless they say otherwise. Every field is present; only disclosure may be
// absent.
type File struct {
	V          int    `json:"v"`        // Version
	Document   string `json:"document"` // the document's id, a lower-case UUID
	Origin     string `json:"origin"`   // the log's name, which is also the key name of its checkpoints
	Bodies     []Leaf `json:"bodies"`   // of the document's story, by increasing index; the first is its deposit
	Checkpoint string `json:"checkpoint"`
	// Anchors are the ledgers that have this very checkpoint, one each; empty while it is not anchored yet.
	Anchors    []Anchor    `json:"anchors"`
	Disclosure *Disclosure `json:"disclosure,omitempty"` // nil unless asked for
}

// Leaf is one body with what ties it to the checkpoint.
type Leaf struct {
	Index uint64 `json:"index"` // of the leaf in the log, from 0
	Nonce []byte `json:"nonce"` // 16 bytes
	// Body is the exact bytes of the event: one line of JSON without a newline. It is a string, so that no reader
	// parses it and writes it again with other bytes.
	Body string `json:"body"`
	// Proof is the inclusion proof of Index at the checkpoint's size (RFC 6962, section 2.1.1): hashes of 32 bytes,
	// from the leaf upwards.
	Proof [][]byte `json:"proof"`
}

// Anchor is a ledger's word that it has the checkpoint.
type Anchor struct {
	Kind  string          `json:"kind"` // "local", …
	ID    string          `json:"id"`   // of the ledger, among those of its kind
	Proof json.RawMessage `json:"proof"`
}

// Disclosure ties the content to the commitment. Its holder can tell whether a guess at the content is right, so it is
// in the file only when it was asked for.
type Disclosure struct {
	Digest string `json:"digest"` // SHA-256 of the content, 64 lower-case hexadecimal digits, as sha256sum prints it
	Salt   []byte `json:"salt"`   // 32 bytes
}

// Parse reads an evidence file that nobody vouches for, strictly: whatever it accepts, Marshal writes again with the
// same meaning. A file of a newer version gives an error that wraps ErrNewer. It checks form only: what the file says
// is for Verify to judge.
func Parse(data []byte) (*File, error) {
	f := new(File)
	if err := decode(data, MaxSize, Version, f); err != nil {
		return nil, fmt.Errorf("reading the evidence file: %w", err)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("reading the evidence file: %w", err)
	}
	return f, nil
}

// Marshal writes an evidence file: indented, one simple value a line, with a newline at the end. The guide's shell
// commands rely on the order of the fields.
func Marshal(f File) ([]byte, error) {
	f.Bodies = append([]Leaf{}, f.Bodies...)
	for i := range f.Bodies {
		f.Bodies[i].Proof = append([][]byte{}, f.Bodies[i].Proof...)
	}
	f.Anchors = append([]Anchor{}, f.Anchors...)
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("writing an evidence file: %w", err)
	}
	data, err := write(f)
	if err != nil {
		return nil, fmt.Errorf("writing an evidence file: %w", err)
	}
	if _, err := Parse(data); err != nil {
		return nil, fmt.Errorf("writing an evidence file that would be refused: %w", err)
	}
	return data, nil
}

// write leaves <, > and & as they are: escaped, the shell commands of the guide would have to undo it.
func write(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return out.Bytes(), err
}

func (f *File) check() error {
	switch {
	case f.V != Version:
		return fmt.Errorf("v is not %d", Version)
	case !isUUID(f.Document):
		return errors.New("document is not a lower-case UUID")
	case !isName(f.Origin):
		return errors.New("origin is not a key name")
	case len(f.Bodies) == 0 || len(f.Bodies) > MaxBodies:
		return fmt.Errorf("there are not 1 to %d bodies", MaxBodies)
	case f.Checkpoint == "" || len(f.Checkpoint) > MaxNote:
		return fmt.Errorf("the checkpoint is not 1 to %d bytes long", MaxNote)
	case len(f.Anchors) > MaxAnchors:
		return fmt.Errorf("there are more than %d anchors", MaxAnchors)
	}
	for i, leaf := range f.Bodies {
		if err := leaf.check(); err != nil {
			return fmt.Errorf("bodies[%d]: %w", i, err)
		}
		if i > 0 && leaf.Index <= f.Bodies[i-1].Index {
			return fmt.Errorf("bodies[%d] is not after the one before it", i)
		}
	}
	seen := map[[2]string]bool{}
	for i, a := range f.Anchors {
		if err := a.check(); err != nil {
			return fmt.Errorf("anchors[%d]: %w", i, err)
		}
		if seen[[2]string{a.Kind, a.ID}] {
			return fmt.Errorf("anchors[%d] is of a ledger that has one already", i)
		}
		seen[[2]string{a.Kind, a.ID}] = true
	}
	if f.Disclosure != nil {
		return f.Disclosure.check()
	}
	return nil
}

func (l Leaf) check() error {
	switch {
	case len(l.Nonce) != NonceSize:
		return fmt.Errorf("the nonce is not %d bytes long", NonceSize)
	case l.Body == "" || len(l.Body) > MaxBody:
		return fmt.Errorf("the body is not 1 to %d bytes long", MaxBody)
	case len(l.Proof) > MaxProof:
		return fmt.Errorf("the proof has more than %d hashes", MaxProof)
	}
	for _, h := range l.Proof {
		if len(h) != HashSize {
			return fmt.Errorf("a hash of the proof is not %d bytes long", HashSize)
		}
	}
	return nil
}

func (a Anchor) check() error {
	switch {
	case a.Kind == "" || len(a.Kind) > maxName:
		return errors.New("kind is empty or too long")
	case a.ID == "" || len(a.ID) > maxName:
		return errors.New("id is empty or too long")
	case len(a.Proof) == 0 || len(a.Proof) > MaxAnchor:
		return fmt.Errorf("the proof is not 1 to %d bytes long", MaxAnchor)
	}
	return nil
}

func (d Disclosure) check() error {
	if raw, err := hex.DecodeString(d.Digest); err != nil || len(raw) != HashSize ||
		strings.ToLower(d.Digest) != d.Digest {
		return errors.New("disclosure: digest is not 64 lower-case hexadecimal digits")
	}
	if len(d.Salt) != SaltSize {
		return fmt.Errorf("disclosure: the salt is not %d bytes long", SaltSize)
	}
	return nil
}

// isUUID accepts the canonical form (RFC 9562, section 4) of any version, in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// isName accepts the key names that a checkpoint may have: printable ASCII without spaces and plus signs, a narrower
// choice than C2SP signed-note allows, because a name that looks like another one deceives people.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '+' {
			return false
		}
	}
	return true
}
