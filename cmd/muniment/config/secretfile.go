package config

import (
	"fmt"
	"os"
)

// CheckSecretFile refuses a file with a secret that everybody on the machine can read, or others than its owner can
// change. A group may read it: that is how secrets are handed to a service that runs under an account of its own.
func CheckSecretFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at a file with a secret: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return fmt.Errorf("%s holds a secret, and others may read or change it (mode %04o); chmod 600 it, or 640",
			path, mode)
	}
	return nil
}

// SecretFiles are the files that the configuration says hold secrets of ours, which CheckSecretFile must pass. Tokens
// that a platform hands out for a short time (web identity, Kubernetes) are not among them: they come with the modes
// that they come with.
func (c *Config) SecretFiles() []string {
	var out []string
	if c.Storage.Kind == StorageS3 {
		switch c.Storage.S3.Credentials {
		case S3Files:
			out = append(out, c.Storage.S3.SecretKeyFile)
		case S3SharedFile:
			out = append(out, c.Storage.S3.SharedFile)
		}
	}
	if c.Keys.Kind == KeysVault {
		switch c.Keys.Vault.Auth {
		case AuthToken:
			out = append(out, c.Keys.Vault.TokenFile)
		case AuthAppRole:
			out = append(out, c.Keys.Vault.SecretIDFile)
		}
	}
	return out
}
