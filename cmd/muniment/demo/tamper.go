package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"muniment/anchor/bounded"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/cmd/muniment/fsck"
	"muniment/cmd/muniment/node"
	"muniment/cmd/muniment/remote"
	"muniment/vault/objects/dir"
)

// tamper shows what a copy is good for whose owner has changed it: nothing. One document's stored object has a bit
// flipped; another document's body in the log is replaced by a third one's.
func (d *demo) tamper(ctx context.Context) (err error) {
	if err := d.stop(); err != nil {
		return err
	}
	copied, err := os.MkdirTemp(d.dir, "tampered-*")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(copied)) }()
	if err := copyTree(copied, d.data()); err != nil {
		return fmt.Errorf("copying the data: %w", err)
	}
	flipped, swapped, other := d.choose()
	if err := d.change(ctx, node.Folder(copied), flipped, swapped, other); err != nil {
		return fmt.Errorf("tampering with the copy: %w", err)
	}
	d.say("\nSomebody tampers with a copy of the data\n")
	d.line("flipped", "one bit of the stored object of "+flipped.title)
	if swapped != nil {
		d.line("swapped", "the body of "+swapped.title+" for that of "+other.title)
	}
	d.say("")
	if err := d.start(ctx, copied); err != nil {
		return fmt.Errorf("serving the copy: %w", err)
	}
	err = d.readTampered(ctx, flipped, swapped)
	if err := errors.Join(err, d.stop()); err != nil {
		return err
	}
	if swapped != nil {
		if err := d.verifySwapped(swapped, other); err != nil {
			return err
		}
	}
	return d.checkTampered(ctx, node.Folder(copied), flipped, swapped)
}

// choose are three documents with content, or fewer where there are not so many.
func (d *demo) choose() (flipped, swapped, other *document) {
	n := len(d.documents)
	flipped = d.documents[0]
	empty := sha256.Sum256(nil)
	for _, p := range d.documents {
		if !bytes.Equal(p.digest, empty[:]) {
			flipped = p
			break
		}
	}
	if n < 2 {
		return flipped, nil, nil
	}
	return flipped, d.documents[n-1], d.documents[n/2-1]
}

// change changes the copy behind the program's back.
func (d *demo) change(ctx context.Context, f node.Folder, flipped, swapped, other *document) (err error) {
	s, err := node.OpenStorage(ctx, node.Embedded(f), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	all := map[string]fsck.Object{}
	for next := make([]byte, 8); next != nil; {
		var some []fsck.Object
		if some, next, err = fsck.StoredObjects(ctx, s.Backend, next); err != nil {
			return err
		}
		for _, one := range some {
			all[one.Document.String()] = one
		}
	}
	object := all[flipped.id]
	path, err := s.Objects.(*dir.Store).Path(ctx, object.Key, object.Version)
	if err != nil {
		return err
	}
	if err := flipMiddle(path); err != nil || swapped == nil {
		return err
	}
	at, from, err := indexes(swapped, other)
	if err != nil {
		return err
	}
	return s.Backend.Update(ctx, func(tx journal.Txn) error {
		row, err := tx.Get(fsck.BodyTable(), from)
		if err != nil {
			return err
		}
		return tx.Put(fsck.BodyTable(), at, bytes.Clone(row))
	})
}

// indexes are the keys of the deposits of two documents, as their evidence has them.
func indexes(a, b *document) (keyA, keyB []byte, err error) {
	var keys [2][]byte
	for i, p := range []*document{a, b} {
		f, err := evidence.Parse(p.evidence)
		if err != nil {
			return nil, nil, err
		}
		keys[i] = binary.BigEndian.AppendUint64(nil, f.Bodies[0].Index)
	}
	return keys[0], keys[1], nil
}

func flipMiddle(path string) error {
	content, err := bounded.ReadFile(path, bounded.Small)
	if err != nil {
		return err
	}
	content[len(content)/2] ^= 0x10
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// readTampered asks the copy's server for both.
func (d *demo) readTampered(ctx context.Context, flipped, swapped *document) error {
	err := d.remote.Read(ctx, flipped.id, remote.ReadOptions{Purpose: "demo"}, io.Discard)
	if err == nil {
		return errors.New("the flipped bit was NOT caught: the server serves the document")
	}
	d.line("read", "caught: "+err.Error())
	if swapped == nil {
		return nil
	}
	if _, err = d.remote.Evidence(ctx, swapped.id, true); err == nil {
		return errors.New("the swapped body was NOT caught: the server proves it")
	}
	d.line("evidence", "caught: it is not proved: "+err.Error())
	return nil
}

// verifySwapped puts the same lie into the evidence file that was issued before.
func (d *demo) verifySwapped(swapped, other *document) error {
	mine, err := evidence.Parse(swapped.evidence)
	if err != nil {
		return err
	}
	theirs, err := evidence.Parse(other.evidence)
	if err != nil {
		return err
	}
	mine.Bodies[0].Body, mine.Bodies[0].Nonce = theirs.Bodies[0].Body, theirs.Bodies[0].Nonce
	file, err := evidence.Marshal(*mine)
	if err != nil {
		return err
	}
	return d.caught("verify", file, swapped)
}

// caught runs the verifier over a forged evidence file, and names the steps that do not hold.
func (d *demo) caught(what string, file []byte, p *document) error {
	report := evidence.Verify(evidence.Input{Evidence: file, Digest: p.digest, Policy: d.policy})
	if report.Verdict == evidence.Verified {
		return errors.New("the swapped body was NOT caught: the verifier accepts it")
	}
	var steps []string
	var why string
	for _, s := range report.Steps {
		if s.State == evidence.DoesNotHold {
			steps, why = append(steps, s.Name), s.Why
		}
	}
	if len(steps) == 0 {
		return fmt.Errorf("the verifier names no step: %s", report.Summary)
	}
	d.line(what, fmt.Sprintf("caught at step %s: %s", strings.Join(steps, " and "), why))
	return nil
}

// checkTampered checks the copy as an operator would.
func (d *demo) checkTampered(ctx context.Context, f node.Folder, flipped, swapped *document) error {
	result, err := fsck.Check(ctx, node.Embedded(f), true, true)
	if err != nil {
		return fmt.Errorf("checking the copy: %w", err)
	}
	object, body := false, swapped == nil
	for _, f := range result.Findings {
		if f.Where == fsck.ObjectsTable {
			object = true
		} else {
			body = true
		}
		d.line("fsck", fmt.Sprintf("caught: %s %s %s", f.Where, f.Key, f.Problem))
	}
	if !object || !body {
		return errors.New("fsck has NOT caught both")
	}
	return nil
}

// copyTree copies the regular files of a folder, with their modes.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return copyRegular(target, path, info.Mode())
	})
}

func copyRegular(to, from string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
