package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"muniment/vault/keys"
	"muniment/vault/seal"
)

// text is content in which every byte tells its place, so that a byte in a wrong place shows.
func text(n int64) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = textAt(int64(i))
	}
	return out
}

func textAt(i int64) byte { return byte(i*131 + i>>8*17 + i>>16*59 + 7) }

// TestDecoderAgreesWithTink reads documents whole, with Tink and with the decoder, and spans of them.
func TestDecoderAgreesWithTink(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range suites {
		sizes := borderSizes(s)
		if testing.Short() {
			sizes = sizes[:len(sizes)/2]
		}
		for range 3 {
			sizes = append(sizes, rng.Int64N(3*segmentSize(s)))
		}
		for _, n := range sizes {
			sample := newSample(t, s, text(n))
			byTink, err := sample.tinkDecode(t)
			if err != nil || !bytes.Equal(byTink, sample.content) {
				t.Fatalf("%s: Tink does not read %d bytes back: %v", s, n, err)
			}
			if got, err := sample.decodeAll(t); err != nil || !bytes.Equal(got, byTink) {
				t.Errorf("%s: %d bytes are not read back: %v", s, n, err)
			}
			checkSpans(t, rng, sample)
		}
	}
}

// checkSpans reads spans around the borders and anywhere, with one decoder, and each with one of its own.
func checkSpans(t *testing.T, rng *rand.Rand, sample sample) {
	t.Helper()
	n := int64(len(sample.content))
	spans := [][2]int64{{0, 0}, {n, 0}, {0, min(n, 1)}, {max(n-1, 0), min(n, 1)}}
	for _, border := range []int64{firstPlain(sample.suite), firstPlain(sample.suite) + restPlain(sample.suite)} {
		if border+1 <= n {
			spans = append(spans, [2]int64{border - 1, 2}, [2]int64{border, 1}, [2]int64{border - 1, 1},
				[2]int64{border, n - border})
		}
	}
	for range 5 {
		from := rng.Int64N(n + 1)
		spans = append(spans, [2]int64{from, rng.Int64N(n - from + 1)})
	}
	rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	d, err := seal.NewDecoder(sample.keyset, testBinding, int64(len(sample.ciphertext)), sample.source)
	if err != nil {
		t.Fatal(err)
	}
	if d.Size() != n {
		t.Errorf("%s: Size() = %d, want %d", sample.suite, d.Size(), n)
	}
	for _, span := range spans {
		want := sample.content[span[0] : span[0]+span[1]]
		if got, err := sample.decode(t, testBinding, span[0], span[1]); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: span %v of %d bytes: %d bytes, %v", sample.suite, span, n, len(got), err)
		}
		var out bytes.Buffer
		if err := d.WriteSpan(t.Context(), &out, span[0], span[1]); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: span %v of %d bytes by a used decoder: %d bytes, %v", sample.suite, span, n, out.Len(), err)
		}
	}
	if err := d.CheckSize(t.Context()); err != nil {
		t.Errorf("%s: CheckSize of %d bytes: %v", sample.suite, n, err)
	}
}

