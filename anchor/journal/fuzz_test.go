package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzBody: a body that is read is the only form that it could have been written in.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"v":1,"type":"document.deposited/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,` +
		`"actor":"alice","doc":"01a202b2-c500-7000-8000-000000010000","prev":3,"data":{"a":[1,{"b":"c"}]}}`))
	f.Add([]byte(`{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","wall":"2026-11-22T09:00:00.000000Z",` +
		`"tenant":"default","seq":7,"actor":"alice","doc":"01a202b2-c500-7000-8000-000000010000","prev":3,"auth":2,` +
		`"data":{}}`))
	f.Add([]byte(`{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","wall":"2026-11-22T09:00:00.000000Z",` +
		`"tenant":"default","seq":7,"actor":"alice","data":{"a":1,"a":2}}`))
	f.Add([]byte(`{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","settled":"2026-11-21T10:00:00.000000Z",` +
		`"tenant":"default","seq":7,"actor":"alice","data":{}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBody(raw)
		if err != nil {
			return
		}
		if out := b.appendTo(nil); !bytes.Equal(out, raw) {
			t.Errorf("%q was read, %q is written", raw, out)
		}
		if twice, err := hasTwins(b.Data); err != nil || twice {
			t.Errorf("%q was read in spite of its keys", raw)
		}
		if cut, err := cutBody(raw); err != nil || !reflect.DeepEqual(cut, b) {
			t.Errorf("%q is cut into %+v, %v; want %+v", raw, cut, err, b)
		}
	})
}

// FuzzData: checkData finds a key that stands twice exactly when a decoder does.
func FuzzData(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"a":[{"a":1},{"a":2}]}}`))
	f.Add([]byte(`{"a":[],"\u0061":{}}`))
	f.Add([]byte("{\"\xff\":1}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		twice, err := hasTwins(raw)
		switch checked := checkData(raw); {
		case checked == nil && (err != nil || twice):
			t.Errorf("%q is taken: a key twice %v, %v", raw, twice, err)
		case errors.Is(checked, errTwice) && !twice:
			t.Errorf("%q is refused for a key that stands once", raw)
		}
	})
}

// hasTwins says, by the standard decoder's tokens, whether an object has a key twice.
func hasTwins(raw []byte) (bool, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	type frame struct {
		keys map[string]bool // nil in an array
		name bool            // whether a name comes next
	}
	var stack []frame
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		top := len(stack) - 1
		if name, ok := token.(string); ok && top >= 0 && stack[top].name {
			if stack[top].keys[name] {
				return true, nil
			}
			stack[top].keys[name], stack[top].name = true, false
			continue
		}
		if top >= 0 && stack[top].keys != nil {
			stack[top].name = true
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, frame{keys: map[string]bool{}, name: true})
		case json.Delim('['):
			stack = append(stack, frame{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
	}
}

// FuzzBatch: a batch that is read is written again to the same bytes, but for its header line's form.
func FuzzBatch(f *testing.F) {
	key := &shippingKey{number: 1, secret: make([]byte, shippingKeySize)}
	raw, err := appendBatch(batchHeader{First: 3, Count: 1, Prev: "batch/0-3-00"}, []batchItem{
		{kind: 'e', value: []byte("{}")}, {kind: 's', key: []byte("k"), value: []byte("v")},
		{kind: 'x', key: []byte("k")},
	}, key)
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
		again, err := appendBatch(h, items, key)
		if err != nil {
			t.Fatal(err)
		}
		h2, items2, err := parseBatch(again)
		h.Key = key.number
		if err != nil || h2 != h || len(items2) != len(items) {
			t.Errorf("written again it reads %v, %v", h2, err)
		}
	})
}

