package gateway

import (
	"encoding/base64"
	"net/http"

	"muniment/anchor/journal"
	"muniment/gateway/problem"
	"muniment/openapi"
	"muniment/vault/rekey"
)

// Pages of a listing of backups.
const (
	defaultBackups = 50
	maxBackups     = 500
)

func (s *Server) listBackups(r *request) error {
	before, err := r.number("before", 0, 0, maxNumber)
	if err != nil {
		return err
	}
	limit, err := r.number("limit", defaultBackups, 1, maxBackups)
	if err != nil {
		return err
	}
	list, err := s.cfg.Keys.Backups(r.Request().Context(), r.who, before, int(limit))
	if err != nil {
		return err
	}
	ids := make([]string, len(list))
	for i, one := range list {
		ids[i] = one.Actor
	}
	names := s.names(r, ids...)
	out := openapi.BackupList{Backups: make([]openapi.Backup, len(list))}
	for i, one := range list {
		out.Backups[i] = backup(names, one)
	}
	return r.reply(http.StatusOK, out)
}

func (s *Server) recordBackup(r *request) error {
	var in openapi.NewBackup
	if err := s.json(r, &in); err != nil {
		return err
	}
	root, err := base64.StdEncoding.Strict().DecodeString(in.Root)
	if err != nil || len(root) != len(journal.Hash{}) {
		return problem.New(problem.BadRequest, "root wants 32 bytes in standard base64.")
	}
	wanted := rekey.Backup{Size: in.Size, Root: journal.Hash(root)}
	if in.Label != nil {
		wanted.Label = *in.Label
	}
	recorded, err := s.cfg.Keys.RecordBackup(r.Request().Context(), r.who, wanted)
	if err != nil {
		return err
	}
	return r.reply(http.StatusCreated, backup(s.names(r, recorded.Actor), recorded))
}

func backup(names names, b rekey.Backup) openapi.Backup {
	return openapi.Backup{
		Index: b.Index, Size: b.Size, Root: b.Root.String(), Label: optional(b.Label), At: b.At, Actor: b.Actor,
		ActorName: names.of(b.Actor),
	}
}
