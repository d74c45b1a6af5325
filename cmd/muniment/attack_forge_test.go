package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"muniment/anchor/journal"
	"muniment/anchor/journal/journaltest"
	"muniment/anchor/journal/memory"
	"muniment/cmd/muniment/node"
	"muniment/vault/access"
)

// The journal's own tables that a forger writes to.
var (
	headTable     = journal.Table{Kind: journal.Log, Name: "head"}
	headRow       = []byte("head")
	shippingTable = journal.Table{Kind: journal.Volatile, Name: "shipping_key"}
	shippedTable  = journal.Table{Kind: journal.Volatile, Name: "shipped"}
)

// forger is the shipping key of somebody who has the program and every format, but not the journal's key.
type forger struct{ secret [32]byte }

// payload is the key as the journal with the id would have it wrapped.
func (f forger) payload(id journal.ID) []byte {
	out := append([]byte("muniment shipping key 1\n"), id[:]...)
	out = binary.BigEndian.AppendUint32(out, 1)
	return append(out, f.secret[:]...)
}

// authenticate ends a head row with an HMAC under the forger's key.
func (f forger) authenticate(row []byte) ([]byte, error) {
	var head map[string]json.RawMessage
	if err := json.Unmarshal(row, &head); err != nil {
		return nil, err
	}
	delete(head, "mac")
	head["key"] = json.RawMessage("1")
	object, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	covered := object[:len(object)-1]
	h := hmac.New(sha256.New, f.secret[:])
	h.Write([]byte("muniment head row\x00"))
	h.Write(covered)
	return append(append(covered, `,"mac":"`...),
		base64.StdEncoding.EncodeToString(h.Sum(nil))+`"}`...), nil
}

// silentSigner has the public key of the journal's signer, and cannot sign.
type silentSigner struct{ public []byte }

func (silentSigner) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("the key is not his")
}
func (s silentSigner) PublicKey() []byte { return s.public }

// publicKey is the key that signs the journal's checkpoints.
func (s *site) publicKey() []byte {
	s.t.Helper()
	policy, err := node.ReadPolicy(s.facts.now)
	s.must(err)
	key := policy.Origins[0].Keys[0]
	_, rest, _ := strings.Cut(key, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	s.must(err)
	return raw[1:]
}

// goOn goes on with the journal of a backend as the program itself would, but under the forger's key: an intruder is
// made a principal who may do everything. It returns what was shipped.
func (s *site) goOn(backend journal.Backend) map[string][]byte {
	s.t.Helper()
	var f forger
	ctx, service := s.t.Context(), journaltest.NamedKeys("forger")
	wrapped, err := service.Wrap(ctx, f.payload(s.facts.journal))
	s.must(err)
	s.must(backend.Update(ctx, func(tx journal.Txn) error {
		row, err := tx.Get(headTable, headRow)
		if err != nil {
			return err
		}
		if row, err = f.authenticate(row); err != nil {
			return err
		}
		number := binary.BigEndian.AppendUint64(nil, 1)
		return errors.Join(tx.Put(headTable, headRow, row), tx.Put(shippingTable, number, []byte(wrapped)),
			tx.Delete(shippedTable, []byte("size")))
	}))
	bucket := journaltest.NewBucket(silentReporter{})
	j, err := journal.Open(ctx, journal.Config{
		Backend: unclosed{backend}, Bucket: bucket, Signer: silentSigner{s.publicKey()}, Clock: journal.SystemClock{},
		Rand: journaltest.Rand(1), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Definitions: node.Definitions(),
		ID: s.facts.journal, ShippingKeys: service, Remembered: journaltest.Must(os.ReadFile(s.folder.Checkpoint())),
	})
	s.must(err)
	digest := s.facts.forged.Digest()
	key := access.KeyAddedData{Principal: s.facts.intruderID, Digest: digest[:]}
	receipt, err := j.Commit(ctx, journal.Actor{Tenant: "default", ID: access.BootstrapActor},
		func(journal.View) (journal.Change, error) {
			return journal.Change{Events: []journal.Event{
				access.PrincipalCreated.New(journal.ID{}, access.PrincipalCreatedData{Principal: s.facts.intruderID,
					Origin: access.OriginBootstrap, Grants: []access.Grant{{Role: access.ReaderRole}}}),
				access.KeyAdded.New(journal.ID{}, key),
			}}, nil
		})
	s.must(err)
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	s.must(errors.Join(j.Shipped(wait, receipt), j.Close()))
	return bucket.Objects()
}

// forgeBucket makes a release bucket that goes on with the journal's history, as far as everybody can read it there.
func (s *site) forgeBucket() (forged map[string][]byte) {
	s.t.Helper()
	s.inBucket(func(ctx context.Context, b journal.Bucket) {
		head, err := journal.ReadReleased(ctx, b, nil)
		s.must(err)
		scratch := memory.New(memory.Config{})
		_, err = journal.CheckReleased(ctx, journal.CheckConfig{Bucket: b, Head: head, Definitions: node.Definitions(),
			Scratch: scratch})
		s.must(err)
		forged = s.goOn(scratch)
	})
	return forged
}

// unclosed is a backend that outlives a journal.
type unclosed struct{ journal.Backend }

func (unclosed) Close() error { return nil }

// silentReporter reports nothing: what a forger writes need not keep the rules of a release bucket.
type silentReporter struct{}

func (silentReporter) Helper()               {}
func (silentReporter) Errorf(string, ...any) {}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
