// Package gateway serves the vault, the journal and its anchors over HTTP, by the contract openapi/openapi.yaml. It
// translates HTTP and decides nothing: who may do what, and what is kept, is for the vault to say.
package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"muniment/anchor"
	"muniment/anchor/evidence"
	"muniment/anchor/journal"
	"muniment/gateway/authn"
	"muniment/vault"
	"muniment/vault/access"
	"muniment/vault/budget"
	"muniment/vault/checkpoints"
	"muniment/vault/people"
	"muniment/vault/rekey"
)

// Defaults of Limits.
const (
	DefaultMaxBody = vault.DefaultMaxSize // bytes
	DefaultStall   = 30 * time.Second
	DefaultRate    = 1 << 10 // bytes a second
	DefaultUploads = 64
)

// Limits bound what one client can take. The zero value of MaxBody and of MinSpeed's fields means their defaults.
type Limits struct {
	MaxBody int64 // of a deposit's content, in bytes
	// MaxInline is the length of the longest content that may stand in JSON, in bytes; it is held in memory. 0 means
	// its default.
	MaxInline int64
	MinSpeed  MinSpeed
	// Requests is how many requests a second one principal may send on average, and five times as many at once; 0 means
	// any number.
	Requests int
	// Uploads is how many bodies of deposits one principal may be sending at a time; 0 means DefaultUploads.
	Uploads int
	// Public is how many requests a second one address may send without a credential; 0 means any number.
	Public int
}

// Config is what a gateway needs. Every field is required unless it says otherwise.
type Config struct {
	Vault   *vault.Vault
	People  *people.People
	Keys    *rekey.Keys
	Journal *journal.Journal
	// Door is the one that the vault was given, for the acts of other packages.
	Door *access.Door
	// Locked keeps the journal's newest checkpoint under a lock.
	Locked *checkpoints.Keeper
	// Publisher anchors the journal.
	Publisher *anchor.Publisher
	Authn     authn.Authenticator
	// Policy names the log and ledgers that this server itself trusts, for /v1/verify. Without one (nil) no verdict is
	// better than "cannot tell".
	Policy *evidence.Policy
	Clock  journal.Clock
	Rand   io.Reader // must be safe for concurrent use, as crypto/rand.Reader is
	Log    *slog.Logger
	Limits Limits // optional
	// Memory is what bodies that are read whole are held in; nil means without a bound.
	Memory *budget.Memory
	// TrustedProxies are the networks from which X-Forwarded-For is believed; none by default, so that nobody can forge
	// the address that the log shows.
	TrustedProxies []*net.IPNet
	Version        string
}

// Server serves HTTP.
type Server struct {
	cfg     Config
	echo    *echo.Echo
	metrics *metrics
	health  *health
	quotas  *quotas
	public  *public
	judging chan struct{}   // holds an element for each file of evidence that is being judged
	bundles chan struct{}   // holds an element for each entry bundle that is being made
	closing context.Context // ends when the server shuts down, which ends the calls that wait for news
	close   context.CancelFunc
}

// New makes a server. It does not listen yet.
func New(cfg Config) (*Server, error) {
	if cfg.Vault == nil || cfg.People == nil || cfg.Keys == nil || cfg.Journal == nil || cfg.Door == nil ||
		cfg.Locked == nil || cfg.Publisher == nil || cfg.Authn == nil || cfg.Clock == nil || cfg.Rand == nil ||
		cfg.Log == nil {
		return nil, errors.New("opening the gateway: vault, people, keys, journal, door, keeper of checkpoints, " +
			"publisher, authn, clock, randomness and log are all required")
	}
	if cfg.Limits.Requests < 0 || cfg.Limits.Public < 0 || cfg.Limits.Uploads < 0 {
		return nil, errors.New("opening the gateway: less than no requests a second, or than no uploads")
	}
	cfg.Limits = cfg.Limits.orDefault()
	s := &Server{cfg: cfg, echo: echo.New(), judging: make(chan struct{}, maxJudging),
		bundles: make(chan struct{}, maxBundles)}
	s.quotas = newQuotas(cfg.Limits, cfg.Clock)
	s.public = newPublic(cfg.Limits.Public, cfg.Clock)
	s.closing, s.close = context.WithCancel(context.Background())
	s.health = &health{cfg: cfg}
	s.metrics = newMetrics(cfg.Journal, cfg.Publisher)
	s.metrics.registry.MustRegister(s.health, promiseMetrics{cfg})
	s.echo.IPExtractor = ipExtractor(cfg.TrustedProxies)
	s.echo.Use(s.observe)
	for _, r := range s.routes() {
		s.echo.Add(r.method, r.path, s.handle(r))
	}
	return s, nil
}

func (l Limits) orDefault() Limits {
	if l.MaxBody == 0 {
		l.MaxBody = DefaultMaxBody
	}
	if l.MaxInline == 0 {
		l.MaxInline = DefaultMaxInline
	}
	if l.Uploads == 0 {
		l.Uploads = DefaultUploads
	}
	if l.MinSpeed.Stall == 0 {
		l.MinSpeed.Stall = DefaultStall
	}
	if l.MinSpeed.Rate == 0 {
		l.MinSpeed.Rate = DefaultRate
	}
	return l
}

// Handler serves the public API.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endChunked(w, r)
		answer := &answerWriter{
			ResponseWriter: w, control: http.NewResponseController(w), pace: pace{least: s.cfg.Limits.MinSpeed},
			body: r.Body != http.NoBody,
		}
		s.echo.ServeHTTP(answer, r)
	})
}

// endChunked has the connection closed behind a request whose body is in chunks. It may have had a Content-Length too,
// which net/http drops and does not tell of: whoever reads that length takes the rest of the body for another request,
// so there must be none on the same connection (RFC 9112, section 6.1).
func endChunked(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
}

// HTTP is a server for Handler with every timeout set. Its Shutdown also ends the calls that wait for news.
func (s *Server) HTTP() *http.Server { return s.hardened(s.Handler()) }

// AdminHTTP is a server for AdminHandler with every timeout set.
func (s *Server) AdminHTTP() *http.Server {
	server := s.hardened(s.AdminHandler())
	server.ReadTimeout, server.WriteTimeout = server.ReadHeaderTimeout, time.Minute
	return server
}

func (s *Server) hardened(h http.Handler) *http.Server {
	server := &http.Server{
		ConnContext:       withConnection,
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		// Neither ReadTimeout nor WriteTimeout: a deposit may take hours. upload and answerWriter demand progress
		// instead.
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.close)
	return server
}

// ipExtractor believes X-Forwarded-For from the given networks only.
func ipExtractor(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, network := range trusted {
		options = append(options, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
