package config

import "time"

// Kinds of key services.
const (
	KeysFile  = "file"
	KeysVault = "vault"
)

// Keys says what holds the tenants' keys and signs in the journal's name.
type Keys struct {
	// Kind is what holds the keys: file (in the data folder, in the clear) or vault (HashiCorp Vault's Transit engine).
	Kind string `yaml:"kind"`
	// TrimAfter is how long old versions of a tenant's key are kept after everything has been wrapped anew, a day or
	// longer. An erased document can be read from backups until then; a backup that is older cannot be read afterwards.
	TrimAfter Duration `yaml:"trim_after"`
	// Vault is the Vault server, for the kind vault.
	Vault Vault `yaml:"vault"`
}

// Ways to log in to Vault.
const (
	AuthToken      = "token"
	AuthAppRole    = "approle"
	AuthKubernetes = "kubernetes"
)

// Vault says how to reach a HashiCorp Vault server, and who we are there.
type Vault struct {
	// Address is the server's URL, such as https://vault.example.org:8200.
	Address string `yaml:"address"`
	// CA is a file with the certificates, in PEM, of the authorities that the server's certificate may come from. Empty
	// means those that the system trusts.
	CA string `yaml:"ca" path:"true"`
	// ServerName is the name that the server's certificate must have, where it is not that of the address.
	ServerName string `yaml:"server_name"`
	// Namespace is the namespace of Vault Enterprise; empty for none.
	Namespace string `yaml:"namespace"`
	// Mount is where the Transit engine is mounted.
	Mount string `yaml:"mount"`
	// Prefix is what the names of our keys in it begin with, 1 to 64 lower-case letters, digits and hyphens.
	Prefix string `yaml:"prefix"`
	// Auth is how to log in: token, approle or kubernetes.
	Auth string `yaml:"auth"`
	// AuthMount is where the way to log in is mounted. Empty means its usual place, approle or kubernetes.
	AuthMount string `yaml:"auth_mount"`
	// TokenFile is the file that holds the token, for token. Others than its owner and group may not read it.
	TokenFile string `yaml:"token_file" path:"true"`
	// RoleID is the role's id, for approle.
	RoleID string `yaml:"role_id"`
	// SecretIDFile is the file that holds the role's secret id, for approle. Others than its owner and group may not
	// read it.
	SecretIDFile string `yaml:"secret_id_file" path:"true"`
	// Role is the name of the role, for kubernetes.
	Role string `yaml:"role"`
	// JWTFile is the file that holds the service account's token, for kubernetes.
	JWTFile string `yaml:"jwt_file" path:"true"`
	// Ahead is how many documents' keys may be wrapped ahead in one request, for a second at most and only while
	// deposits are frequent. 0 means none: then a key is in memory for no longer than its document's own deposit.
	Ahead int `yaml:"ahead"`
	// Timeout ends one request to Vault that has had no answer for that long.
	Timeout Duration `yaml:"timeout"`
	// RetryTime is how long a request that fails is tried again before what needs a key is answered 503.
	RetryTime Duration `yaml:"patience"`
	// CheckpointKeyVersion is the version of the key that signs checkpoints. A log's key never changes, so this is 1
	// unless the log was begun with another.
	CheckpointKeyVersion int `yaml:"checkpoint_key_version"`
	// LedgerKeyVersion is the version of the key that signs the blocks of the local ledger. It never changes either.
	LedgerKeyVersion int `yaml:"ledger_key_version"`
}

// defaultJWTFile is where Kubernetes puts a pod's token.
const defaultJWTFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// check reports what is wrong to bad.
func (k *Keys) check(bad complaint) {
	switch k.Kind {
	case KeysFile:
		if k.Vault != Default().Keys.Vault {
			bad("keys.kind", "is file, but keys.vault is configured; write vault, or leave the group out")
		}
	case KeysVault:
		k.Vault.check(bad)
	default:
		bad("keys.kind", "%q is unknown; write file or vault", k.Kind)
	}
	if k.TrimAfter < Duration(24*time.Hour) {
		bad("keys.trim_after", "must be a day or longer, so that a backup can be made and tried; write it like 30d")
	}
}

func (v *Vault) check(bad complaint) {
	checkURL(bad, "keys.vault.address", v.Address, "https://vault.example.org:8200")
	if v.Mount == "" {
		bad("keys.vault.mount", "is empty; name the path of the Transit engine, such as transit")
	}
	if v.Prefix == "" {
		bad("keys.vault.prefix", "is empty; write what our keys' names begin with, such as muniment")
	}
	for field, version := range map[string]int{
		"keys.vault.checkpoint_key_version": v.CheckpointKeyVersion,
		"keys.vault.ledger_key_version":     v.LedgerKeyVersion,
	} {
		if version < 1 {
			bad(field, "must be 1 or more")
		}
	}
	if v.Ahead < 0 || v.Ahead > 1024 {
		bad("keys.vault.ahead", "must be 0 to 1024")
	}
	of := map[string][]setting{
		AuthToken:      {{"keys.vault.token_file", v.TokenFile}},
		AuthAppRole:    {{"keys.vault.role_id", v.RoleID}, {"keys.vault.secret_id_file", v.SecretIDFile}},
		AuthKubernetes: {{"keys.vault.role", v.Role}},
	}
	checkChoice(bad, "keys.vault.auth", v.Auth, []string{AuthToken, AuthAppRole, AuthKubernetes}, of)
}
