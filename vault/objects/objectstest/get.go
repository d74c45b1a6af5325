package objectstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing/iotest"

	"muniment/vault/objects"
)

func testGet(e *env) {
	key, body := e.key("a"), content(e.opt.Large)
	put := e.put(key, body, objects.PutOptions{})
	reader, info, err := e.store.Get(e.Context(), key, "", nil)
	e.succeeds("Get", err)
	e.equal("the tag that Get gives", info.Tag, put.Tag)
	if err := iotest.TestReader(bare{reader}, body); err != nil {
		e.Errorf("the body: %v", err)
	}
	e.succeeds("Close", reader.Close())

	reader, _, err = e.store.Get(e.Context(), key, put.Version, nil)
	e.succeeds("Get", err)
	if _, err := io.ReadFull(reader, make([]byte, 100)); err != nil {
		e.Errorf("reading the start: %v", err)
	}
	e.succeeds("Close after a part", reader.Close())

	_, _, err = e.store.Get(ended(e.Context()), key, "", nil)
	e.fails("Get under a canceled context", err, context.Canceled)
	ctx, cancel := context.WithCancel(e.Context())
	reader, _, err = e.store.Get(ctx, key, "", nil)
	e.succeeds("Get", err)
	defer reader.Close()
	cancel()
	if got, err := io.ReadAll(reader); err == nil {
		e.Errorf("a body whose context ended gave %d bytes and a clean end", len(got))
	}
	_, err = e.store.Stat(ended(e.Context()), key, "")
	e.fails("Stat under a canceled context", err, context.Canceled)
	for _, version := range []string{random(16), "1", "..", "../a", "null", "\x00", strings.Repeat("a", 1000)} {
		_, _, err = e.store.Get(e.Context(), key, version, nil)
		e.fails(fmt.Sprintf("Get of version %.20q, which never was", version), err, objects.ErrNotFound)
		_, err = e.store.Stat(e.Context(), key, version)
		e.fails(fmt.Sprintf("Stat of version %.20q, which never was", version), err, objects.ErrNotFound)
	}
}

func testSpans(e *env) {
	const size = 10_000
	key, body := e.key("a"), content(size)
	put := e.put(key, body, objects.PutOptions{})
	for _, in := range [][2]int64{{0, 1}, {0, size}, {1, 1}, {size - 1, 1}, {4095, 4098}, {1, size - 1},
		{0, size - 1}} {
		s := objects.Span{Offset: in[0], Length: in[1]}
		reader, info, err := e.store.Get(e.Context(), key, put.Version, &s)
		if err != nil {
			e.Errorf("Get of %+v: %v", s, err)
			continue
		}
		got, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, body[s.Offset:s.Offset+s.Length]) {
			e.Errorf("Get of %+v gave %d other bytes, %v", s, len(got), err)
		}
		if info.Size != size {
			e.Errorf("Get of a span says that the object has %d bytes, want %d", info.Size, size)
		}
		e.succeeds("Close", reader.Close())
	}
	outside := [][2]int64{
		{-1, 1}, {-1, 5}, {0, -1}, {0, 0}, {5, 0}, {0, size + 1}, {size, 1}, {size - 1, 2}, {size + 1, 1},
		{1, math.MaxInt64},
		{math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, 1}, {1, math.MinInt64},
	}
	for _, out := range outside {
		s := objects.Span{Offset: out[0], Length: out[1]}
		reader, _, err := e.store.Get(e.Context(), key, "", &s)
		e.fails(fmt.Sprintf("Get of %+v of %d bytes", s, size), err, objects.ErrSpan)
		if err == nil {
			reader.Close()
		}
	}
	e.put(e.key("empty"), nil, objects.PutOptions{})
	_, _, err := e.store.Get(e.Context(), e.key("empty"), "", &objects.Span{Length: 1})
	e.fails("Get of a span of an empty object", err, objects.ErrSpan)
	_, _, err = e.store.Get(e.Context(), e.key("none"), "", &objects.Span{Length: 1})
	e.fails("Get of a span of nothing", err, objects.ErrNotFound)
}

func testDelete(e *env) {
	key := e.key("a")
	e.succeeds("Delete of what never was", e.store.Delete(e.Context(), key, e.someVersion()))
	put := e.put(key, content(100), objects.PutOptions{})
	e.put(e.key("b"), content(100), objects.PutOptions{})
	e.fails("Delete under a canceled context", e.store.Delete(ended(e.Context()), key, put.Version), context.Canceled)
	e.succeeds("Delete of a version that never was", e.store.Delete(e.Context(), e.key("b"), random(16)))
	e.succeeds("Delete", e.store.Delete(e.Context(), key, put.Version))
	e.absent(key)
	e.succeeds("Delete again", e.store.Delete(e.Context(), key, put.Version))
	if n := len(e.list(e.prefix, "")); n != 1 {
		e.Errorf("%d objects are left, want 1", n)
	}
	body := content(50)
	again := e.put(key, body, objects.PutOptions{Condition: objects.Condition{Absent: true}})
	if again.Version == put.Version && put.Version != "" {
		e.Errorf("version %q was given twice", put.Version)
	}
	e.holds(key, "", body)
}

func testCheck(e *env) {
	e.succeeds("Check", e.store.Check(e.Context()))
	e.fails("Check under a canceled context", e.store.Check(ended(e.Context())), context.Canceled)
	if n := len(e.list(e.prefix, "")); n != 0 {
		e.Errorf("Check left %d objects", n)
	}
}
