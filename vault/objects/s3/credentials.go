package s3

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"muniment/anchor/bounded"
)

// errCredentials says that there are no credentials to sign a request with.
var errCredentials = errors.New("there are no credentials for the S3 store")

// Credentials say who asks. They print as "[credentials]".
type Credentials struct {
	make func(Config) credentials.Provider
}

// Format hides what the credentials are.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[credentials]") }

// Static are an access key and its secret.
func Static(accessKey, secretKey string) Credentials {
	return Credentials{func(Config) credentials.Provider {
		return &credentials.Static{Value: credentials.Value{
			AccessKeyID: accessKey, SecretAccessKey: secretKey, SignerType: credentials.SignatureV4,
		}}
	}}
}

// Environment reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
func Environment() Credentials {
	return Credentials{func(Config) credentials.Provider { return &credentials.EnvAWS{} }}
}

// Files are files that hold the access key and its secret, each alone but for white space. They are read again when
// they change, so keys can be rotated under a running process.
func Files(accessKeyFile, secretKeyFile string) Credentials {
	return Credentials{func(Config) credentials.Provider {
		return &fileProvider{access: accessKeyFile, secret: secretKeyFile}
	}}
}

// SharedFile is a file in the format of AWS's shared credentials, and a profile in it ("" for default). It is read
// again when it changes.
func SharedFile(path, profile string) Credentials {
	return Credentials{func(Config) credentials.Provider {
		return &fileProvider{access: path, shared: &credentials.FileAWSCredentials{Filename: path, Profile: profile}}
	}}
}

// WebIdentity exchanges a web identity token (OIDC), read from a file each time, for credentials that end, at a
// security token service. An empty service is the endpoint itself, as MinIO has it; role is an ARN, or empty where the
// service needs none.
func WebIdentity(service, role, tokenFile string) Credentials {
	return Credentials{func(cfg Config) credentials.Provider {
		if service == "" {
			service = cfg.Endpoint
		}
		return &credentials.STSWebIdentity{
			STSEndpoint: service, RoleARN: role,
			GetWebIDTokenExpiry: func() (*credentials.WebIdentityToken, error) {
				token, err := bounded.ReadFile(tokenFile, bounded.Small)
				if err != nil {
					return nil, err
				}
				return &credentials.WebIdentityToken{Token: strings.TrimSpace(string(token))}, nil
			},
		}
	}}
}

// Ambient are the credentials that the machine gives: the environment, the user's shared file, and the service of the
// cloud that it runs in, whichever has some first.
func Ambient() Credentials {
	return Credentials{func(Config) credentials.Provider {
		return &credentials.Chain{Providers: []credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}}
	}}
}

// refresher are credentials that are kept until they end.
type refresher struct{ *credentials.Credentials }

func (c Credentials) refresher(cfg Config) (refresher, error) {
	if c.make == nil {
		return refresher{}, setup("the credentials",
			"give an access key and its secret, files that hold them, or a web identity", nil)
	}
	return refresher{credentials.New(signing{c.make(cfg)})}, nil
}

// signing refuses empty credentials: minio-go would send requests unsigned.
type signing struct{ credentials.Provider }

// RetrieveWithCredContext gets credentials.
func (s signing) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	value, err := s.Provider.RetrieveWithCredContext(cc)
	if err != nil {
		return credentials.Value{}, fmt.Errorf("%w: %w", errCredentials, err)
	}
	if value.AccessKeyID == "" || value.SecretAccessKey == "" {
		return credentials.Value{}, errCredentials
	}
	return value, nil
}

// Retrieve gets credentials.
func (s signing) Retrieve() (credentials.Value, error) { return s.RetrieveWithCredContext(nil) }

// fileProvider reads credentials from files whenever one of them has changed.
type fileProvider struct {
	access, secret string
	shared         *credentials.FileAWSCredentials // or nil

	mu   sync.Mutex
	seen [2]fileState
}

// fileState tells a changed file from an unchanged one.
type fileState struct {
	size     int64
	modified time.Time
}

// RetrieveWithCredContext reads the files.
func (p *fileProvider) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = p.states() // before reading: a change in between is read again
	if p.shared != nil {
		return p.shared.RetrieveWithCredContext(cc)
	}
	access, err := bounded.ReadFile(p.access, bounded.Small)
	if err != nil {
		return credentials.Value{}, err
	}
	secret, err := bounded.ReadFile(p.secret, bounded.Small)
	if err != nil {
		return credentials.Value{}, err
	}
	return credentials.Value{
		AccessKeyID: strings.TrimSpace(string(access)), SecretAccessKey: strings.TrimSpace(string(secret)),
		SignerType: credentials.SignatureV4,
	}, nil
}

// Retrieve reads the files.
func (p *fileProvider) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

// IsExpired says whether a file has changed since it was read.
func (p *fileProvider) IsExpired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen == [2]fileState{} || p.seen != p.states() || (p.shared != nil && p.shared.IsExpired())
}

func (p *fileProvider) states() (states [2]fileState) {
	for i, path := range []string{p.access, p.secret} {
		if path == "" {
			continue
		}
		if stat, err := os.Stat(path); err == nil {
			states[i] = fileState{stat.Size(), stat.ModTime()}
		}
	}
	return states
}
