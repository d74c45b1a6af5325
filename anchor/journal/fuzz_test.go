package journal

import (
	"bytes"
	"testing"
)

// FuzzBody: a body that is read is the only form that it could have been written in.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"v":1,"type":"document.deposited/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","doc":"01a202b2-c500-7000-8000-000000010000","prev":3,"data":{"a":[1,{"b":"c"}]}}`))
	f.Add([]byte(`{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","wall":"2026-11-22T09:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1,"a":2}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBody(raw)
		if err != nil {
			return
		}
		if out := b.appendTo(nil); !bytes.Equal(out, raw) {
			t.Errorf("%q was read, %q is written", raw, out)
		}
		if uniqueKeys(b.Data) != nil {
			t.Errorf("%q was read in spite of its keys", raw)
		}
	})
}

// FuzzBatch: a batch that is read is written again to the same bytes, but for its header line's form.
func FuzzBatch(f *testing.F) {
	raw, err := appendBatch(batchHeader{First: 3, Count: 1, Prev: "batch/0-3-00"}, []batchItem{
		{kind: 'e', value: []byte("{}")}, {kind: 's', key: []byte("k"), value: []byte("v")}, {kind: 'x', key: []byte("k")},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(batchMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, items, err := parseBatch(raw)
		if err != nil {
			return
		}
		again, err := appendBatch(h, items)
		if err != nil {
			t.Fatal(err)
		}
		h2, items2, err := parseBatch(again)
		if err != nil || h2 != h || len(items2) != len(items) {
			t.Errorf("written again it reads %v, %v", h2, err)
		}
	})
}

func TestBodiesThatAreRefused(t *testing.T) {
	good := `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1}}`
	if _, err := parseBody([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string]string{
		"a space":          `{"v":1, "type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1}}`,
		"a newline":        good + "\n",
		"a newer version":  `{"v":2,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1}}`,
		"a key twice":      `{"v":1,"type":"t/1","type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1}}`,
		"a data key twice": `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"b":{"a":1,"a":2}}}`,
		"an escaped twin":  `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1,"\u0061":2}}`,
		"an unknown field": `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":{"a":1},"x":1}`,
		"a local time":     `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000+01:00","tenant":"default","seq":7,"actor":"alice","data":{"a":1}}`,
		"no data":          `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","data":null}`,
		"prev without doc": `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice","prev":1,"data":{"a":1}}`,
		"a quoted tenant":  `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"de\"f","seq":7,"actor":"alice","data":{"a":1}}`,
	} {
		if _, err := parseBody([]byte(raw)); err == nil {
			t.Errorf("a body with %s is read", what)
		}
	}
}
