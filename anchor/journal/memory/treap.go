package memory

import (
	"bytes"
	"hash/fnv"

	"muniment/anchor/journal"
)

// A node is a treap, ordered by key, with priorities that are hashes of the keys: the same rows always make the same
// tree. Nodes never change: each change makes new ones along its path, so that a root is a snapshot.
type node struct {
	key, value  []byte
	priority    uint64
	left, right *node
}

func newNode(key, value []byte) *node {
	h := fnv.New64a()
	h.Write(key)
	// FNV's high bits hardly depend on the key's last bytes; a multiplication of the folded sum spreads them.
	sum := h.Sum64()
	return &node{key: key, value: value, priority: (sum ^ sum>>29) * 0xbf58476d1ce4e5b9}
}

func (n *node) with(left, right *node) *node {
	return &node{key: n.key, value: n.value, priority: n.priority, left: left, right: right}
}

func (n *node) get(key []byte) []byte {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.value
		}
	}
	return nil
}

// put keeps key and value; the caller must not change them any more.
func (n *node) put(key, value []byte) *node {
	return n.insert(newNode(key, value))
}

func (n *node) insert(m *node) *node {
	if n == nil {
		return m
	}
	c := bytes.Compare(m.key, n.key)
	switch {
	case c == 0:
		return m.with(n.left, n.right) // the same key has the same priority
	case m.priority > n.priority:
		left, right := n.split(m.key)
		return m.with(left, right)
	case c < 0:
		return n.with(n.left.insert(m), n.right)
	default:
		return n.with(n.left, n.right.insert(m))
	}
}

// split divides the tree into the keys below and above key, which is left out.
func (n *node) split(key []byte) (below, above *node) {
	if n == nil {
		return nil, nil
	}
	switch c := bytes.Compare(key, n.key); {
	case c < 0:
		below, above = n.left.split(key)
		return below, n.with(above, n.right)
	case c > 0:
		below, above = n.right.split(key)
		return n.with(n.left, below), above
	default:
		return n.left, n.right
	}
}

func (n *node) remove(key []byte) *node {
	if n.get(key) == nil {
		return n
	}
	switch c := bytes.Compare(key, n.key); {
	case c < 0:
		return n.with(n.left.remove(key), n.right)
	case c > 0:
		return n.with(n.left, n.right.remove(key))
	default:
		return join(n.left, n.right)
	}
}

// join makes one tree of two, where every key of a is below every key of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		return a.with(a.left, join(a.right, b))
	default:
		return b.with(join(a, b.left), b.right)
	}
}

// scan calls fn for each row of the range in its order, until fn returns an error.
func (n *node) scan(rg journal.Range, fn func(n *node) error) error {
	if n == nil {
		return nil
	}
	first, second := n.left, n.right
	if rg.Reverse {
		first, second = second, first
	}
	above := rg.From == nil || bytes.Compare(n.key, rg.From) >= 0
	below := rg.To == nil || bytes.Compare(n.key, rg.To) < 0
	// The subtree on the far side of a key that is outside of the range is outside too.
	if above && !rg.Reverse || below && rg.Reverse {
		if err := first.scan(rg, fn); err != nil {
			return err
		}
	}
	if above && below {
		if err := fn(n); err != nil {
			return err
		}
	}
	if below && !rg.Reverse || above && rg.Reverse {
		return second.scan(rg, fn)
	}
	return nil
}
