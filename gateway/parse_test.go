package gateway_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muniment/gateway"
	"muniment/vault/objects"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][]objects.Span{
		"":                      nil,
		"lines=1-2":             nil,
		"bytes=0-0":             {{Offset: 0, Length: 1}},
		"bytes= 1-2 ,\t4-":      {{Offset: 1, Length: 2}, {Offset: 4, Length: 6}},
		"bytes=,,3-3,":          {{Offset: 3, Length: 1}},
		"bytes=-3":              {{Offset: 7, Length: 3}},
		"bytes=-11":             {{Offset: 0, Length: 10}},
		"bytes=8-20,10-,2-3":    {{Offset: 2, Length: 2}, {Offset: 8, Length: 2}},
		"bytes=0-4,2-3,4-5,6-6": {{Offset: 0, Length: 7}},
	} {
		if got, err := gateway.ParseRange(header, 10); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q is %v, %v", header, got, err)
		}
	}
	for _, header := range []string{
		"bytes", "bytes=", "bytes=,", "bytes=-", "bytes=x-", "bytes=1", "bytes=2-1", "bytes=-0", "bytes=10-",
		"bytes=0x1-2", "bytes=+1-2",
		"bytes=1-2-3", "bytes=--1", "bytes=1 -2", "0-1", "bytes=" + strings.Repeat("0-0,", 17),
		"bytes=0-" + strings.Repeat("9", 2000),
	} {
		if got, err := gateway.ParseRange(header, 10); err == nil {
			t.Errorf("%q is %v", header, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, header := range []string{"bytes=0-", "bytes=-5", "bytes=1-2,3-4,2-9", "bytes=18446744073709551615-",
		"lines=1", "bytes=,"} {
		f.Add(header, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		spans, err := gateway.ParseRange(header, size)
		if err != nil && spans != nil {
			t.Error("an error and spans")
		}
		end := int64(-1)
		for _, s := range spans {
			if s.Offset <= end || s.Length <= 0 || s.Offset > size-s.Length {
				t.Fatalf("%v of %d bytes", spans, size)
			}
			end = s.Offset + s.Length // the next may not even touch it
		}
		if len(spans) > 16 {
			t.Errorf("%d spans", len(spans))
		}
	})
}

func TestParseContentDigest(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("x"))
	text := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	for _, values := range [][]string{{text}, {"sha-512=:AA==:, " + text}, {"sha-512=:AA==:", text},
		{" " + text + " "}} {
		if got, err := gateway.ParseContentDigest(values); err != nil || !cmp.Equal(got, sum[:]) {
			t.Errorf("%q is %x, %v", values, got, err)
		}
	}
	if got, err := gateway.ParseContentDigest(nil); got != nil || err != nil {
		t.Errorf("no header is %x, %v", got, err)
	}
	for _, bad := range []string{
		"", "sha-256", "sha-256=", "sha-256=::", text + "," + text, strings.ToUpper(text), text[:len(text)-1],
		"sha-256=abc",
		"sha-256=:YWJj:", "sha-512=:AA==:", "md5=:AA==:", "sha-256=:" + strings.Repeat("A", 44) + ":",
	} {
		if got, err := gateway.ParseContentDigest([]string{bad}); err == nil {
			t.Errorf("%q is %x", bad, got)
		}
	}
}

func FuzzParseContentDigest(f *testing.F) {
	f.Add("sha-256=:LXEWQrcmsEQBYnyp2xtx/rHCZhqCmYcRclmNcHMTxLA=:")
	f.Add("sha-512=:AA==:,sha-256=:AA==:")
	f.Fuzz(func(t *testing.T, header string) {
		got, err := gateway.ParseContentDigest([]string{header})
		if err != nil {
			return
		}
		if len(got) != sha256.Size || !strings.Contains(header, ":"+base64.StdEncoding.EncodeToString(got)+":") {
			t.Errorf("%q is %x", header, got)
		}
	})
}

func TestDecodeHeader(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                        "",
		"plain 100% text, yes":    "plain 100% text, yes",
		"UTF-8''na%C3%AFve":       "naïve",
		"utf-8'de-CH'Z%c3%bcrich": "Zürich",
		"UTF-8''":                 "",
		"UTF-8":                   "UTF-8",
		"ISO-8859-1''x":           "ISO-8859-1''x",
		"rock'n'roll":             "rock'n'roll",
		"100%'n'50% of a deed":    "100%'n'50% of a deed",
		"it's 5'%20":              "it's 5'%20",
	} {
		if got, ok := gateway.DecodeHeader(value); !ok || got != want {
			t.Errorf("%q is %q, %v", value, got, ok)
		}
	}
	for _, bad := range []string{"naïve", "tab\there", "\x00", "UTF-8'", "UTF-8'x", "UTF-8''a b", "UTF-8''%z0",
		"UTF-8''%", "UTF-8'a/b'x", "UTF-8''ü",
		"ISO-8859-1'en'%A3", "iso-8859-1''%e9t%e9", "windows-1252'de-CH'Z%fcrich"} {
		if got, ok := gateway.DecodeHeader(bad); ok {
			t.Errorf("%q is %q", bad, got)
		}
	}
}

// FuzzDecodeHeader also encodes what was decoded, which must give the same text again.
func FuzzDecodeHeader(f *testing.F) {
	f.Add("UTF-8''na%C3%AFve")
	f.Add("plain")
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := gateway.DecodeHeader(value)
		if !ok {
			return
		}
		if again, ok := gateway.DecodeHeader("UTF-8''" + gateway.EncodeExtValue(text)); !ok || again != text {
			t.Errorf("%q is %q, and again %q", value, text, again)
		}
	})
}

// FuzzContentDisposition checks that no file name, however it came to be stored, breaks out of its header.
func FuzzContentDisposition(f *testing.F) {
	for _, name := range []string{"", "a.pdf", "naïve \"x\".pdf", "../../etc/passwd", "a\r\nSet-Cookie: x",
		"inv\u202efdp.exe", "\xff", "a%41", strings.Repeat("ü", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		header := gateway.ContentDisposition(name)
		for _, c := range []byte(header) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q has a byte that no header has", header)
			}
		}
		kind, parameters, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" {
			t.Fatalf("%q is %s, %v", header, kind, err)
		}
		offered := parameters["filename"]
		if !utf8.ValidString(offered) || len(offered) > 255 || strings.ContainsAny(offered, `/\`) ||
			strings.HasPrefix(offered, ".") ||
			strings.ContainsFunc(offered, func(c rune) bool { return unicode.IsControl(c) || c == '\u202e' }) {
			t.Errorf("%q offers %q", header, offered)
		}
	})
}

// TestErrorsHoldNoInput is what lets refusals go to the log.
func TestErrorsHoldNoInput(t *testing.T) {
	t.Parallel()
	_, err := gateway.ParseRange("bytes=canary", 10)
	_, err2 := gateway.ParseContentDigest([]string{"canary"})
	if text := errors.Join(err, err2).Error(); strings.Contains(text, "canary") {
		t.Error(text)
	}
}
