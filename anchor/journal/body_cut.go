package journal

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// cutBody takes a body apart that the tree is known, or is about to be proved, to hold: it relies on the one form that
// appendTo writes, and checks nothing that the proof covers. It costs a tenth of parseBody.
func cutBody(raw []byte) (*body, error) {
	c := cutter{rest: raw}
	b := &body{}
	c.expect(`{"v":1,"type":"`)
	b.Type = string(c.until(`","at":"`))
	b.At = c.time()
	b.Wall = b.At
	if c.follows(`","wall":"`) {
		b.Wall = c.time()
	}
	b.Settled = b.At
	if c.follows(`","settled":"`) {
		b.Settled = c.time()
	}
	c.expect(`","tenant":"`)
	b.Tenant = string(c.until(`","seq":`))
	b.Seq = c.number(c.until(`,"actor":"`))
	b.Actor = string(c.until(`"`))
	if c.follows(`,"doc":"`) {
		id, err := ParseID(string(c.until(`"`)))
		b.Doc, c.failed = id, c.failed || err != nil
	}
	for _, one := range []struct {
		member string
		into   **uint64
	}{{`,"prev":`, &b.Prev}, {`,"auth":`, &b.Auth}} {
		if c.follows(one.member) {
			end := bytes.IndexByte(c.rest, ',')
			if end < 0 {
				c.failed = true
				break
			}
			n := c.number(c.rest[:end])
			*one.into, c.rest = &n, c.rest[end:]
		}
	}
	c.expect(`,"data":`)
	data, whole := bytes.CutSuffix(c.rest, []byte("}"))
	if c.failed || !whole {
		return nil, fmt.Errorf("a body is not in canonical form: %w", ErrDamaged)
	}
	b.Data = data
	return b, nil
}

// cutter cuts text into parts. Once a part is not as expected, all that follows counts for nothing.
type cutter struct {
	rest   []byte
	failed bool
}

func (c *cutter) follows(text string) (ok bool) {
	c.rest, ok = bytes.CutPrefix(c.rest, []byte(text))
	return ok
}

func (c *cutter) expect(text string) { c.failed = !c.follows(text) || c.failed }

func (c *cutter) until(text string) []byte {
	part, rest, ok := bytes.Cut(c.rest, []byte(text))
	c.rest, c.failed = rest, c.failed || !ok
	return part
}

func (c *cutter) number(digits []byte) uint64 {
	n, err := strconv.ParseUint(string(digits), 10, 64)
	c.failed = c.failed || err != nil
	return n
}

func (c *cutter) time() time.Time {
	if len(c.rest) < len(timeLayout) {
		c.failed = true
		return time.Time{}
	}
	at, err := time.Parse(timeLayout, string(c.rest[:len(timeLayout)]))
	c.rest, c.failed = c.rest[len(timeLayout):], c.failed || err != nil
	return at
}
