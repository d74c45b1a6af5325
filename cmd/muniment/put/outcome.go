package put

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/remote"
	"muniment/openapi"
)

// outcome is what came of several deposits.
type outcome struct {
	total             int
	created, replayed int
	failures          []failed
	// broken is why nothing more was done although the server was willing.
	broken      error
	interrupted bool
}

// failed is an item that was not deposited.
type failed struct {
	name string
	err  error
}

func (o *outcome) add(name string, out *openapi.Deposit, err error) {
	switch {
	case err != nil:
		o.failures = append(o.failures, failed{name, err})
	case out.Created:
		o.created++
	default:
		o.replayed++
	}
}

// untried is how many were not begun.
func (o *outcome) untried() int { return o.total - o.created - o.replayed - len(o.failures) }

// counts is the outcome in words.
func (o *outcome) counts() string {
	var out []string
	for _, one := range []struct {
		n    int
		what string
	}{
		{o.created, "deposited"}, {o.replayed, "kept already"}, {len(o.failures), "failed"}, {o.untried(), "not tried"},
	} {
		if one.n > 0 {
			out = append(out, fmt.Sprint(one.n, " ", one.what))
		}
	}
	return strings.Join(out, ", ")
}

// report lists what was not deposited, with what to do, and is an error if there is any such thing.
func (o *outcome) report(w io.Writer) error {
	if o.broken != nil {
		return o.broken
	}
	if len(o.failures) == 0 && o.untried() == 0 {
		return nil
	}
	if o.total == 1 && len(o.failures) == 1 {
		return fmt.Errorf("depositing %s: %w", o.failures[0].name, o.failures[0].err)
	}
	var t cli.Table
	t.Row("FILE~", "WHY~", "WHAT TO DO~")
	for _, f := range o.failures {
		t.Row(f.name, withoutPath(f.err), advice(f.err))
	}
	if len(o.failures) > 0 {
		if err := t.Write(w); err != nil {
			return err
		}
	}
	missing := fmt.Errorf("%d of %d were not deposited", o.total-o.created-o.replayed, o.total)
	if o.interrupted {
		missing = fmt.Errorf("interrupted: %w", missing)
	}
	return cli.Hint(missing,
		"repeat the same command when what is listed is mended: what is kept already is not deposited again")
}

// withoutPath is an error without the name of the file, which stands beside it.
func withoutPath(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// advice is what to do about an error.
func advice(err error) string {
	if next, ok := cli.HintOf(err); ok {
		return next
	}
	var problem *remote.ProblemError
	switch {
	case errors.As(err, &problem):
		switch problem.Status {
		case http.StatusConflict:
			return "give this content another external id"
		case http.StatusGone:
			return "leave it out: it was destroyed by a disposition"
		case http.StatusRequestEntityTooLarge:
			return "split it, or ask the operator to raise limits.document"
		case http.StatusForbidden:
			return "ask for the role of depositor in this series"
		}
		return "correct what the server names"
	case errors.Is(err, fs.ErrNotExist):
		return "check the name"
	case errors.Is(err, fs.ErrPermission):
		return "make it readable for you"
	}
	return "look at the file, then repeat the command"
}
