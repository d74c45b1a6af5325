package vault_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/anchor/journal"
	"muniment/retention"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/objects"
	"muniment/vault/rekey"
)

var update = flag.Bool("update", false, "write the golden files of new event types")

// golden has an event of every type that the vault, access and retention define.
func golden() map[string]any {
	id := journal.ID{0x01, 0x90, 0xb5, 0xa0, 0x7c, 0x1e, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}
	note := journal.ID{0x01, 0x90, 0xb5, 0xa0, 0x7c, 0x1e, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}
	until := time.Date(2033, 9, 30, 0, 0, 0, 0, time.UTC)
	digest := bytes.Repeat([]byte{0xab}, 32)
	return map[string]any{
		"access.contradicted/1": access.ContradictedData{Table: "p.api_keys", Row: "00ff"},
		"access.denied/1":       access.DeniedData{Action: access.Read, Series: "default"},
		"principal.created/1": access.PrincipalCreatedData{
			Principal: id, Origin: access.OriginCreated,
			Grants: []access.Grant{{Role: access.Auditor}, {Role: access.ReaderRole, Series: "a"}},
		},
		"principal.named/1":       access.PrincipalNamedData{Principal: id, Name: note, Former: &id},
		"principal.code_issued/1": access.CodeIssuedData{Principal: id, Digest: digest, Lapses: until},
		"principal.key_added/1":   access.KeyAddedData{Principal: id, Digest: digest, Claimed: true},
		"grants.given/1": access.GrantsGivenData{
			Principal: id, Grants: []access.Grant{{Role: access.Auditor}},
		},
		"grants.proposed/1": access.GrantsProposedData{ID: note, Principal: id, Lapses: until,
			Grants: []access.Grant{{Role: access.ReaderRole, Series: "a"}}},
		"grants.approved/1": access.GrantsApprovedData{ID: note, Principal: id,
			Grants: []access.Grant{{Role: access.Auditor}}, Keys: [][]byte{digest}, Digest: digest},
		"grants.declined/1": access.GrantsDeclinedData{ID: note, Principal: id},
		"grants.revoked/1": access.GrantsRevokedData{Principal: id,
			Grants: []access.Grant{{Role: access.Auditor}}},
		"tenant.trial_begun/1": access.TrialBegunData{},
		"tenant.founding_begun/1": access.FoundingBegunData{Administrator: id, Approver: note, NotBefore: &until,
			Lapses: &until},
		"tenant.founding_stopped/1": access.FoundingStoppedData{},
		"tenant.founded/1":          access.TenantFoundedData{Administrator: id, Approver: note},
		"principal.key_revoked/1":   access.KeyRevokedData{Principal: id, Digest: digest},
		"series.created/1":          retention.SeriesCreatedData{Code: "default", Default: true, Immutable: true},
		"tenant.created/1":          vault.TenantCreatedData{IndexKey: id},
		"document.deposited/1": vault.DocumentDepositedData{
			Series: "default", Scheduled: true, RetainUntil: &until, LockDue: until.AddDate(-7, 0, 0),
			RecordDate: "2026-01-31", Size: 12,
			LedgerRefs: []vault.LedgerRef{{Chain: "eip155:1", Transaction: "0xabc", Role: "invoice"}},
			Commitment: digest,
			Object:     vault.StoredObject{Key: "default/ab", Version: "1", Size: 68, SHA256: digest, CRC32C: 1},
		},
		"purposes.set/1":       vault.PurposesSetData{Purposes: []string{"audit", "court-order"}},
		"document.read/1":      vault.DocumentReadData{Purpose: "audit", Note: &note},
		"document.served/1":    vault.DocumentServedData{Read: 7, Bytes: 12, Reads: 2, Broken: 1},
		"document.described/1": vault.DocumentDescribedData{},
		"documents.listed/1":   vault.DocumentsListedData{Count: 2, Root: digest, Nonce: digest[:16]},
		"document.compared/1":  vault.DocumentComparedData{Same: true},
		"journal.consulted/1":  access.ConsultedData{What: "feed"},
		"evidence.issued/1":    vault.EvidenceIssuedData{Disclosed: true},
		"object.damaged/1":     vault.ObjectDamagedData{Key: "default/ab", Version: "1", Found: "segment"},
		"object.abandoned/2":   vault.ObjectsAbandonedData{Keys: []string{"default/ab", "default/cd"}},
		"document.erased/1": vault.DocumentErasedData{
			Authority: "GRS-3.2-010", KeyVersion: 2, Tombstone: true, Removable: &until, Held: true,
		},
		"tombstone.erased/1": vault.TombstoneErasedData{Authority: "order-7"},
		"object.erased/1":    vault.ObjectErasedData{Key: "default/ab", Version: "1"},
		"backup.verified/1": rekey.BackupVerifiedData{Size: 12, Root: journal.Hash(digest),
			Label: "offsite"},
		"key.rotated/1":          rekey.KeyRotatedData{Version: 2},
		"key.rewrap_begun/1":     rekey.KeyRewrapBegunData{Version: 2},
		"keys.rewrapped/1":       rekey.KeysRewrappedData{Version: 2, Rows: [][]byte{{1, 2, 3}}},
		"key.rewrap_completed/1": rekey.KeyRewrapCompletedData{Version: 2, Count: 2048},
		"key.trim_proposed/1": rekey.KeyTrimProposedData{ID: id, Oldest: 2, NotBefore: until,
			Lapses: until.AddDate(0, 0, 90)},
		"key.trim_approved/1":           rekey.KeyTrimApprovedData{ID: id, Lapses: until.AddDate(0, 0, 90)},
		"key.trim_begun/1":              rekey.KeyTrimBegunData{ID: id},
		"key.trim_refused/1":            rekey.KeyTrimRefusedData{ID: id},
		"key.trimmed/1":                 rekey.KeyTrimmedData{ID: id, Oldest: 2},
		"documents.erased_in_backups/1": rekey.ErasedInBackupsData{ID: id, Before: 2, Count: 3},
		"locks.behind/1":                vault.LocksBehindData{Count: 1000, Since: until},
		"locks.caught_up/1":             vault.LocksCaughtUpData{},
		"object.unknown/1": vault.ObjectsUnknownData{Since: 7, Objects: 2, Bytes: 136, Oldest: until,
			Newest: until.Add(time.Minute)},
		"journal.restored/1": vault.JournalRestoredData{Size: 7,
			Outside: []vault.OutsideHead{{From: "the locked checkpoint in the documents' store", Size: 6}}},
		"storage.attested/1": vault.StorageAttestedData{Store: "s3/5feceb66ffc86f38", Immutable: true,
			Trial: &objects.Attestation{
				Key: "muniment-probe/attest-ab", Version: "1", SHA256: digest, Until: until, Replaced: "2",
				Locks: true, RefusesDelete: true, RefusesShorter: true, KeepsVersions: true,
			}},
	}
}

// The data of each event type is written as the golden file has it, and what was written once is read with the same
// meaning.
func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	samples := golden()
	for _, d := range append(vault.Definitions(), retention.Definitions()...) {
		sample, ok := samples[d.Type]
		if !ok {
			t.Errorf("%s has no golden file", d.Type)
			continue
		}
		delete(samples, d.Type)
		got, err := json.Marshal(sample)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "events", strings.ReplaceAll(d.Type, "/", ".v")+".json")
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want = bytes.TrimSuffix(want, []byte("\n"))
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is written otherwise (-golden +written):\n%s", d.Type, diff)
		}
		if diff := cmp.Diff(sample, readAs(t, sample, want)); diff != "" {
			t.Errorf("%s is read otherwise (-written +read):\n%s", d.Type, diff)
		}
	}
	for kind := range samples {
		t.Errorf("%s is not defined", kind)
	}
}

// readAs reads JSON into a value of the sample's type, strictly.
func readAs(t *testing.T, sample any, raw []byte) any {
	t.Helper()
	into := reflect.New(reflect.TypeOf(sample))
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into.Interface()); err != nil {
		t.Fatal(err)
	}
	return into.Elem().Interface()
}
