package put

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReceiptsTornAnywhere cuts a receipts file after every byte: what is left is never taken for more than it says,
// nothing else is lost, and a file that is not ours is left alone.
func TestReceiptsTornAnywhere(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "out.csv")
	whole := strings.Join(receiptColumns(), ",") + "\n" +
		"2,a.txt,,0190b5a0-7c1e-7000-8000-000000000001,8,00,created,,2026-11-22T10:00:00Z,aa\n" +
		"3,\"b,\"\".txt\",,,,,failed,no,2026-11-22T10:00:00Z,bb\n" +
		"3,\"b,\"\".txt\",,0190b5a0-7c1e-7000-8000-000000000002,9,00,replayed,,2026-11-22T10:00:00Z,bb\n"
	for cut := range len(whole) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00"} {
			if cut == 0 && tail != "" {
				continue // a file of zeros is not ours
			}
			if err := os.WriteFile(name, []byte(whole[:cut]+tail), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := openReceipts(name)
			if headerTorn := cut < strings.IndexByte(whole, '\n')+1 && tail != ""; headerTorn {
				if err == nil {
					t.Fatalf("cut at %d: zeros after half of a first line were taken for a receipts file", cut)
				}
				continue
			}
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if err := r.close(); err != nil {
				t.Fatal(err)
			}
			left := whole[:strings.LastIndexByte(whole[:cut], '\n')+1]
			want := max(left, strings.Join(receiptColumns(), ",")+"\n")
			if got, err := os.ReadFile(name); err != nil || string(got) != want {
				t.Fatalf("cut at %d: %q is left, %v", cut, got, err)
			}
			if r.kept["aa"] != strings.Contains(left, ",aa\n") || r.kept["bb"] != strings.Contains(left, "replayed") {
				t.Fatalf("cut at %d: kept is %v", cut, r.kept)
			}
		}
	}
	for _, foreign := range []string{"%PDF-1.7", "a,b\n", "line,path\n1,2\n", whole + "4,c,,,,,maybe,,,cc\n"} {
		if err := os.WriteFile(name, []byte(foreign), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openReceipts(name); err == nil {
			t.Errorf("%q was taken for a receipts file", foreign)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != foreign {
			t.Errorf("%q was changed to %q", foreign, got)
		}
	}
}

// TestReceiptsAreHeld: two jobs cannot write to one receipts file.
func TestReceiptsAreHeld(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "out.csv")
	first, err := openReceipts(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openReceipts(name); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("the second: %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openReceipts(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a.txt": "a.txt", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "a=1": "a=1", "\t=1": "�=1",
		"a\nb": "a�b",
	} {
		if got := safeCell(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}
