package rekey

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"time"

	"muniment/anchor/journal"
	"muniment/vault/access"
	"muniment/vault/invalid"
)

// BackupVerified is the event of a backup that was read back whole. It is about no document.
const BackupVerified journal.Type[BackupVerifiedData] = "backup.verified/1"

// BackupVerifiedData says that the actor has verified a backup that holds the first Size entries of the journal, with
// all that they bind.
type BackupVerifiedData struct {
	Size  uint64       `json:"size"`
	Root  journal.Hash `json:"root"` // RFC 6962 tree hash of the first Size leaves
	Label string       `json:"label,omitempty"`
}

// Backup is a verified backup.
type Backup struct {
	Size uint64 // in entries of the journal
	Root journal.Hash
	// Label says in a word where it lies, such as "offsite": 1 to 64 of [a-z0-9-], or nothing. It stands in the body
	// for ever.
	Label string

	// The fields below are on record only.
	Index uint64    // of the event
	At    time.Time // by the clock
	Actor string
}

// maxBackups is the most that one call of Backups returns.
const maxBackups = 500

var labelPattern = regexp.MustCompile(`^[a-z0-9-]{0,64}$`)

// backups is the projection of backups, under tenant, 0, index.
var backups = journal.NewRows[Backup]("backups")

func backupKey(tenant string, index uint64) []byte {
	return binary.BigEndian.AppendUint64(tenantKey(tenant), index)
}

func reduceBackupVerified(w *journal.Writer, e journal.Entry, d BackupVerifiedData) error {
	row := Backup{Size: d.Size, Root: d.Root, Label: d.Label, Index: e.Index, At: e.Wall, Actor: e.Actor}
	if err := backups.Put(w, backupKey(e.Tenant, e.Index), row); err != nil {
		return err
	}
	return changeKey(w, e, func(key *keyRow) {
		if d.Size > key.Backup {
			key.Backup, key.BackedUp = d.Size, e.Index
		}
	})
}

// RecordBackup puts on record that who has verified a backup: access.RecordBackup is needed. Size, Root and Label of b
// count. That the backup can be read is the caller's word; that it is of this journal is checked.
//
// Errors: ErrBackup; a *invalid.Field for the label; access.ErrDenied.
func (k *Keys) RecordBackup(ctx context.Context, who access.Who, b Backup) (Backup, error) {
	if !labelPattern.MatchString(b.Label) {
		return Backup{}, fmt.Errorf("recording a backup: %w",
			&invalid.Field{Name: "label", Reason: "is not of [a-z0-9-], or longer than 64"})
	}
	if err := k.cfg.Door.Permit(ctx, who, access.RecordBackup); err != nil {
		return Backup{}, fmt.Errorf("recording a backup: %w", err)
	}
	// The log only grows, so what is true of a size now stays true.
	root, err := k.cfg.Journal.RootAt(ctx, b.Size)
	if errors.Is(err, journal.ErrNotFound) || err == nil && (b.Size == 0 || root != b.Root) {
		err = ErrBackup
	}
	if err != nil {
		return Backup{}, fmt.Errorf("recording a backup: %w", err)
	}
	out := Backup{Size: b.Size, Root: b.Root, Label: b.Label, Actor: who.Actor().ID}
	receipt, err := k.cfg.Door.Act(ctx, who, access.RecordBackup, func(journal.View) (journal.Change, error) {
		data := BackupVerifiedData{Size: b.Size, Root: b.Root, Label: b.Label}
		return journal.Change{Events: []journal.Event{BackupVerified.New(journal.ID{}, data)}}, nil
	})
	if err != nil {
		return Backup{}, fmt.Errorf("recording a backup: %w", err)
	}
	record, err := k.cfg.Journal.Record(ctx, receipt.Index)
	if err != nil {
		return Backup{}, fmt.Errorf("recording a backup: %w", err)
	}
	out.Index, out.At = receipt.Index, record.Wall
	return out, nil
}

// Backups returns up to limit (at most 500) backups on record, newest first, of those with an index smaller than
// before; 0 begins with the newest. access.ViewBackups is needed.
func (k *Keys) Backups(ctx context.Context, who access.Who, before uint64, limit int) ([]Backup, error) {
	if limit < 1 || limit > maxBackups {
		return nil, fmt.Errorf("listing backups: %w",
			&invalid.Field{Name: "limit", Reason: fmt.Sprintf("is not 1 to %d", maxBackups)})
	}
	if err := k.cfg.Door.Permit(ctx, who, access.ViewBackups); err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	rg := journal.Prefix(tenantKey(who.Tenant))
	rg.Reverse = true
	if before > 0 {
		rg.To = backupKey(who.Tenant, before)
	}
	var out []Backup
	err := k.cfg.Journal.View(ctx, func(r journal.Reader) error {
		out = nil
		return backups.Scan(r, rg, func(_ []byte, b Backup) error {
			if len(out) == limit {
				return journal.Stop
			}
			out = append(out, b)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	return out, nil
}
