package access

import (
	"bytes"
	"errors"
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
	Contradicted     journal.Type[ContradictedData]     = "access.contradicted/1"
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

// ContradictedData says that a row which nobody but this program writes is not what the events say: somebody else has
// written to the database. It granted nothing.
type ContradictedData struct {
	Table string `json:"table"`
	Row   string `json:"row"` // its key, in hexadecimal digits
}

// principal is a row of the table of principals, under the principal's id.
type principal struct {
	Tenant  string    `json:"tenant"`
	Origin  string    `json:"origin"`
	Created time.Time `json:"created"`
	Grants  []Grant   `json:"grants"`
	Keys    int       `json:"keys,omitempty"`    // how many API keys speak for it
	Revoked bool      `json:"revoked,omitempty"` // it had keys, and the last of them was revoked
}

func newPrincipal(e journal.Entry, d PrincipalCreatedData) principal {
	return principal{Tenant: e.Tenant, Origin: d.Origin, Created: e.At, Grants: d.Grants}
}

func (p principal) withKey() principal {
	p.Keys, p.Revoked = p.Keys+1, false
	return p
}

func (p principal) withoutKey() principal {
	p.Keys--
	p.Revoked = p.Keys == 0
	return p
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

// The faults of an event about principals and keys, which no log holds.
var (
	errPrincipalTwice = errors.New("there is a principal with this id already")
	errNoPrincipal    = errors.New("there is no such principal")
	errKeyTwice       = errors.New("there is an API key with the first half of this digest already")
	errNoKey          = errors.New("the principal has no such API key")
	errDigestSize     = fmt.Errorf("the digest of an API key is not of %d bytes", digestSize)
)

// Definitions are the event types of this package, with their reducers. They write to the tables for people and tools
// to look at: what a principal may do is read from the events themselves (see Authority).
func Definitions() []journal.Definition {
	return []journal.Definition{
		PrincipalCreated.On(reducePrincipalCreated).Auth(),
		KeyAdded.On(reduceKeyAdded).Auth(),
		KeyRevoked.On(reduceKeyRevoked).Auth(),
		Denied.On(func(*journal.Writer, journal.Entry, DeniedData) error { return nil }),
		Contradicted.On(func(*journal.Writer, journal.Entry, ContradictedData) error { return nil }),
	}
}

func reducePrincipalCreated(w *journal.Writer, e journal.Entry, d PrincipalCreatedData) error {
	if _, there, err := principals.Get(w, d.Principal[:]); err != nil || there {
		return errors.Join(err, errPrincipalTwice)
	}
	return principals.Put(w, d.Principal[:], newPrincipal(e, d))
}

func reduceKeyAdded(w *journal.Writer, _ journal.Entry, d KeyAddedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	if _, there, err := apiKeys.Get(w, d.Digest[:keyRow]); err != nil || there {
		return errors.Join(err, errKeyTwice)
	}
	p, known, err := principals.Get(w, d.Principal[:])
	if err != nil || !known {
		return errors.Join(err, errNoPrincipal)
	}
	if err := principals.Put(w, d.Principal[:], p.withKey()); err != nil {
		return err
	}
	return apiKeys.Put(w, d.Digest[:keyRow], apiKey{Digest: d.Digest, Principal: d.Principal})
}

func reduceKeyRevoked(w *journal.Writer, _ journal.Entry, d KeyRevokedData) error {
	if len(d.Digest) != digestSize {
		return errDigestSize
	}
	key, there, err := apiKeys.Get(w, d.Digest[:keyRow])
	if err != nil || !there || key.Principal != d.Principal || !bytes.Equal(key.Digest, d.Digest) {
		return errors.Join(err, errNoKey)
	}
	p, known, err := principals.Get(w, d.Principal[:])
	if err != nil || !known {
		return errors.Join(err, errNoPrincipal)
	}
	if err := principals.Put(w, d.Principal[:], p.withoutKey()); err != nil {
		return err
	}
	return apiKeys.Delete(w, d.Digest[:keyRow])
}
