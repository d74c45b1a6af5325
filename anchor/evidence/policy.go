package evidence

import (
	"errors"
	"fmt"
)

// Limits of a policy.
const (
	maxPolicy  = 1 << 20
	maxEntries = 256
)

// Policy is what an auditor trusts, written down before looking at any evidence: whose signatures, and which ledgers.
type Policy struct {
	V       int      `json:"v"` // Version
	Origins []Origin `json:"origins"`
	Ledgers []Pin    `json:"ledgers"`
	Require int      `json:"require"` // how many of the ledgers must have the checkpoint, at least 1
}

// Origin is a log, and the keys that may sign for it.
type Origin struct {
	Origin string   `json:"origin"`
	Keys   []string `json:"keys"` // note verifier keys, "name+hash+key"; the name is the origin
	// Until is the size up to which the log counts, where it has ended; nil for one that goes on. The history above
	// it was lost, and goes on without it under another origin.
	Until *uint64 `json:"until,omitempty"`
}

// Pin is a ledger, and what makes its word trustworthy without asking anybody.
type Pin struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Pin  string `json:"pin"` // kind local: the ledger's note verifier key, whose name is the id
}

// ParsePolicy reads a policy as strictly as Parse reads evidence: a slip in it could mean a yes that the auditor did
// not mean. Ledgers of kinds that this program does not know are accepted; their anchors cannot be told.
func ParsePolicy(data []byte) (*Policy, error) {
	p := new(Policy)
	if err := decode(data, maxPolicy, Version, p); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return p, nil
}

// MarshalPolicy writes a policy, indented and with a newline at the end.
func MarshalPolicy(p Policy) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("writing a policy: %w", err)
	}
	return write(p)
}

func (p *Policy) check() error {
	switch {
	case p.V != Version:
		return fmt.Errorf("v is not %d", Version)
	case len(p.Origins) == 0 || len(p.Origins) > maxEntries:
		return fmt.Errorf("there are not 1 to %d origins", maxEntries)
	case len(p.Ledgers) > maxEntries:
		return fmt.Errorf("there are more than %d ledgers", maxEntries)
	case p.Require < 1:
		return errors.New("require is not at least 1: without a ledger, a log is only its operator's word")
	case p.Require > len(p.Ledgers):
		return fmt.Errorf("require is %d, but only %d ledgers are listed", p.Require, len(p.Ledgers))
	}
	origins := map[string]bool{}
	for i, o := range p.Origins {
		if origins[o.Origin] {
			return fmt.Errorf("origins[%d] stands there twice", i)
		}
		origins[o.Origin] = true
		if err := o.check(); err != nil {
			return fmt.Errorf("origins[%d]: %w", i, err)
		}
	}
	ledgers := map[[2]string]bool{}
	for i, l := range p.Ledgers {
		if ledgers[[2]string{l.Kind, l.ID}] {
			return fmt.Errorf("ledgers[%d] stands there twice", i)
		}
		ledgers[[2]string{l.Kind, l.ID}] = true
		if err := l.check(); err != nil {
			return fmt.Errorf("ledgers[%d]: %w", i, err)
		}
	}
	return nil
}

func (o Origin) check() error {
	if !isName(o.Origin) {
		return errors.New("origin is not a key name")
	}
	if len(o.Keys) == 0 || len(o.Keys) > maxEntries {
		return fmt.Errorf("there are not 1 to %d keys", maxEntries)
	}
	if o.Until != nil && *o.Until == 0 {
		return errors.New("until is 0: a log that counts for nothing is left out")
	}
	seen := map[string]bool{}
	for _, key := range o.Keys {
		verifier, err := parseKey(key)
		if err != nil {
			return err
		}
		if verifier.Name() != o.Origin {
			return errors.New("a key's name is not the origin")
		}
		if seen[key] {
			return errors.New("a key stands there twice")
		}
		seen[key] = true
	}
	return nil
}

func (l Pin) check() error {
	if l.Kind == "" || len(l.Kind) > maxName || l.ID == "" || len(l.ID) > maxName || l.Pin == "" {
		return errors.New("kind, id or pin is empty or too long")
	}
	k, known := kinds[l.Kind]
	if !known {
		return nil
	}
	return k.checkPin(l.ID, l.Pin)
}

// origin is what the policy trusts of a log; nil if it does not name it.
func (p *Policy) origin(name string) *Origin {
	for i := range p.Origins {
		if p.Origins[i].Origin == name {
			return &p.Origins[i]
		}
	}
	return nil
}

// pin is what the policy pins for a ledger; ok is false if it does not list it.
func (p *Policy) pin(kind, id string) (pin string, ok bool) {
	for _, l := range p.Ledgers {
		if l.Kind == kind && l.ID == id {
			return l.Pin, true
		}
	}
	return "", false
}
