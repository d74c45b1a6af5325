package gateway

import (
	"context"
	"net/http"
	"time"

	"muniment/openapi"
)

// attestTime is how long the store may take to be tried.
const attestTime = time.Minute

func (s *Server) attest(r *request) error {
	ctx, cancel := context.WithTimeout(r.Request().Context(), attestTime)
	defer cancel()
	found, err := s.cfg.Vault.Attest(ctx, r.who)
	if err != nil {
		return err
	}
	out := openapi.Attestation{Store: found.Store, Immutable: found.Immutable, Index: found.Index}
	if t := found.Trial; t != nil {
		out.Trial = &openapi.StorageTrial{
			Key: t.Key, Version: t.Version, Until: t.Until, Locks: t.Locks, RefusesDelete: t.RefusesDelete,
			RefusesShorter: t.RefusesShorter, KeepsVersions: t.KeepsVersions,
		}
	}
	return r.reply(http.StatusOK, out)
}
