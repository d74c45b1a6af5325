package objectstest

import (
	"context"
	"slices"
	"strings"

	"muniment/vault/objects"
)

func testList(e *env) {
	names := []string{
		"a", "a-", "a-b", "a.", "a/a", "a/b", "a/bc/d", "a0", "aa", "aa-", "aa/b", "aa/b/c", "aa/bb", "aab", "ab",
		"ab-/x", "ab-c",
		"ab/-", "ab/d", "abc", "abe/f", "b", "b/0123", "b/01234", "b/0223", "b/a0", "c0/x", "c1/x", "A", "B/a", "_",
		"-", ".x", "..x", "...",
	}
	names = e.flat(names)
	slices.Sort(names)
	for _, i := range shuffled(len(names)) {
		e.put(e.key(names[i]), content(10), objects.PutOptions{})
	}
	keys := func(prefix, after string) []string {
		e.Helper()
		got := []string{}
		for _, info := range e.list(prefix, after) {
			got = append(got, strings.TrimPrefix(info.Key, e.prefix))
		}
		return got
	}
	e.equal("List of all", keys(e.prefix, ""), names)
	for _, prefix := range append([]string{"", "a/", "a/b", "ab/", "b/0", "b/01", "none", "a/bc/", "a/bc/d/e"},
		names...) {
		for _, after := range append([]string{"", "0", "a/zz", "aa/b/", "zz"}, names...) {
			want := []string{}
			for _, name := range names {
				if strings.HasPrefix(name, prefix) && (name > after || after == "") {
					want = append(want, name)
				}
			}
			from := ""
			if after != "" {
				from = e.key(after)
			}
			e.equal("List of "+prefix+" after "+after, keys(e.key(prefix), from), want)
			if e.Failed() {
				return
			}
		}
	}
	for _, prefix := range []string{"/", "//", "../", e.prefix + "/", e.prefix + "../", "\x00"} {
		if n := len(e.list(prefix, "")); n != 0 {
			e.Errorf("List of %q gave %d objects", prefix, n)
		}
	}
}

// shuffled is 0 to n-1 in some order that is not the one of keys.
func shuffled(n int) []int {
	order := make([]int, n)
	for i, b := range content(n) {
		j := int(b) % (i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}

func testListStops(e *env) {
	for _, name := range []string{"a", "b", "c/d", "e"} {
		e.put(e.key(name), content(10), objects.PutOptions{})
	}
	for stop := 1; stop <= 4; stop++ {
		seen := 0
		for _, err := range e.store.List(e.Context(), e.prefix, "") {
			e.succeeds("List", err)
			if seen++; seen == stop {
				break
			}
		}
		if seen != stop {
			e.Errorf("List gave %d, want %d", seen, stop)
		}
	}
	var last error
	for _, err := range e.store.List(ended(e.Context()), e.prefix, "") {
		last = err
	}
	e.fails("List under a canceled context", last, context.Canceled)
}

func testListVersions(e *env) {
	var want []objects.Info
	for _, name := range e.flat([]string{"a", "b", "b-", "b/c", "d"}) {
		var versions []objects.Info
		count := 2
		if name == "b" {
			count = e.opt.Versions
		}
		for range count {
			versions = append(versions, e.put(e.key(name), content(10), objects.PutOptions{}))
		}
		slices.Reverse(versions)
		want = append(want, versions...)
	}
	check := func(what, prefix, after string, want []objects.Info) {
		e.Helper()
		var got, expected []string
		for _, info := range e.list(prefix, after) {
			got = append(got, info.Key+" "+info.Version)
		}
		for _, info := range want {
			expected = append(expected, info.Key+" "+info.Version)
		}
		e.equal(what, got, expected)
	}
	check("versions of all", e.prefix, "", want)
	check("versions after a", e.prefix, e.key("a"), want[2:])
	check("versions after b", e.prefix, e.key("b"), want[2+e.opt.Versions:])
	check("versions of b and what it starts", e.key("b"), "", want[2:len(want)-2])
}
