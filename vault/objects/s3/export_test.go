package s3

// AtHand is atHand, in bytes.
const AtHand = atHand

// PartSize is the size of part number n.
func (s *Store) PartSize(n int) int64 { return s.partSize(n) }

// GrowEvery has the parts of an upload grow after so many.
func (s *Store) GrowEvery(parts int) { s.growEvery = parts }
