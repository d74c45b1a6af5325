package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestAskWithoutTerminal: nobody is asked, and nothing is taken for a yes, where there is no terminal; a secret is read
// from what is piped in, one line of it.
func TestAskWithoutTerminal(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	p := &Program{Stdin: strings.NewReader("yes\n"), Stderr: &said}
	err := p.Ask("Approve?", "--yes")
	if next, _ := HintOf(err); err == nil || next != "give --yes" || said.Len() > 0 {
		t.Errorf("%v, %q, asked %q", err, next, &said)
	}
	for piped, want := range map[string]string{
		"mun_once_x\nmore\n": "mun_once_x", " mun_once_x ": "mun_once_x", "": "",
	} {
		p.Stdin = strings.NewReader(piped)
		if got, err := p.Secret("One-time code"); err != nil || got != want || said.Len() > 0 {
			t.Errorf("%q is read as %q, %v, asked %q", piped, got, err, &said)
		}
	}
	p.Stdin = strings.NewReader(strings.Repeat("x", 10*maxLine))
	if got, err := p.Secret("One-time code"); err != nil || len(got) != maxLine {
		t.Errorf("of an endless line %d bytes are read, %v", len(got), err)
	}
}

func TestActor(t *testing.T) {
	t.Parallel()
	const id = "0190b5a0-7c1e-7000-8000-0000000000ac"
	for _, c := range []struct{ name, id, want string }{
		{"Robin Reader", id, "Robin Reader"}, {"", id, "0190b5a0…00ac"}, {"", "anchor", "anchor"}, {"", "", ""},
	} {
		if got := Actor(c.name, c.id); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.name, c.id, got, c.want)
		}
	}
}
