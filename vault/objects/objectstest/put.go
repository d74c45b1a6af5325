package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing/iotest"
	"time"

	"muniment/vault/objects"
)

func testPut(e *env) {
	key := e.key("a")
	e.absent(key)
	first, second := content(1000), content(2000)
	one := e.put(key, first, objects.PutOptions{})
	e.holds(key, "", first)
	stat, err := e.store.Stat(e.Context(), key, "")
	e.succeeds("Stat", err)
	stat.Modified, one.Modified = time.Time{}, time.Time{} // a server may tell it later, or less exactly
	e.equal("Stat and Put", stat, one)
	two := e.put(key, second, objects.PutOptions{})
	if two.Tag == one.Tag {
		e.Errorf("the tag %q stayed the same when the content changed", one.Tag)
	}
	e.holds(key, "", second)
	if stat, err := e.store.Stat(e.Context(), key, ""); err != nil || stat.Modified.IsZero() {
		e.Errorf("Stat gives no time of modification: %+v, %v", stat, err)
	}
}

func testLengths(e *env) {
	for _, size := range []int{0, 1, 2, 4095, 4096, 4097, 1 << 18, 1<<18 + 1, e.opt.Large} {
		body := content(size)
		readers := map[string]func() io.Reader{
			"in one piece":     func() io.Reader { return bytes.NewReader(body) },
			"in halves":        func() io.Reader { return iotest.HalfReader(bytes.NewReader(body)) },
			"with EOF at once": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(body)) },
			"bare":             func() io.Reader { return bare{bytes.NewReader(body)} },
		}
		for name, reader := range readers {
			for _, length := range []int64{int64(size), -1} {
				key := e.key(random(8))
				info, err := e.store.Put(e.Context(), key, reader(), objects.PutOptions{Length: length})
				if err != nil || info.Size != int64(size) {
					e.Fatalf("Put of %d bytes %s, length %d: size %d, %v", size, name, length, info.Size, err)
				}
				e.holds(key, "", body)
			}
		}
	}
}

// bare hides that a reader can also seek, write itself, or tell its size.
type bare struct{ r io.Reader }

func (b bare) Read(p []byte) (int, error) { return b.r.Read(p) }

func testBrokenBodies(e *env) {
	body := content(10_000)
	for _, announced := range []int64{0, 1, 9_999, 10_001, 1 << 40} {
		key := e.key(random(8))
		_, err := e.store.Put(e.Context(), key, bytes.NewReader(body), objects.PutOptions{Length: announced})
		e.fails(fmt.Sprintf("Put of 10000 bytes announced as %d", announced), err, objects.ErrShort)
		e.absent(key)
	}
	endless := &counted{}
	_, err := e.store.Put(e.Context(), e.key("endless"), endless, objects.PutOptions{Length: 10})
	e.fails("Put of a body that goes on and on", err, objects.ErrShort)
	endless.stopped(e)
	e.absent(e.key("endless"))
	causes := []error{io.ErrUnexpectedEOF, io.ErrClosedPipe, context.Canceled, context.DeadlineExceeded,
		errors.New("the caller hung up")}
	big := content(e.opt.Large)
	for _, cause := range causes {
		for _, cut := range []int{0, 1, 4096, 9_999, 10_000} {
			e.broken(body, cut, cause)
		}
		e.broken(big, len(big)/2, cause)
		e.broken(big, len(big), cause)
	}
	key := e.key("kept")
	e.put(key, body, objects.PutOptions{})
	_, err = e.store.Put(e.Context(), key, cutAt(big, 5_000, io.ErrUnexpectedEOF), objects.PutOptions{Length: -1})
	e.fails("Put of a broken body over an object", err, io.ErrUnexpectedEOF)
	e.holds(key, "", body)
	if n := len(e.list(key, "")); n != 1 {
		e.Errorf("there are %d versions after a broken Put over one", n)
	}
}

// broken puts a body that fails after cut bytes, with its length announced and not.
func (e *env) broken(body []byte, cut int, cause error) {
	e.Helper()
	for _, length := range []int64{int64(len(body)), -1} {
		for _, late := range []bool{true, false} {
			reader := cutAt(body, cut, cause)
			if !late {
				reader = iotest.DataErrReader(reader)
			}
			key := e.key(random(8))
			_, err := e.store.Put(e.Context(), key, reader, objects.PutOptions{Length: length})
			e.fails(fmt.Sprintf("Put of a body of length %d that broke after %d", length, cut), err, cause)
			e.absent(key)
		}
	}
}

// cutAt reads n bytes of a body and then fails.
func cutAt(body []byte, n int, cause error) io.Reader {
	return io.MultiReader(bare{bytes.NewReader(body[:n])}, iotest.ErrReader(cause))
}

func testCanceled(e *env) {
	key := e.key("before")
	_, err := e.store.Put(ended(e.Context()), key, bytes.NewReader(content(10)), objects.PutOptions{Length: 10})
	e.fails("Put under a canceled context", err, context.Canceled)
	e.absent(key)

	key = e.key("within")
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	body := content(1000)
	reader := io.MultiReader(bytes.NewReader(body[:500]), callback(cancel), bytes.NewReader(body[500:]))
	_, err = e.store.Put(ctx, key, reader, objects.PutOptions{Length: 1000})
	e.fails("Put whose context was canceled in the middle of the body", err, context.Canceled)
	e.absent(key)

	key = e.key("end")
	ctx, cancel = context.WithCancel(e.Context())
	defer cancel()
	_, err = e.store.Put(ctx, key, io.MultiReader(bytes.NewReader(body), callback(cancel)),
		objects.PutOptions{Length: -1})
	e.fails("Put whose context was canceled at the end of the body", err, context.Canceled)
	e.absent(key)

	key = e.key("endless")
	ctx, cancel = context.WithCancel(e.Context())
	defer cancel()
	endless := &counted{}
	_, err = e.store.Put(ctx, key, io.MultiReader(callback(cancel), endless), objects.PutOptions{Length: -1})
	e.fails("Put of an endless body whose context was canceled", err, context.Canceled)
	endless.stopped(e)
	e.absent(key)

	cause := errors.New("told why")
	because, stop := context.WithCancelCause(e.Context())
	stop(cause)
	_, err = e.store.Put(because, key, bytes.NewReader(body), objects.PutOptions{Length: 1000})
	e.fails("Put under a context canceled for a cause", err, context.Canceled)
}

