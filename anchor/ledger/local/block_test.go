package local_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/ledger/ledgertest"
	"muniment/anchor/ledger/local"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// vector is one file of testdata/blocks.json.
type vector struct {
	Name  string `json:"name"`
	Block string `json:"block"`          // the whole note
	Valid bool   `json:"valid"`          // whether a verifier that pins the key accepts it
	Size  uint64 `json:"size,omitempty"` // what it holds, if it is valid
	Root  []byte `json:"root,omitempty"`
}

type vectors struct {
	Verifier string   `json:"verifier"` // the pinned key, in the encoding of note.NewVerifier
	Origin   string   `json:"origin"`
	Blocks   []vector `json:"blocks"`
}

const vectorFile = "testdata/blocks.json"

// makeVectors builds the golden vectors: a chain of three, and what must be refused.
func makeVectors(t *testing.T) vectors {
	cfg := config(t.TempDir())
	l := mustOpen(t, cfg)
	all := vectors{Verifier: l.VerifierKey(), Origin: "muniment/golden"}
	sizes := []uint64{1, 300, 70000}
	for i, size := range sizes {
		a := anchor(t, l, all.Origin, size)
		cfg.Clock.(*clock).now.Add(61)
		data, err := os.ReadFile(blockFile(cfg.Dir, i+1))
		if err != nil {
			t.Fatal(err)
		}
		all.Blocks = append(all.Blocks, vector{Name: "height " + string(rune('1'+i)), Block: string(data), Valid: true,
			Size: size, Root: a.Checkpoint.Root})
	}
	good := all.Blocks[1].Block
	text, _, _ := strings.Cut(good, "\n\n")
	lines := strings.Split(text, "\n")
	line := func(n int, s string) string {
		changed := append([]string(nil), lines...)
		changed[n] = s
		return resign(t, strings.Join(changed, "\n")+"\n")
	}
	other := config(t.TempDir())
	other.Signer = newSigner(2)
	otherLedger := mustOpen(t, other)
	anchor(t, otherLedger, all.Origin, 300)
	byOther, err := os.ReadFile(blockFile(other.Dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ name, block string }{
		{"another key", string(byOther)},
		{"cut", good[:len(good)-1]},
		{"size changed", strings.Replace(good, "\n300\n", "\n301\n", 1)},
		{"two signatures", good + good[strings.LastIndex(good, "— "):]},
		{"unknown signature added", good + "— somebody AAAAAAAA\n"},
		{"newer version", line(0, "muniment-local-block/2")},
		{"height with a leading zero", line(1, "02")},
		{"height 0", line(1, "0")},
		{"first block with a previous one", line(1, "1")},
		{"no previous hash", line(2, base64.StdEncoding.EncodeToString(make([]byte, 32)))},
		{"short previous hash", line(2, base64.StdEncoding.EncodeToString(make([]byte, 31)))},
		{"local time", line(3, "2026-01-31T23:59:59+01:00")},
		{"fraction of a second", line(3, "2026-01-31T23:59:59.5Z")},
		{"no origin", line(4, "")},
		{"size 0", line(5, "0")},
		{"size with a sign", line(5, "+300")},
		{"root in another base64", line(6, strings.NewReplacer("+", "-", "/", "_").Replace(lines[6][:43]))},
		{"a line more", line(6, lines[6]+"\nmore")},
		{"a line less", resign(t, strings.Join(lines[:6], "\n")+"\n")},
	} {
		all.Blocks = append(all.Blocks, vector{Name: bad.name, Block: bad.block})
	}
	return all
}

// resign signs any text with the chain's key.
func resign(t *testing.T, text string) string {
	t.Helper()
	private := "PRIVATE+KEY+" + keyHash(t) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{1}, bytes.Repeat([]byte{1}, 32)...))
	s, err := note.NewSigner(strings.Replace(private, "PRIVATE+KEY+", "PRIVATE+KEY+"+id+"+", 1))
	if err != nil {
		t.Fatal(err)
	}
	data, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func keyHash(t *testing.T) string {
	t.Helper()
	return strings.Split(mustOpen(t, config(t.TempDir())).VerifierKey(), "+")[1]
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGoldenVectors(t *testing.T) {
	t.Parallel()
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Errorf("%s is not what the ledger writes now: the format has changed", vectorFile)
	}
	all := readVectors(t)
	v, err := note.NewVerifier(all.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all.Blocks {
		b, err := local.ParseBlock([]byte(x.Block), v)
		switch {
		case !x.Valid && !errors.Is(err, local.ErrBlock):
			t.Errorf("%s: got height %d and the error %v, want ErrBlock", x.Name, b.Height, err)
		case x.Valid && (err != nil || b.Origin != all.Origin || b.Size != x.Size || !bytes.Equal(b.Root[:], x.Root)):
			t.Errorf("%s: got %+v and the error %v", x.Name, b, err)
		}
	}
}

// TestGoldenChainIsWrittenAgain puts the golden blocks into a folder and opens it as a chain.
func TestGoldenChainIsWrittenAgain(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	all := readVectors(t)
	for i, x := range all.Blocks {
		if x.Valid {
			if err := os.WriteFile(blockFile(cfg.Dir, i+1), []byte(x.Block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	head, err := mustOpen(t, cfg).Head(t.Context(), all.Origin)
	if want := ledgertest.Checkpoint(all.Origin, 70000); err != nil || head.Size != want.Size ||
		!bytes.Equal(head.Root, want.Root) {
		t.Errorf("the head is %+v (%v), want %+v", head, err, want)
	}
}

func FuzzParseBlock(f *testing.F) {
	all := readVectors(f)
	for _, x := range all.Blocks {
		f.Add(x.Block)
	}
	v, err := note.NewVerifier(all.Verifier)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data string) {
		// Without the key nobody can make a block that is not one of the known ones.
		b, err := local.ParseBlock([]byte(data), v)
		if err != nil {
			return
		}
		for _, x := range all.Blocks {
			if x.Valid && x.Block == data {
				return
			}
		}
		t.Errorf("a block that nobody signed was accepted: %+v from %q", b, data)
	})
}

// FuzzSignedText reads texts that the key's holder signed: nothing but what Ledger writes is a block.
func FuzzSignedText(f *testing.F) {
	all := readVectors(f)
	for _, x := range all.Blocks {
		text, _, _ := strings.Cut(x.Block, "\n\n")
		f.Add(text + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := local.ParseText(text)
		if err != nil {
			return
		}
		if again := b.Text(); again != text {
			t.Errorf("%q is written again as %q", text, again)
		}
	})
}
