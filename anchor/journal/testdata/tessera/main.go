// Command tessera checks a log over HTTP with code that is not ours: the client and the checker of
// github.com/transparency-dev/tessera. It reads every entry bundle and tile (C2SP tlog-tiles), derives the tree again,
// and compares it with the signed checkpoint. It exits 0 if all agrees, 1 if not, and 3 if it is not used as it should.
//
// It is a module of its own so that the program does not depend on what only its tests need.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tessera <base URL, ending in a slash> <verifier key>")
		os.Exit(3)
	}
	if err := check(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check calls the checker's package. Its command exits 0 on a log that is garbage.
func check(ctx context.Context, base, key string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return fmt.Errorf("reading the verifier key: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("reading the base URL: %w", err)
	}
	log, err := client.NewHTTPFetcher(u, nil)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	raw, err := log.ReadCheckpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	follower, err := client.NewLogStateTracker(ctx, log.ReadTile, raw, verifier, verifier.Name(),
		client.UnilateralConsensus(log.ReadCheckpoint))
	if err != nil {
		return fmt.Errorf("following the log: %w", err)
	}
	first := follower.Latest()
	if err := proveInclusion(ctx, log, first.Size, first.Hash); err != nil {
		return err
	}
	if err := fsck.New(verifier.Name(), verifier, log, leafHashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
		return fmt.Errorf("checking the log: %w", err)
	}
	// If the log has grown meanwhile, this checks that it has only grown.
	if _, _, _, err := follower.Update(ctx); err != nil {
		return fmt.Errorf("following the log: %w", err)
	}
	fmt.Printf("checked %d to %d entries of %s\n", first.Size, follower.Latest().Size, first.Origin)
	return nil
}

// proveInclusion lets the client prove some entries from the tiles alone.
func proveInclusion(ctx context.Context, log *client.HTTPFetcher, size uint64, root []byte) error {
	builder, err := client.NewProofBuilder(ctx, size, log.ReadTile)
	if err != nil {
		return fmt.Errorf("reading the tree's edge: %w", err)
	}
	for _, index := range []uint64{0, size / 3, size / 2, size - 1} {
		bundle, err := client.GetEntryBundle(ctx, log.ReadEntryBundle, index/256, size)
		if err != nil {
			return fmt.Errorf("reading entry %d: %w", index, err)
		}
		path, err := builder.InclusionProof(ctx, index)
		if err != nil {
			return fmt.Errorf("proving entry %d: %w", index, err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf, path, root); err != nil {
			return fmt.Errorf("verifying entry %d: %w", index, err)
		}
	}
	return nil
}

// leafHashes gives the RFC 6962 leaf hashes of an entry bundle.
func leafHashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(entries.Entries))
	for i, e := range entries.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}
