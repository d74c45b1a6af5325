package node

import (
	"context"
	"log/slog"
	"time"

	"muniment/anchor/journal"
	"muniment/gateway"
)

// warnEvery is how often the log warns of a founding or a recovery that is under way.
const warnEvery = 24 * time.Hour

// warnOfFoundings warns of tenants that are being founded, or in which the operator replaces people: the log has it for
// as long as that goes on, where no metrics are watched.
func (n *Node) warnOfFoundings(ctx context.Context, log *slog.Logger) {
	err := n.Journal.View(ctx, func(r journal.Reader) error {
		tenancies, err := n.Authority().Tenancies(r)
		for _, one := range tenancies {
			if one.Founding != nil {
				name, detail, fix := gateway.TenancyCaution(one)
				log.WarnContext(ctx, "a "+name+" is under way: "+detail, "do", fix)
			}
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "whether a founding or a recovery is under way could not be read", "error", err)
	}
}