// damages are ways to change a ciphertext of at least four segments. None may be read as a whole.
func damages(s sample, foreign []byte) map[string][]byte {
	c, seg := s.ciphertext, segmentSize(s.suite)
	part := func(i int64) []byte { return c[i*seg : min((i+1)*seg, int64(len(c)))] }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	flip := func(at int64) []byte {
		out := bytes.Clone(c)
		out[at] ^= 1
		return out
	}
	out := map[string][]byte{
		"empty":                        {},
		"half a header":                c[:20],
		"a header alone":               c[:40],
		"cut in the first segment":     c[:100],
		"cut after the first segment":  c[:seg],
		"cut after the second segment": c[:2*seg],
		"cut before the last segment":  c[:3*seg],
		"cut in the last segment":      c[:3*seg+30],
		"last byte cut":                c[:len(c)-1],
		"a byte more":                  join(c, []byte{0}),
		"last segment twice":           join(c, part(3)),
		"two swapped":                  join(part(0), part(2), part(1), part(3)),
		"one twice":                    join(part(0), part(1), part(1), part(3)),
		"one left out":                 join(part(0), part(2), part(3)),
		"another document's segment":   join(part(0), foreign[seg:2*seg], part(2), part(3)),
		"another document's header":    join(foreign[:40], c[40:]),
		"another document's end":       join(c[:3*seg], foreign[3*seg:]),
	}
	for _, at := range []int64{0, 1, 20, 33, 39, 40, 41, seg - 1, seg, seg + 1, 2*seg - 1, 3 * seg, int64(len(c)) - 1} {
		out[fmt.Sprintf("byte %d flipped", at)] = flip(at)
	}
	return out
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	for _, s := range []seal.Suite{seal.GCMSmall, seal.CTRSmall} {
		n := firstPlain(s) + 2*restPlain(s) + 1000
		good := newSample(t, s, text(n))
		foreign := encrypt(t, good.keyset, good.content)
		for name, ciphertext := range damages(good, foreign) {
			bad := good.damaged(ciphertext)
			checkNeverRead(t, fmt.Sprintf("%s: %s", s, name), bad, int64(len(ciphertext)))
			// and the same object where the journal knows the true size
			checkNeverRead(t, fmt.Sprintf("%s: %s, of known size", s, name), bad, int64(len(good.ciphertext)))
			if _, err := bad.tinkDecode(t); err == nil {
				t.Errorf("%s: %s: Tink reads it", s, name)
			}
		}
	}
}

// checkNeverRead fails the test if the whole of a damaged sample reads without an error, or any wrong byte leaves.
func checkNeverRead(t *testing.T, what string, bad sample, size int64) {
	t.Helper()
	d, err := seal.NewDecoder(bad.keyset, testBinding, size, bad.source)
	if err != nil {
		if !errors.Is(err, seal.ErrCiphertext) {
			t.Errorf("%s: %v, want ErrCiphertext", what, err)
		}
		return
	}
	var out bytes.Buffer
	if err := d.WriteSpan(t.Context(), &out, 0, d.Size()); !errors.Is(err, seal.ErrCiphertext) {
		// A byte more than the known size is the one damage that a reader of that size cannot see, nor suffers from.
		if size < int64(len(bad.ciphertext)) && err == nil && bytes.Equal(out.Bytes(), bad.content) {
			return
		}
		t.Errorf("%s: %v, want ErrCiphertext", what, err)
	}
	if !bytes.HasPrefix(bad.content, out.Bytes()) {
		t.Errorf("%s: wrong bytes left", what)
	}
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		good := newSample(t, s, text(60))
		for i := range good.ciphertext {
			changed := bytes.Clone(good.ciphertext)
			changed[i] ^= 0x40
			if got, err := good.damaged(changed).decodeAll(t); !errors.Is(err, seal.ErrCiphertext) || len(got) > 0 {
				t.Errorf("%s: byte %d changed: %d bytes, %v; want ErrCiphertext", s, i, len(got), err)
			}
			if got, err := good.damaged(changed[:i]).decodeAll(t); !errors.Is(err, seal.ErrCiphertext) || len(got) > 0 {
				t.Errorf("%s: cut at %d: %d bytes, %v; want ErrCiphertext", s, i, len(got), err)
			}
		}
	}
}

func TestWrongBindingAndKeyset(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		good := newSample(t, s, text(1000))
		other := good
		other.keyset = mustKeyset(t, s)
		if got, err := other.decodeAll(t); !errors.Is(err, seal.ErrCiphertext) || len(got) > 0 {
			t.Errorf("%s: another keyset: %d bytes, %v; want ErrCiphertext", s, len(got), err)
		}
		for _, binding := range [][]byte{nil, testBinding[1:], seal.Binding("tenant-b", testDoc)} {
			if got, err := good.decode(t, binding, 0, 1000); !errors.Is(err, seal.ErrCiphertext) || len(got) > 0 {
				t.Errorf("%s: another binding: %d bytes, %v; want ErrCiphertext", s, len(got), err)
			}
		}
	}
}

