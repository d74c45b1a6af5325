package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// goldenNotes are the checkpoint and the block of a golden file.
func goldenNotes(f *testing.F) (checkpoint, block, body string) {
	f.Helper()
	data, err := os.ReadFile("testdata/disclosed.json")
	if err != nil {
		f.Fatal(err)
	}
	file, err := Parse(data)
	if err != nil {
		f.Fatal(err)
	}
	var p struct{ Block string }
	if err := decode(file.Anchors[0].Proof, MaxAnchor, 0, &struct {
		Block *string `json:"block"`
	}{&p.Block}); err != nil {
		f.Fatal(err)
	}
	return file.Checkpoint, p.Block, file.Bodies[0].Body
}

func headText(h head) string {
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// TestLocalLedgersVectors judges the golden blocks of the ledger that writes them: the formats are all that the two
// share.
func TestLocalLedgersVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "ledger", "local", "testdata", "blocks.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Verifier, Origin string
		Blocks           []struct {
			Name, Block string
			Valid       bool
			Size        uint64
			Root        []byte
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	valid := 0
	for _, v := range golden.Blocks {
		proof, err := json.Marshal(map[string]string{"block": v.Block})
		if err != nil {
			t.Fatal(err)
		}
		want := head{Origin: golden.Origin, Size: v.Size}
		copy(want.Root[:], v.Root)
		if !v.Valid {
			// Their head is not in the vector; whatever they hold must be refused before the heads are compared.
			if b, err := parseBlock(v.Block); err == nil {
				want = b.Head
			}
		} else {
			valid++
		}
		if _, err := checkLocalProof(proof, golden.Verifier, want); (err == nil) != v.Valid {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if valid == 0 {
		t.Error("there is no valid block among the vectors")
	}
}

// TestJournalsCheckpoint reads the checkpoint of the journal's golden log.
func TestJournalsCheckpoint(t *testing.T) {
	t.Parallel()
	signed, err := os.ReadFile(filepath.Join("..", "journal", "testdata", "golden", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseCheckpoint(string(signed))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(signed), headText(h)+"\n") {
		t.Errorf("%q is read as %q", signed, headText(h))
	}
}

// FuzzParseBlock: an accepted block has one form only.
func FuzzParseBlock(f *testing.F) {
	_, seed, _ := goldenNotes(f)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, signed string) {
		b, err := parseBlock(signed)
		if err != nil {
			return
		}
		want := fmt.Sprintf("%s\n%d\n%s\n%s\n%s",
			blockHeader, b.Height, base64.StdEncoding.EncodeToString(b.Previous[:]),
			b.Time.Format(time.RFC3339), headText(b.Head))
		if got := signed[:strings.LastIndex(signed, "\n\n")+1]; got != want {
			t.Fatalf("%q is read as %q", got, want)
		}
	})
}

// FuzzParseCheckpoint: an accepted checkpoint has one form only.
func FuzzParseCheckpoint(f *testing.F) {
	seed, _, _ := goldenNotes(f)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, signed string) {
		h, err := parseCheckpoint(signed)
		if err != nil {
			return
		}
		if got := signed[:strings.LastIndex(signed, "\n\n")+1]; got != headText(h) {
			t.Fatalf("%q is read as %q", got, headText(h))
		}
	})
}

// FuzzParseBody: a body is read without harm, and an accepted one is a single line of a known version.
func FuzzParseBody(f *testing.F) {
	_, _, seed := goldenNotes(f)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseBody(text)
		if err != nil {
			return
		}
		if strings.Contains(text, "\n") || b.At.Location() != time.UTC ||
			b.Type == typeDeposited && len(b.Commitment) != HashSize {
			t.Fatalf("%q is read as %+v", text, b)
		}
	})
}
