package access

import (
	"fmt"
	"time"

	"muniment/anchor/journal"
)

// The events of this package. None is about one document, but for a denial that is.
const (
	PrincipalCreated journal.Type[PrincipalCreatedData] = "principal.created/1"
	KeyAdded         journal.Type[KeyAddedData]         = "principal.key_added/1"
	KeyRevoked       journal.Type[KeyRevokedData]       = "principal.key_revoked/1"
	Denied           journal.Type[DeniedData]           = "access.denied/1"
)

// How a principal came to be.
const (
	OriginBootstrap = "bootstrap" // the one that a new tenant begins with
	OriginCreated   = "created"
)

// PrincipalCreatedData says that a principal exists from now on, with these roles.
type PrincipalCreatedData struct {
	Principal journal.ID `json:"principal"`
	Origin    string     `json:"origin"` // OriginBootstrap or OriginCreated
	Grants    []Grant    `json:"grants"`
}

// KeyAddedData says that an API key with this SHA-256 digest speaks for the principal.
type KeyAddedData struct {
	Principal journal.ID `json:"principal"`
	Digest    []byte     `json:"digest"` // SHA-256 of a key of 256 random bits: it cannot be guessed
}

// KeyRevokedData says that an API key speaks for nobody any more.
type KeyRevokedData struct {
	Principal journal.ID `json:"principal"`
	Digest    []byte     `json:"digest"`
}

// DeniedData says what the actor asked for and may not do. The document, if it is about one, stands in the body.
type DeniedData struct {
	Action Action `json:"action"`
	Series string `json:"series,omitempty"`
	// More is how many further refusals of the action one event stands for, of one minute in which many had an event of
	// their own already; 0 in an event that stands for itself.
	More int `json:"more,omitempty"`
}

// principal is a row of the table of principals, under the principal's id.
type principal struct {
	Tenant  string    `json:"tenant"`
	Origin  string    `json:"origin"`
	Created time.Time `json:"created"`
	Grants  []Grant   `json:"grants"`
}

// apiKey is a row of the table of keys, under the first half of the key's digest.
type apiKey struct {
	Digest    []byte     `json:"digest"`
	Principal journal.ID `json:"principal"`
}

// principals and apiKeys are the package's projections. They are values without state.
var (
	principals = journal.NewRows[principal]("principals")
	apiKeys    = journal.NewRows[apiKey]("api_keys")
)

// Definitions are the event types of this package, with their reducers.
func Definitions() []journal.Definition {
	return []journal.Definition{
		PrincipalCreated.On(func(w *journal.Writer, e journal.Entry, d PrincipalCreatedData) error {
			row := principal{Tenant: e.Tenant, Origin: d.Origin, Created: e.At, Grants: d.Grants}
			return principals.Put(w, d.Principal[:], row)
		}),
		KeyAdded.On(func(w *journal.Writer, _ journal.Entry, d KeyAddedData) error {
			if len(d.Digest) != digestSize {
				return fmt.Errorf("adding an API key: its digest has %d bytes, want %d", len(d.Digest), digestSize)
			}
			return apiKeys.Put(w, d.Digest[:keyRow], apiKey{Digest: d.Digest, Principal: d.Principal})
		}),
		KeyRevoked.On(func(w *journal.Writer, _ journal.Entry, d KeyRevokedData) error {
			if len(d.Digest) != digestSize {
				return fmt.Errorf("revoking an API key: its digest has %d bytes, want %d", len(d.Digest), digestSize)
			}
			return apiKeys.Delete(w, d.Digest[:keyRow])
		}),
		Denied.On(func(*journal.Writer, journal.Entry, DeniedData) error { return nil }),
	}
}