// TestSizeIsProvedByTheLastSegment holds the decoder to what its documentation says and does not say about a ciphertext
// that was cut at a segment's border, when the caller believes the store's size.
func TestSizeIsProvedByTheLastSegment(t *testing.T) {
	t.Parallel()
	for _, s := range []seal.Suite{seal.GCMSmall, seal.CTRSmall} {
		good := newSample(t, s, text(firstPlain(s)+2*restPlain(s)+5))
		cut := good.damaged(good.ciphertext[:2*segmentSize(s)])
		d, err := seal.NewDecoder(cut.keyset, testBinding, int64(len(cut.ciphertext)), cut.source)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := d.WriteSpan(t.Context(), &out, 10, 100); err != nil ||
			!bytes.Equal(out.Bytes(), good.content[10:110]) {
			t.Errorf("%s: a span before the last segment: %v", s, err)
		}
		if err := d.CheckSize(t.Context()); !errors.Is(err, seal.ErrCiphertext) {
			t.Errorf("%s: CheckSize of a cut ciphertext: %v, want ErrCiphertext", s, err)
		}
		out.Reset()
		if err := d.WriteSpan(t.Context(), &out, d.Size()-1, 1); !errors.Is(err, seal.ErrCiphertext) || out.Len() > 0 {
			t.Errorf("%s: a span in the last segment: %d bytes, %v; want ErrCiphertext", s, out.Len(), err)
		}
	}
}

func TestSpansOutside(t *testing.T) {
	t.Parallel()
	good := newSample(t, seal.GCMSmall, text(100))
	for _, span := range [][2]int64{{-1, 1}, {0, -1}, {0, 101}, {101, 0}, {100, 1}, {50, 1<<63 - 1}, {1<<63 - 1, 1}} {
		if got, err := good.decode(t, testBinding, span[0], span[1]); !errors.Is(err, seal.ErrSpan) || len(got) > 0 {
			t.Errorf("span %v of 100 bytes: %d bytes, %v; want ErrSpan", span, len(got), err)
		}
	}
}

// TestReadsOnlyWhatItNeeds counts what is asked of the source.
func TestReadsOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	s := seal.GCMSmall
	seg := segmentSize(s)
	good := newSample(t, s, text(firstPlain(s)+3*restPlain(s)+10))
	size := int64(len(good.ciphertext))
	var asked [][2]int64
	open := 0
	source := func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		asked = append(asked, [2]int64{offset, length})
		open++
		body, err := good.source(ctx, offset, length)
		return readCloser{body, func() error { open--; return nil }}, err
	}
	d, err := seal.NewDecoder(good.keyset, testBinding, size, source)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name           string
		offset, length int64
		want           [][2]int64
	}{
		{"the second segment", firstPlain(s), restPlain(s), [][2]int64{{0, 40}, {seg, seg}}},
		{"the whole", 0, d.Size(), [][2]int64{{40, size - 40}}},
		{"two segments", firstPlain(s) - 1, 2, [][2]int64{{40, 2*seg - 40}}},
		{"the end", d.Size() - 1, 1, [][2]int64{{4 * seg, size - 4*seg}}},
	} {
		asked = nil
		if err := d.WriteSpan(t.Context(), io.Discard, step.offset, step.length); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, asked); diff != "" {
			t.Errorf("%s: asked of the source (-want +got):\n%s", step.name, diff)
		}
	}
	asked = nil
	fresh, err := seal.NewDecoder(good.keyset, testBinding, size, source)
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.WriteSpan(t.Context(), io.Discard, 0, fresh.Size()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][2]int64{{0, size}}, asked); diff != "" {
		t.Errorf("a full read asked of the source (-want +got):\n%s", diff)
	}
	if open != 0 {
		t.Errorf("%d bodies of the source were left open", open)
	}
}

type readCloser struct {
	io.Reader
	close func() error
}

func (r readCloser) Close() error { return r.close() }