// FuzzHead: a head object that is read leads where its tail leads, and is written again to one that reads the same.
func FuzzHead(f *testing.F) {
	key := &shippingKey{number: 1, secret: make([]byte, shippingKeySize)}
	one := []batchItem{{kind: 'e', value: []byte("{}")}}
	newest, err := (*tail)(nil).with(batchHeader{First: 3, Count: 1, Prev: "batch/0-3-00"}, one)
	if err != nil {
		f.Fatal(err)
	}
	id := ID{6: 0x70, 8: 0x80}
	h := releasedHead{Journal: id, Tenure: id, Origin: "o", Size: 4, LastBatch: "batch/0-3-00", tail: newest}
	if err := h.encode(key); err != nil {
		f.Fatal(err)
	}
	f.Add(h.raw)
	f.Add(append(bytes.Clone(h.line), "\nx\x00\x01k"...))
	f.Add([]byte(`{"v":1,"origin":"o","size":3,"lastBatch":"batch/0-3-00"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := parseReleased(raw, "tag")
		if err != nil {
			return
		}
		if h.tail != nil && h.tail.header.First+h.tail.header.Count != h.Size {
			t.Errorf("the head is at %d, its tail elsewhere", h.Size)
		}
		if !h.Tenure.isV7() { // one without a tenure is never written
			return
		}
		again := *h
		if err := again.encode(&shippingKey{number: h.Key, secret: key.secret}); err != nil {
			t.Fatal(err)
		}
		if h2, err := parseReleased(again.raw, "tag"); err != nil || h2.Size != h.Size || h2.Root != h.Root {
			t.Errorf("written again it reads %v, %v", h2, err)
		}
	})
}

// FuzzHeadRow: whatever stands in the head row, it is taken apart without harm, and believed only if the key made its
// HMAC: a row that is believed is the very one that was written.
func FuzzHeadRow(f *testing.F) {
	key := &shippingKey{number: 1, secret: make([]byte, shippingKeySize)}
	other := &shippingKey{number: 1, secret: bytes.Repeat([]byte{1}, shippingKeySize)}
	auth := uint64(3)
	head := Head{Journal: ID{6: 0x70, 8: 0x80}, Origin: "o", Size: 4, News: 4, Auth: &auth}
	row, err := head.encode(key)
	if err != nil {
		f.Fatal(err)
	}
	forged, err := head.encode(other)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add(forged)
	f.Add([]byte(`{"v":1,"origin":"o","size":4,"key":0}`))
	f.Add(append(bytes.Clone(row), row...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if covered, mac, err := splitMAC(raw); err == nil {
			text := base64.StdEncoding.EncodeToString(mac)
			if again := string(covered) + `,"mac":"` + text + `"}`; again != string(raw) {
				t.Errorf("%q was split, %q comes together", raw, again)
			}
		}
		if verifyHeadRow(raw, key) == nil && !bytes.Equal(raw, row) {
			t.Errorf("believed %q", raw)
		}
		if h, err := parseHead(raw); err == nil {
			again, err := h.encode(key)
			if err != nil || !h.Journal.isV7() { // what has no text form is never written
				return
			}
			if h2, err := parseHead(again); err != nil || h2.Size != h.Size || h2.Root != h.Root {
				t.Errorf("written again %q reads %v, %v", raw, h2, err)
			}
		}
	})
}

func TestBodiesThatAreRefused(t *testing.T) {
	t.Parallel()
	good := `{"v":1,"type":"t/1","at":"2026-11-22T10:00:00.000000Z","tenant":"default","seq":7,"actor":"alice",` +
		`"data":{"a":1}}`
	if _, err := parseBody([]byte(good)); err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to edit: %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for what, raw := range map[string]string{
		"a space":          edit(`"v":1,`, `"v":1, `),
		"a newline":        good + "\n",
		"a newer version":  edit(`"v":1,`, `"v":2,`),
		"a key twice":      edit(`"type":"t/1",`, `"type":"t/1","type":"t/1",`),
		"a data key twice": edit(`{"a":1}`, `{"b":{"a":1,"a":2}}`),
		"an escaped twin":  edit(`{"a":1}`, `{"a":1,"\u0061":2}`),
		"an unknown field": edit(`{"a":1}`, `{"a":1},"x":1`),
		"a local time":     edit(`000000Z`, `000000+01:00`),
		"no data":          edit(`{"a":1}`, `null`),
		"prev without doc": edit(`"data"`, `"prev":1,"data"`),
		"a quoted tenant":  edit(`default`, `de\"f`),
	} {
		if _, err := parseBody([]byte(raw)); err == nil {
			t.Errorf("a body with %s is read", what)
		}
	}
}
