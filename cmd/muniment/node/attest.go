package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/config"
	"muniment/vault/objects"
)

// storeName names the documents' store in attestations: its kind and, of one on S3, a digest of server and bucket.
func storeName(c config.Storage) string {
	if c.Kind != config.StorageS3 {
		return c.Kind
	}
	digest := sha256.Sum256([]byte(strings.TrimRight(c.S3.Endpoint, "/") + "/" + c.S3.Bucket))
	return c.Kind + "/" + hex.EncodeToString(digest[:8])
}

// Attestor tries what a store enforces; nil for a folder, whose locks are this program's own rule.
func Attestor(c config.Storage, s objects.Store) func(context.Context) (objects.Attestation, error) {
	if c.Kind != config.StorageS3 {
		return nil
	}
	return func(ctx context.Context) (objects.Attestation, error) {
		return objects.Attest(ctx, s, objects.AttestConfig{Clock: journal.SystemClock{}, Rand: rand.Reader})
	}
}