// TestFailuresOfOthers shows that a failing store, receiver or context is told apart from a damaged ciphertext.
func TestFailuresOfOthers(t *testing.T) {
	t.Parallel()
	errStore := errors.New("the store is gone")
	for _, s := range []seal.Suite{seal.GCMSmall, seal.CTRSmall} {
		good := newSample(t, s, text(firstPlain(s)+2*restPlain(s)))
		size := int64(len(good.ciphertext))
		run := func(ctx context.Context, w io.Writer, src seal.Source) error {
			d, err := seal.NewDecoder(good.keyset, testBinding, size, src)
			if err != nil {
				t.Fatal(err)
			}
			return d.WriteSpan(ctx, w, 0, d.Size())
		}
		refuses := func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, errStore }
		breaks := func(after int64, err error) seal.Source {
			return func(context.Context, int64, int64) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(bytes.NewReader(good.ciphertext[:after]), failing{err})), nil
			}
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for _, test := range []struct {
			name string
			got  error
			want error
		}{
			{"the source refuses", run(t.Context(), io.Discard, refuses), errStore},
			{"the source breaks in the header", run(t.Context(), io.Discard, breaks(10, errStore)), errStore},
			{"the source breaks at a border", run(t.Context(), io.Discard, breaks(segmentSize(s), errStore)), errStore},
			{"the source breaks with ErrUnexpectedEOF", run(t.Context(), io.Discard, breaks(100, io.ErrUnexpectedEOF)),
				io.ErrUnexpectedEOF},
			{"the receiver fails", run(t.Context(), failing{errStore}, good.source), errStore},
			{"the context has ended", run(cancelled, io.Discard, good.source), context.Canceled},
		} {
			if !errors.Is(test.got, test.want) || errors.Is(test.got, seal.ErrCiphertext) {
				t.Errorf("%s: %s: %v, want %v and not ErrCiphertext", s, test.name, test.got, test.want)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestUnclosedWriterLeavesNothing shows that a broken upload does not verify, wherever it broke.
func TestUnclosedWriterLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range []seal.Suite{seal.GCMSmall, seal.CTRSmall} {
		for _, n := range borderSizes(s) {
			var out bytes.Buffer
			keyset := mustKeyset(t, s)
			w, err := seal.Encrypt(&out, keyset, testBinding)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(text(n)); err != nil {
				t.Fatal(err)
			}
			broken := sample{suite: s, keyset: keyset, content: text(n), ciphertext: out.Bytes()}
			checkNeverRead(t, fmt.Sprintf("%s: %d bytes without Close", s, n), broken, int64(out.Len()))
		}
	}
}

func TestForeignKeysets(t *testing.T) {
	t.Parallel()
	foreign := map[string]keys.Secret{"nothing": nil, "rubbish": []byte("canary-keyset"),
		"cut": mustKeyset(t, seal.GCMLarge)[:30]}
	handle, err := tinkkeyset.NewHandle(streamingaead.AES128GCMHKDF4KBKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	foreign["another template"] = serialize(t, handle)
	m := tinkkeyset.NewManager()
	for range 2 {
		id, err := m.Add(streamingaead.AES256GCMHKDF1MBKeyTemplate())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetPrimary(id); err != nil {
			t.Fatal(err)
		}
	}
	two, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	foreign["two keys"] = serialize(t, two)
	for name, keyset := range foreign {
		_, encryptErr := seal.Encrypt(io.Discard, keyset, testBinding)
		_, decodeErr := seal.NewDecoder(keyset, testBinding, 1000, nil)
		_, suiteErr := seal.SuiteOf(keyset)
		for what, err := range map[string]error{"Encrypt": encryptErr, "NewDecoder": decodeErr, "SuiteOf": suiteErr} {
			if !errors.Is(err, seal.ErrKeyset) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s with %s: %v, want ErrKeyset", what, name, err)
			}
		}
	}
}

func serialize(t *testing.T, handle *tinkkeyset.Handle) keys.Secret {
	t.Helper()
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, tinkkeyset.NewBinaryWriter(&out)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestKeysetsAreFreshAndKnowTheirSuite(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range suites {
		for range 3 {
			keyset := mustKeyset(t, s)
			if seen[string(keyset)] {
				t.Error("the same keyset was drawn twice")
			}
			seen[string(keyset)] = true
			if got, err := seal.SuiteOf(keyset); err != nil || got != s {
				t.Errorf("SuiteOf a keyset of %s = %s, %v", s, got, err)
			}
		}
	}
}

func TestDecoderPrintsNoKey(t *testing.T) {
	t.Parallel()
	good := newSample(t, seal.GCMSmall, text(100))
	d, err := seal.NewDecoder(good.keyset, testBinding, int64(len(good.ciphertext)), good.source)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CheckSize(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
		if got := fmt.Sprintf(verb, d); got != "[decoder]" {
			t.Errorf("under %s: %s", verb, got)
		}
	}
}
