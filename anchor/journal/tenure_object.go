package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// tenureObjectName is the name of the lease in the release bucket.
	tenureObjectName = "lease"
	tenureVersion    = 1
)

// tenureObject is the lease as it stands in the release bucket. It says who may write there, not until when: the one
// who waits for its end measures a whole term by a clock of its own, during which neither this object nor the head has
// changed.
//
// It has no HMAC: who can write it can halt a server, as the bucket's owner can anyway, or let a copy begin within the
// server's last term, for which an earlier lease that was given back, put back under its HMAC, would serve as well.
type tenureObject struct {
	V       int `json:"v"`
	Journal ID  `json:"journal"`
	// Holder is a digest of the database and of the place where it lies.
	Holder string `json:"holder"`
	// Tenure is drawn anew by each one who takes the lease from another holder. The head names it too.
	Tenure ID `json:"tenure"`
	// N grows with every write, so that the object is never the same twice.
	N uint64 `json:"n"`
	// Ended says that the holder has stopped and given the lease back.
	Ended bool `json:"ended,omitempty"`

	tag string // as it stands in the bucket; empty when there is none
}

// readTenure reads the lease. Where there is none it returns one of no holder, without a tag.
func readTenure(ctx context.Context, b Bucket) (tenureObject, error) {
	raw, tag, err := b.Get(ctx, tenureObjectName)
	if errors.Is(err, ErrNoObject) {
		return tenureObject{}, nil
	}
	if err != nil {
		return tenureObject{}, fmt.Errorf("reading the lease: %w", err)
	}
	var o tenureObject
	if err := json.Unmarshal(raw, &o); err != nil {
		// Somebody has written over it. It is as good as a lease of an unknown holder, whose term has to be waited for.
		return tenureObject{tag: tag}, nil
	}
	if o.V > tenureVersion {
		return tenureObject{}, fmt.Errorf("the lease in the release bucket is of format %d, this program knows %d: a "+
			"newer program is needed", o.V, tenureVersion)
	}
	o.tag = tag
	return o, nil
}

// write writes the lease over the one that it was read as, and sets its new tag.
func (o *tenureObject) write(ctx context.Context, b Bucket) error {
	o.V = tenureVersion
	o.N++
	raw, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("writing the lease: %w", err)
	}
	tag, err := b.Put(ctx, tenureObjectName, raw, o.tag)
	if err != nil {
		return fmt.Errorf("writing the lease: %w", err)
	}
	o.tag = tag
	return nil
}