// callback is a reader of nothing that calls.
type callback func()

func (c callback) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}

// counted is a body that does not end by itself: not for longer than a store may go on reading.
type counted struct{ read int }

const tooMuch = 256 << 20

func (c *counted) Read(p []byte) (int, error) {
	if c.read >= tooMuch {
		return 0, io.EOF
	}
	c.read += len(p)
	return len(p), nil
}

func (c *counted) stopped(e *env) {
	e.Helper()
	if c.read >= tooMuch {
		e.Errorf("the store read %d bytes of a body that it had reason to stop reading", c.read)
	}
}

func testConditions(e *env) {
	key := e.key("a")
	absent, tagged := objects.Condition{Absent: true},
		func(tag string) objects.Condition { return objects.Condition{Tag: tag} }
	refused := func(what string, c objects.Condition) {
		e.Helper()
		_, err := e.store.Put(e.Context(), key, bytes.NewReader(content(10)),
			objects.PutOptions{Length: 10, Condition: c})
		e.fails(what, err, objects.ErrExists)
	}
	foreign := e.put(e.key("b"), content(10), objects.PutOptions{})
	refused("Put over a tag where there is nothing", tagged(foreign.Tag))
	e.absent(key)

	first := e.put(key, content(100), objects.PutOptions{Condition: absent})
	refused("Put where nothing should be", absent)
	refused("Put over another object's tag", tagged(foreign.Tag))

	body := content(200)
	second := e.put(key, body, objects.PutOptions{Condition: tagged(first.Tag)})
	refused("Put over an older tag", tagged(first.Tag))
	refused("Put where nothing should be, again", absent)
	e.holds(key, "", body)

	want := 2
	if e.opt.Unversioned {
		want = 1
	}
	if n := len(e.list(key, "")); n != want {
		e.Errorf("refused Puts left %d versions, want %d", n, want)
	}
	stat, err := e.store.Stat(e.Context(), key, "")
	e.succeeds("Stat", err)
	e.equal("the tag after refused Puts", stat.Tag, second.Tag)
}

func testKeys(e *env) {
	bad := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "./a", "a\x00b", "a b", "a\nb",
		"a\r\nb",
		`a\b`, "a%2f..", "ä", "a\xffb", "a+b", "a@versions", "a:b", "a*", "a?", "~", "a\u202eb",
		e.key(repeat("x", objects.MaxElement+1)), repeat("a/", objects.MaxKey/2) + "a",
	}
	for _, key := range bad {
		reader := bytes.NewReader([]byte("x"))
		_, err := e.store.Put(e.Context(), key, reader, objects.PutOptions{Length: 1})
		e.fails(fmt.Sprintf("Put of %q", key), err, objects.ErrKey)
		_, _, err = e.store.Get(e.Context(), key, "", nil)
		e.fails(fmt.Sprintf("Get of %q", key), err, objects.ErrKey)
		_, err = e.store.Stat(e.Context(), key, "")
		e.fails(fmt.Sprintf("Stat of %q", key), err, objects.ErrKey)
		e.fails(fmt.Sprintf("Delete of %q", key), e.store.Delete(e.Context(), key, e.someVersion()), objects.ErrKey)
		if !e.opt.Unversioned {
			e.fails(fmt.Sprintf("Retain of %q", key), e.store.Retain(e.Context(), key, e.someVersion(), e.now()),
				objects.ErrKey)
			e.fails(fmt.Sprintf("Hold of %q", key), e.store.Hold(e.Context(), key, e.someVersion(), true),
				objects.ErrKey)
		}
	}
	good := []string{
		"a", "A", "0", "-", "_", ".a", "a.", "...", "..a", "a..b", "-rf", "a/b/c", "a.b-c_d/e",
		repeat("x", objects.MaxElement), longest(len(e.prefix)),
	}
	for _, name := range e.flat(good) {
		body := content(10)
		e.put(e.key(name), body, objects.PutOptions{})
		e.holds(e.key(name), "", body)
	}
}

// longest is the longest name that fits after a prefix.
func longest(prefix int) string {
	name := repeat("abcdefg/", objects.MaxKey/8)[:objects.MaxKey-prefix-1]
	return name + "z"
}

// someVersion is a version as the methods want it that name one: it need not be there.
func (e *env) someVersion() string {
	if e.opt.Unversioned {
		return ""
	}
	return random(16)
}

// testNeighbours has keys that file systems or a careless layout would confuse.
func testNeighbours(e *env) {
	names := []string{
		"a", "a/a", "a/a/a", "a/b", "ab", "ab/a", "ab/c", "abc", "abc/a", "a-", "a.", "a.versions", "a-versions",
		"versions", "data",
		"a.json", "a/versions", "ab/ab/ab", "ab/ab", "aba",
	}
	names = e.flat(names)
	bodies := map[string][]byte{}
	for _, name := range names {
		bodies[name] = content(100)
		e.put(e.key(name), bodies[name], objects.PutOptions{Condition: objects.Condition{Absent: true}})
	}
	for _, name := range names {
		e.holds(e.key(name), "", bodies[name])
	}
}
