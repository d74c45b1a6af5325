package transit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"muniment/vault/keys"
)

// The signers of a Service.
const (
	Checkpoint = "checkpoint" // signs the journal's checkpoints
	Ledger     = "ledger"     // signs the blocks of the local ledger
)

const signerType = "ed25519"

var (
	// ErrSigner says that Vault has no signing key that can be used under that name, or another than it once had.
	ErrSigner = errors.New("the signing key in Vault cannot be used")
	// ErrSignature says that what Vault gave is not the signature of the pinned key.
	ErrSignature = errors.New("the signature from Vault is not one of the pinned key")
)

// Signer signs with one version of an Ed25519 key (RFC 8032) in Vault. It may be used concurrently.
type Signer struct {
	vault   *client
	name    string
	version int
	public  ed25519.PublicKey
}

// Signer returns a signing key by name: Checkpoint or Ledger. ErrSigner if Vault has none that can be used;
// keys.ErrUnavailable if its public key is known neither from Vault, which could not be asked at Open, nor from
// Config.PublicKeys.
func (s *Service) Signer(name string) (*Signer, error) {
	if signer, ok := s.signers[name]; ok {
		return signer, nil
	}
	if err, ok := s.refused[name]; ok {
		return nil, fmt.Errorf("opening the %s key: %w", name, err)
	}
	return nil, fmt.Errorf("opening the signing key %q: %w", name, ErrSigner)
}

// PublicKey is the 32-byte public key. It never changes.
func (s *Signer) PublicKey() []byte { return append([]byte(nil), s.public...) }

// Format is short.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[signer]") }

// Sign returns the 64-byte signature of the message, which it has verified: ErrSignature if Vault gave anything else.
func (s *Signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	content := `{"input":"` + base64.StdEncoding.EncodeToString(message) + `","key_version":` +
		strconv.Itoa(s.version) + `}`
	req := request{method: http.MethodPost, path: s.vault.key("sign", s.name), body: newBody([]byte(content))}
	ans, err := s.vault.call(ctx, req)
	if err != nil {
		return nil, err
	}
	if ans.status != http.StatusOK {
		return nil, s.vault.refusal(req, ans)
	}
	var said struct {
		Data struct {
			Signature string `json:"signature"`
		} `json:"data"`
	}
	if err := s.vault.decode(req, ans, &said); err != nil {
		return nil, err
	}
	if said.Data.Signature == "" {
		return nil, s.vault.failure(req, keys.ErrUnavailable, "its answer holds no signature (is a proxy in between?)")
	}
	value, ok := strings.CutPrefix(said.Data.Signature, wrapName+":v"+strconv.Itoa(s.version)+":")
	if !ok {
		return nil, s.vault.failure(req, ErrSignature, "it did not sign with version "+strconv.Itoa(s.version))
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || !ed25519.Verify(s.public, message, signature) {
		return nil, s.vault.failure(req, ErrSignature, "the key has been replaced, or another Vault answers")
	}
	return signature, nil
}

// openSigners reads the public keys from Vault, or, while it cannot be asked, from the file that remembers them.
func (s *Service) openSigners(ctx context.Context) error {
	cfg := s.vault.cfg
	pins, err := readPins(cfg.PublicKeys)
	if err != nil {
		return err
	}
	learned := false
	for name, version := range map[string]int{Checkpoint: cfg.CheckpointVersion, Ledger: cfg.LedgerVersion} {
		key := s.vault.signingKey(name)
		pin := pinName(cfg.Mount, key, version)
		public, err := s.vault.publicKey(ctx, key, version)
		known, pinned := pins[pin]
		switch {
		case err == nil && pinned && !public.Equal(known):
			err = fmt.Errorf("the key %s at the Vault at %s is another than the one remembered in %s "+
				"(is that the right Vault? Put its keys back from its backup; "+
				"delete the file only if nothing was ever signed): %w",
				key, s.vault.host(), cfg.PublicKeys, ErrSigner)
		case err == nil && !pinned:
			pins[pin], learned = public, true
		case errors.Is(err, keys.ErrUnavailable) && pinned:
			public, err = known, nil
		}
		if err != nil {
			s.refused[name] = err
			continue
		}
		s.signers[name] = &Signer{vault: s.vault, name: key, version: version, public: public}
	}
	if learned {
		return writePins(cfg.PublicKeys, pins)
	}
	return nil
}

// publicKey asks for the public key of one version of a signing key.
func (c *client) publicKey(ctx context.Context, name string, version int) (ed25519.PublicKey, error) {
	key, err := c.readKey(ctx, name)
	if errors.Is(err, keys.ErrNoKey) {
		return nil, fmt.Errorf("%w (make it: vault write -f %s type=%s): %w",
			err, c.key("keys", name), signerType, ErrSigner)
	}
	if err != nil {
		return nil, err
	}
	return c.publicKeyOf(key, name, version)
}

func (c *client) publicKeyOf(key keyInfo, name string, version int) (ed25519.PublicKey, error) {
	req := request{method: http.MethodGet, path: c.key("keys", name)}
	if key.Type != signerType || key.Derived {
		return nil, c.failure(req, ErrSigner, "the key is of type "+printable(key.Type)+" and must be "+signerType+
			", not derived (that name is ours: choose another prefix, or have the key deleted and make it anew)")
	}
	raw, ok := key.Keys[strconv.Itoa(version)]
	if !ok || key.MinEncryption > version {
		return nil, c.failure(req, ErrSigner, "the key has no version "+strconv.Itoa(version)+
			" that signs (lower its min_decryption_version and min_encryption_version to that, "+
			"or configure the version that it was made with)")
	}
	var said struct {
		PublicKey []byte `json:"public_key"`
	}
	ans := &answer{body: raw}
	if err := c.decode(req, ans, &said); err != nil {
		return nil, err
	}
	if len(said.PublicKey) != ed25519.PublicKeySize {
		return nil, c.failure(req, keys.ErrUnavailable, "its answer holds no public key")
	}
	return said.PublicKey, nil
}
