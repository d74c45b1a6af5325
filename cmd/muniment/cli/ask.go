package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// maxLine bounds what is read of a line that somebody types or pipes.
const maxLine = 4 << 10

// Ask asks the person at the terminal, and returns an error unless they agree. Nobody can be asked without a terminal:
// then the flag has to be given instead.
func (p *Program) Ask(question, flag string) error {
	if _, ok := terminalOf(p.Stdin); !ok {
		return Hint(errors.New("this asks before it acts, and standard input is no terminal"), "give "+flag)
	}
	fmt.Fprintf(p.Stderr, "%s [y/N] ", question)
	answer, err := p.readLine()
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return errors.New("nothing was done: the answer was not yes")
	}
	return nil
}

// Secret reads a line from standard input. On a terminal it asks for it, and does not show what is typed.
func (p *Program) Secret(what string) (string, error) {
	fd, ok := terminalOf(p.Stdin)
	if !ok {
		return p.readLine()
	}
	fmt.Fprintf(p.Stderr, "%s: ", what)
	typed, err := term.ReadPassword(fd)
	fmt.Fprintln(p.Stderr)
	if err != nil {
		return "", fmt.Errorf("reading from the terminal: %w", err)
	}
	return strings.TrimSpace(string(typed)), nil
}

// readLine is the first line of standard input.
func (p *Program) readLine() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(p.Stdin, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// terminalOf is the descriptor of a stream that is a terminal.
func terminalOf(stream any) (fd int, ok bool) {
	f, ok := stream.(interface{ Fd() uintptr })
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}
