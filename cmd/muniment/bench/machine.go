package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"muniment/cmd/muniment/bench/measure"
)

// machine measures the limits that the other figures stand beside, in the same run: they move with the machine's load.
func (b *bench) machine(ctx context.Context, dir string) error {
	if err := b.syncs(ctx, dir); err != nil {
		return err
	}
	if err := b.bareCommits(ctx, dir); err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	if err := b.throughput(ctx, "SHA-256, one core", len(block), func() { sha256.Sum256(block) }); err != nil {
		return err
	}
	key, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return fmt.Errorf("making a cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(key)
	if err != nil {
		return fmt.Errorf("making a cipher: %w", err)
	}
	nonce, out := make([]byte, gcm.NonceSize()), make([]byte, 0, len(block)+gcm.Overhead())
	return b.throughput(ctx, "AES-256-GCM, one core", len(block), func() { gcm.Seal(out, nonce, block, nil) })
}

// syncs measures what one durable write of a file system costs at the least.
func (b *bench) syncs(ctx context.Context, dir string) (err error) {
	f, err := os.Create(filepath.Join(dir, "syncs"))
	if err != nil {
		return fmt.Errorf("measuring syncs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, 4<<10)
	r, err := measure.Repeat(ctx, 1, measure.For(b.each), func(context.Context, int) error {
		_, err := f.Write(page)
		return errors.Join(err, f.Sync())
	})
	b.addRate("machine", "write and fsync of 4 KiB", "syncs", r)
	return err
}

// bareCommits measures transactions of one small row with the database that the journal stands on, and nothing above
// it.
func (b *bench) bareCommits(ctx context.Context, dir string) (err error) {
	db, err := bbolt.Open(filepath.Join(dir, "bare.db"), 0o600,
		&bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("measuring bbolt: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r, err := measure.Repeat(ctx, 1, measure.For(b.each), func(_ context.Context, n int) error {
		return db.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
			if err != nil {
				return err
			}
			return rows.Put(fmt.Appendf(nil, "%012d", n), make([]byte, 500))
		})
	})
	b.addRate("machine", "bbolt alone, one row of 500 bytes a commit", "commits", r)
	return err
}

func (b *bench) throughput(ctx context.Context, what string, size int, do func()) error {
	r, err := measure.Repeat(ctx, 1, measure.For(b.each/3), func(context.Context, int) error {
		do()
		return nil
	})
	b.add("machine", what, float64(len(r.Took))*float64(size)/1e6/r.Elapsed.Seconds(), "MB/s")
	return err
}
