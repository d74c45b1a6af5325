package access

import "iter"

// layer is a map that may stand above another one, which it leaves as it is.
type layer[K comparable, V any] struct {
	below *layer[K, V]
	rows  map[K]layered[V]
}

// layered is a value, or says that there is none although one stands below.
type layered[V any] struct {
	value V
	gone  bool
}

func newLayer[K comparable, V any](below *layer[K, V]) *layer[K, V] {
	return &layer[K, V]{below: below, rows: map[K]layered[V]{}}
}

func (l *layer[K, V]) get(key K) (v V, ok bool) {
	for ; l != nil; l = l.below {
		if found, here := l.rows[key]; here {
			return found.value, !found.gone
		}
	}
	return v, false
}

func (l *layer[K, V]) put(key K, v V) { l.rows[key] = layered[V]{value: v} }

func (l *layer[K, V]) delete(key K) {
	if l.below == nil {
		delete(l.rows, key)
		return
	}
	l.rows[key] = layered[V]{gone: true}
}

// all are the values, in no order.
func (l *layer[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for at := l; at != nil; at = at.below {
			for key, row := range at.rows {
				if !row.gone && at.newest(l, key) && !yield(key, row.value) {
					return
				}
			}
		}
	}
}

// newest says whether no layer between top and this one has anything under the key.
func (l *layer[K, V]) newest(top *layer[K, V], key K) bool {
	for at := top; at != l; at = at.below {
		if _, here := at.rows[key]; here {
			return false
		}
	}
	return true
}
