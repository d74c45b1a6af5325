package journaltest

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync/atomic"

	"muniment/anchor/journal"
)

// ID is the journal id of a Kit's journal.
var ID = Must(journal.ParseID("01890a5d-ac96-774b-bcce-b302099a8057"))

// Keys is a [journal.ShippingKeys] that keeps nothing secret: a test can forge what it wraps. Keys of another name do
// not unwrap it.
type Keys struct {
	name string
	down atomic.Bool
}

var _ journal.ShippingKeys = (*Keys)(nil)

// ShippingKeys are the keys that every Kit uses.
func ShippingKeys() *Keys { return NamedKeys("test") }

// NamedKeys are those of another key service.
func NamedKeys(name string) *Keys { return &Keys{name: name} }

// Down has every call fail with journal.ErrKeysUnavailable, or work again.
func (k *Keys) Down(down bool) { k.down.Store(down) }

// Wrap writes the name and the secret.
func (k *Keys) Wrap(_ context.Context, secret []byte) (string, error) {
	if k.down.Load() {
		return "", journal.ErrKeysUnavailable
	}
	return k.name + ":" + base64.StdEncoding.EncodeToString(secret), nil
}

// Unwrap reads what Wrap wrote under the same name.
func (k *Keys) Unwrap(_ context.Context, wrapped string) ([]byte, error) {
	if k.down.Load() {
		return nil, journal.ErrKeysUnavailable
	}
	rest, ok := strings.CutPrefix(wrapped, k.name+":")
	if !ok {
		return nil, errors.New("the test's keys have not wrapped this")
	}
	return base64.StdEncoding.DecodeString(rest)
}
