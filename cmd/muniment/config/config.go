// Package config is the program's configuration: one struct, filled from its defaults, then a YAML file, then the
// environment, then flags, each strictly.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Config is the configuration of a server. Each field's name in the file is that of its yaml tag; its environment
// variable is MUNIMENT_ and the path in capitals, MUNIMENT_ANCHOR_EVERY for anchor.every.
type Config struct {
	// Data is the folder that everything is kept in. It is made when it is not there, in one that is; one that has lost
	// a part which cannot be made anew is refused.
	Data string `yaml:"data" path:"true"`
	// Listen is the address of the public API, host:port. Port 0 takes a free one.
	Listen string `yaml:"listen"`
	// AdminListen is the address of /livez, /readyz and /metrics, which need no credential: keep it private. Port 0
	// takes a free one.
	AdminListen string `yaml:"admin_listen"`
	// Origin is the log's name, which every checkpoint bears and which never changes. It is read when a data folder is
	// made; empty means muniment/ and a random UUID.
	Origin string `yaml:"origin"`
	// TrustedProxies are the networks from which X-Forwarded-For is believed, in CIDR notation. None by default.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// FIPS encrypts new documents with AES-256-CTR-HMAC-SHA-256, which runs under GODEBUG=fips140=only.
	FIPS bool `yaml:"fips"`
	// Shutdown is how long calls that are being served may go on after SIGTERM.
	Shutdown Duration `yaml:"shutdown"`
	// Storage says where the documents' ciphertext and the journal's continuous backup lie.
	Storage Storage `yaml:"storage"`
	// Keys says what holds the tenants' keys and signs in the journal's name.
	Keys Keys `yaml:"keys"`
	// Anchor says when the journal's head is anchored.
	Anchor Anchor `yaml:"anchor"`
	// Release says what depends on the journal's continuous backup.
	Release Release `yaml:"release"`
	// Limits bound what one client can take.
	Limits Limits `yaml:"limits"`
	// Log says what is logged, and how. The log goes to standard error.
	Log Log `yaml:"log"`
}

// Anchor says when the journal's head is anchored.
type Anchor struct {
	// Every is the least time between two anchors. Nothing is anchored while nothing is new.
	Every Duration `yaml:"every"`
	// Asked is the least time between two anchors that callers ask for; whoever asks again sooner waits.
	Asked Duration `yaml:"asked"`
}

// Release says what depends on the journal's continuous backup.
type Release struct {
	// ReadsWithoutLease lets content be read while the release bucket cannot be reached, beyond the 30 seconds for
	// which the lease lasts. Another server may have taken over by then, and these reads be on no record that counts:
	// each such time begins with an event and an alarm.
	ReadsWithoutLease bool `yaml:"reads_without_lease"`
}

// Limits bound what one client can take.
type Limits struct {
	// Document is the size of the largest document.
	Document Size `yaml:"document"`
	// BodyWait is how long a client may take for a piece of a body before it must keep to the rate.
	BodyWait Duration `yaml:"patience"`
	// Release is how long a deposit waits for its release before it is answered 503, which a retry with the same
	// idempotency key settles.
	Release Duration `yaml:"release"`
	// Requests is how many requests a second one principal may send on average, and five times as many at once; more
	// are answered 429. 0 means any number.
	Requests int `yaml:"requests"`
	// Uploads is how many uploads one principal may have under way. One more waits for a few seconds, and is then
	// answered 429.
	Uploads int `yaml:"uploads"`
	// Memory is what uploads, reads and bodies in JSON may hold together while they are under way, at least 64MiB. One
	// principal has two thirds of it at most. A request that needs more than is free waits, as long as limits.patience
	// says at most, and is then answered 503.
	Memory Size `yaml:"memory"`
	// Public is how many requests a second one address may send on average without a credential, and five times as many
	// at once: for the checkpoint, tiles, the version and the like. An entry bundle counts as four. All addresses
	// together may send sixteen times that. More are answered 429. 0 means any number.
	Public int `yaml:"public"`
	// Connections is how many connections are open at a time; three quarters of them may be of callers that have not
	// shown a credential. A new one beyond that takes the place of the one that has been idle for the longest, of
	// callers without a credential first. One address may have a quarter, unless it is in trusted_proxies; its next one
	// is closed at once. 0 means what the limit of open files allows, but at most 4096.
	Connections int `yaml:"connections"`
}

// minMemory is the least that limits.memory may be, in bytes: room for a few of everything.
const minMemory = 64 << 20

// Log says what is logged, and how.
type Log struct {
	// Level is the least severe level that is logged: debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text or json.
	Format string `yaml:"format"`
}

