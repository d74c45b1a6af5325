package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Kinds of storage.
const (
	StorageFolder = "folder"
	StorageS3     = "s3"
)

// Storage says where the documents' ciphertext and the journal's continuous backup lie.
type Storage struct {
	// Kind is where the documents lie: folder (in the data folder) or s3.
	Kind string `yaml:"kind"`
	// S3 is the object store, for the kind s3.
	S3 S3 `yaml:"s3"`
}

// How an S3 client proves who it is.
const (
	S3Environment = "environment"
	S3Files       = "files"
	S3SharedFile  = "shared-file"
	S3WebIdentity = "web-identity"
	S3Ambient     = "ambient"
)

// Kinds of locks of S3 Object Lock.
const (
	LockGovernance = "governance"
	LockCompliance = "compliance"
)

// Styles of addressing a bucket.
const (
	StyleAuto = "auto"
	StylePath = "path"
	StyleHost = "host"
)

// Ways in which an S3 server encrypts what it stores.
const (
	EncryptionNone   = "none"
	EncryptionSSES3  = "sse-s3"
	EncryptionSSEKMS = "sse-kms"
)

// S3 says how to reach an S3-compatible object store.
type S3 struct {
	// Endpoint is the server's URL, such as https://s3.example.org.
	Endpoint string `yaml:"endpoint"`
	// Region is the region that requests are signed for.
	Region string `yaml:"region"`
	// Bucket is the bucket of the documents' ciphertext. It must have versioning and Object Lock.
	Bucket string `yaml:"bucket"`
	// ReleaseBucket is the bucket of the journal's continuous backup. It must have neither versioning nor Object Lock,
	// and hold nothing else.
	ReleaseBucket string `yaml:"release_bucket"`
	// CA is a file with the certificates, in PEM, of the authorities that the server's certificate may come from. Empty
	// means those that the system trusts.
	CA string `yaml:"ca" path:"true"`
	// Style is where a bucket's name stands in a URL: path, host, or auto, which is host for Amazon and Google and path
	// for others.
	Style string `yaml:"style"`
	// Lock is how Object Lock binds: compliance, under which nobody can delete a document before its time, or
	// governance, which whoever has the store's right to bypass it can lift.
	Lock string `yaml:"lock"`
	// PartSize is the size of the first 1,000 parts that a large document is sent in, 5MiB to 128MiB. Later ones are
	// larger, up to a quarter of limits.memory; 10,000 of them are the largest document.
	PartSize Size `yaml:"part_size"`
	// EqualParts keeps all parts of a document at part_size, for stores that refuse others, such as Cloudflare R2.
	EqualParts bool `yaml:"equal_parts"`
	// StreamSize is the size of the largest document of known length that is sent in one request, while it comes in.
	// Such a request cannot be repeated when it fails half-way, and the depositor has to; parts can, but many stores
	// write them twice.
	StreamSize Size `yaml:"stream_size"`
	// Timeout ends one request to the store that has had no answer for that long. A part has to get through in it.
	Timeout Duration `yaml:"timeout"`
	// RetryTime is how long a request that fails is tried again before a deposit or a read is answered 503.
	RetryTime Duration `yaml:"patience"`
	// Encryption is what the server is asked to encrypt with, besides our own encryption: none, sse-s3 or sse-kms.
	Encryption string `yaml:"encryption"`
	// KMSKey is the id of the key for sse-kms.
	KMSKey string `yaml:"kms_key"`
	// Credentials are where the account comes from: environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if there
	// is one, AWS_SESSION_TOKEN), files, shared-file (in the format of AWS's command line), web-identity (an OpenID
	// Connect token that the platform puts into a file), or ambient (whatever the machine gives).
	Credentials string `yaml:"credentials"`
	// AccessKeyFile is the file that holds the account's access key, for files.
	AccessKeyFile string `yaml:"access_key_file" path:"true"`
	// SecretKeyFile is the file that holds the account's secret key, for files. Others than its owner and group may not
	// read it. Both files are read again when they change.
	SecretKeyFile string `yaml:"secret_key_file" path:"true"`
	// SharedFile is the file with the profiles, for shared-file. Others than its owner and group may not read it.
	SharedFile string `yaml:"shared_file" path:"true"`
	// Profile is the profile in it; empty means default.
	Profile string `yaml:"profile"`
	// TokenFile is the file that holds the token, for web-identity. It is read again whenever the credentials are
	// renewed.
	TokenFile string `yaml:"token_file" path:"true"`
	// Role is the role to assume, for web-identity, as an ARN. Empty where the service needs none.
	Role string `yaml:"role"`
	// STSEndpoint is the URL of the service that gives credentials for the token, for web-identity. Empty means the
	// endpoint.
	STSEndpoint string `yaml:"sts_endpoint"`
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// check reports what is wrong to bad.
func (s *Storage) check(bad complaint) {
	switch s.Kind {
	case StorageFolder:
		if s.S3 != Default().Storage.S3 {
			bad("storage.kind", "is folder, but storage.s3 is configured; write s3, or leave the group out")
		}
	case StorageS3:
		s.S3.check(bad)
	default:
		bad("storage.kind", "%q is unknown; write folder or s3", s.Kind)
	}
}

func (s *S3) check(bad complaint) {
	checkURL(bad, "storage.s3.endpoint", s.Endpoint, "https://s3.example.org")
	if s.STSEndpoint != "" {
		checkURL(bad, "storage.s3.sts_endpoint", s.STSEndpoint, "https://sts.example.org")
	}
	for field, name := range map[string]string{"storage.s3.bucket": s.Bucket,
		"storage.s3.release_bucket": s.ReleaseBucket} {
		if !bucketPattern.MatchString(name) {
			bad(field, "%q is no bucket's name; write 3 to 63 lower-case letters, digits, dots and hyphens", name)
		}
	}
	if s.Bucket == s.ReleaseBucket {
		bad("storage.s3.release_bucket", "is the documents' bucket; the two have opposite needs, so make another")
	}
	if s.Region == "" {
		bad("storage.s3.region", "is empty; write what the server calls its region, such as us-east-1")
	}
	for _, choice := range []struct {
		field, value string
		among        []string
	}{
		{"storage.s3.style", s.Style, []string{StyleAuto, StylePath, StyleHost}},
		{"storage.s3.lock", s.Lock, []string{LockCompliance, LockGovernance}},
		{"storage.s3.encryption", s.Encryption, []string{EncryptionNone, EncryptionSSES3, EncryptionSSEKMS}},
	} {
		if !slices.Contains(choice.among, choice.value) {
			bad(choice.field, "%q is unknown; write %s", choice.value, or(choice.among))
		}
	}
	if s.PartSize < 5<<20 || s.PartSize > 128<<20 {
		bad("storage.s3.part_size", "must be 5MiB to 128MiB")
	}
	if (s.KMSKey != "") != (s.Encryption == EncryptionSSEKMS) {
		bad("storage.s3.kms_key", "goes with encryption sse-kms: write both, or neither")
	}
	s.checkCredentials(bad)
}

func (s *S3) checkCredentials(bad complaint) {
	of := map[string][]setting{
		S3Environment: nil,
		S3Files: {{"storage.s3.access_key_file", s.AccessKeyFile},
			{"storage.s3.secret_key_file", s.SecretKeyFile}},
		S3SharedFile:  {{"storage.s3.shared_file", s.SharedFile}},
		S3WebIdentity: {{"storage.s3.token_file", s.TokenFile}},
		S3Ambient:     nil,
	}
	checkChoice(bad, "storage.s3.credentials", s.Credentials,
		[]string{S3Environment, S3Files, S3SharedFile, S3WebIdentity, S3Ambient}, of)
}

// setting is a field and its value.
type setting struct{ field, value string }

// checkChoice reports an unknown choice, settings that the choice needs and lacks, and those that belong to another.
func checkChoice(bad complaint, field, choice string, choices []string, needs map[string][]setting) {
	if _, known := needs[choice]; !known {
		bad(field, "%q is unknown; write %s", choice, or(choices))
		return
	}
	for _, other := range choices {
		for _, s := range needs[other] {
			switch {
			case other == choice && s.value == "":
				bad(s.field, "is empty; %s is %s, which needs it", field, choice)
			case other != choice && s.value != "":
				bad(s.field, "goes with %s %s, which is %s; leave one out", field, other, choice)
			}
		}
	}
}

// or lists choices in words.
func or(choices []string) string {
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// checkURL refuses what is no server's URL, and one that goes in the clear to another machine.
func checkURL(bad complaint, field, text, example string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		bad(field, "%s is no server's URL; write it like %s", quoteURL(text), example)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		bad(field, "holds more than scheme, host and port; write it like %s", example)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		bad(field, "would send credentials in the clear to another machine; write https")
	}
}

// quoteURL quotes a text unless it could hold a password.
func quoteURL(text string) string {
	if strings.Contains(text, "@") {
		return "the value"
	}
	return fmt.Sprintf("%q", text)
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
