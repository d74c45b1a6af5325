package checkpoints

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
)

// fuzzedNote is a checkpoint that a signer has signed.
func fuzzedNote(f *testing.F, seed byte, origin string, size uint64) (signed []byte, key string) {
	f.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), origin)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		f.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, journal.Hash{1})
	return journaltest.Must(note.Sign(&note.Note{Text: text}, signer)), vkey
}

// FuzzOpen: whatever lies in a checkpoint's place, it is believed only if the key has signed the text, and then reads
// as that text.
func FuzzOpen(f *testing.F) {
	genuine, key := fuzzedNote(f, 1, "muniment/test", 5)
	strangers, _ := fuzzedNote(f, 2, "muniment/test", 9)
	ours, err := newVerifiers([]string{key})
	if err != nil {
		f.Fatal(err)
	}
	text := genuine[:bytes.Index(genuine, []byte("\n\n"))+2]
	f.Add(genuine)
	f.Add(strangers)
	f.Add(bytes.Replace(genuine, []byte("\n5\n"), []byte("\n6\n"), 1))
	f.Add(bytes.Replace(genuine, []byte("muniment/test"), []byte("muniment/next"), 2))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, ok := ours.open(raw)
		if ok && (k.Size != 5 || k.Origin != "muniment/test" || !bytes.HasPrefix(raw, text)) {
			t.Errorf("believed %q as %+v", raw, k)
		}
	})
}