// Default is the configuration of a server that nothing was said to.
func Default() Config {
	return Config{
		Data:        "muniment-data",
		Listen:      "127.0.0.1:8080",
		AdminListen: "127.0.0.1:8081",
		Shutdown:    Duration(30 * time.Second),
		Storage: Storage{Kind: StorageFolder, S3: S3{
			Region: "us-east-1", Style: StyleAuto, Lock: LockCompliance, PartSize: 6 << 20, StreamSize: 256 << 20,
			Timeout: Duration(20 * time.Second), RetryTime: Duration(20 * time.Second),
			Encryption: EncryptionNone, Credentials: S3Environment,
		}},
		Keys: Keys{Kind: KeysFile, TrimAfter: Duration(30 * 24 * time.Hour), Vault: Vault{
			Mount: "transit", Prefix: "muniment", Auth: AuthToken, JWTFile: defaultJWTFile,
			Timeout: Duration(10 * time.Second), RetryTime: Duration(5 * time.Second), Ahead: 64,
			CheckpointKeyVersion: 1, LedgerKeyVersion: 1,
		}},
		Anchor: Anchor{Every: Duration(10 * time.Minute), Asked: Duration(10 * time.Second)},
		Limits: Limits{
			Document: 5 << 40, BodyWait: Duration(30 * time.Second), Release: Duration(30 * time.Second),
			Requests: 1000, Uploads: 64, Memory: 128 << 20, Public: 50,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

// complaint takes what is wrong with a field, and what to write instead.
type complaint func(field, format string, args ...any)

// Check says what is wrong with a configuration, and what to write instead.
func (c *Config) Check() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Data == "" {
		bad("data", "is empty; name the folder to keep everything in")
	}
	for field, address := range map[string]string{"listen": c.Listen, "admin_listen": c.AdminListen} {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			bad(field, "%q is no address; write host:port, such as 127.0.0.1:8080", address)
		}
	}
	if c.Origin != "" && strings.ContainsAny(c.Origin, " +\n\t") {
		bad("origin", "%q has a space or plus sign in it; write a name such as records.example.org/log", c.Origin)
	}
	if _, err := c.Proxies(); err != nil {
		errs = append(errs, err)
	}
	for field, d := range map[string]Duration{
		"shutdown": c.Shutdown, "anchor.every": c.Anchor.Every, "anchor.asked": c.Anchor.Asked,
		"limits.patience": c.Limits.BodyWait, "limits.release": c.Limits.Release,
		"storage.s3.timeout": c.Storage.S3.Timeout, "storage.s3.patience": c.Storage.S3.RetryTime,
		"keys.vault.timeout": c.Keys.Vault.Timeout, "keys.vault.patience": c.Keys.Vault.RetryTime,
	} {
		if d <= 0 {
			bad(field, "must be longer than 0; write a duration such as 30s")
		}
	}
	c.Storage.check(bad)
	c.Keys.check(bad)
	c.Limits.check(bad)
	if s3 := c.Storage.S3; c.Storage.Kind == StorageS3 && c.Limits.Memory < 4*s3.PartSize {
		bad("limits.memory", "has no room for the parts of storage.s3.part_size; write at least %s", 4*s3.PartSize)
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		errs = append(errs, err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format", "%q is unknown; write text or json", c.Log.Format)
	}
	return errors.Join(errs...)
}

// check reports what is wrong to bad.
func (l *Limits) check(bad complaint) {
	if l.Document <= 0 {
		bad("limits.document", "must be more than 0; write a size such as 5TiB")
	}
	if l.Memory < minMemory {
		bad("limits.memory", "must be at least %s", Size(minMemory))
	}
	if l.Uploads < 1 {
		bad("limits.uploads", "must be at least 1")
	}
	for field, n := range map[string]int{"limits.requests": l.Requests, "limits.connections": l.Connections,
		"limits.public": l.Public} {
		if n < 0 {
			bad(field, "must not be less than 0")
		}
	}
}

// Proxies are TrustedProxies, read.
func (c *Config) Proxies() ([]*net.IPNet, error) {
	var out []*net.IPNet
	for _, s := range c.TrustedProxies {
		_, network, err := net.ParseCIDR(s)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is no network; write it like 10.0.0.0/8, or 192.0.2.7/32 "+
				"for one host", s)
		}
		out = append(out, network)
	}
	return out, nil
}

// SlogLevel is Level, read.
func (l Log) SlogLevel() (slog.Level, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[l.Level]
	if !ok {
		return 0, fmt.Errorf("log.level: %q is unknown; write debug, info, warn or error", l.Level)
	}
	return level, nil
}
