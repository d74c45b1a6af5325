package processtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a server's key and the certificate of it, which is its own CA's. A nil one stands for no TLS.
type Certificate struct {
	Dir  string // the folder of the files, which has nothing else in it; MinIO is given that
	Cert string // the file of the certificate, public.crt
	Key  string // the file of its key, private.key
}

// NewCertificate makes a certificate for 127.0.0.1 and localhost.
func NewCertificate(t testing.TB) *Certificate {
	t.Helper()
	dir := t.TempDir()
	c := &Certificate{Dir: dir, Cert: filepath.Join(dir, "public.crt"), Key: filepath.Join(dir, "private.key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("making a certificate: %v", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "servertest"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("making a certificate: %v", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("making a certificate: encoding its key: %v", err)
	}
	writePEM(t, c.Cert, "CERTIFICATE", cert)
	writePEM(t, c.Key, "PRIVATE KEY", encoded)
	return c
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatalf("making a certificate: %v", err)
	}
}

// CAFile is the file that a client must trust; "" without TLS.
func (c *Certificate) CAFile() string {
	if c == nil {
		return ""
	}
	return c.Cert
}

// Scheme is that of the server's URLs.
func (c *Certificate) Scheme() string {
	if c == nil {
		return "http"
	}
	return "https"
}

// Client talks to the server and trusts no other certificate.
func (c *Certificate) Client(t testing.TB) *http.Client {
	t.Helper()
	if c == nil {
		return &http.Client{Transport: &http.Transport{}}
	}
	return &http.Client{Transport: TrustingTransport(t, c.Cert)}
}

// TrustingTransport makes connections to servers with certificates of the CA in a file, and to no other.
func TrustingTransport(t testing.TB, caFile string) *http.Transport {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(readFile(t, caFile))) {
		t.Fatalf("reading a CA's certificate: %s holds none", caFile)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
