package s3

import "muniment/vault/budget"

const (
	// growEvery is after how many parts of an upload the size of its parts doubles.
	growEvery = 1000
	// maxGrown is the size that parts grow to at most, in bytes. S3's own limit is 5 GiB.
	maxGrown = 512 << 20
)

// partSize is the size of part number n, in bytes. It goes by how far an upload has come and not by the length that was
// announced for it, which costs a client nothing: the first 1,000 parts have Config.PartSize, and each further 1,000
// double that, up to what one upload may hold in memory.
//
// Amazon S3 lets the parts of an upload differ, so long as each but the last has at least 5 MiB, and MinIO and
// versitygw do. Cloudflare R2 demands that all but the last be equal ("All non-trailing parts must have the same
// length"), which it says only when the upload is completed: Config.EqualParts is for it.
func (s *Store) partSize(n int) int64 {
	if s.cfg.EqualParts {
		return s.cfg.PartSize
	}
	most := int64(maxGrown)
	if share := s.cfg.Memory.Share(budget.Parts); share > 0 {
		most = min(most, share)
	}
	return max(s.cfg.PartSize, min(s.cfg.PartSize<<min((n-1)/s.growEvery, 10), most))
}

// MaxSize is the size of the largest body that the store takes, in bytes: that of 10,000 parts.
func (s *Store) MaxSize() int64 { return s.maxSize }

func (s *Store) sizeOfParts() (sum int64) {
	for n := range maxParts {
		sum += s.partSize(n + 1)
	}
	return sum
}
