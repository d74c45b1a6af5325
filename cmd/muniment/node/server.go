package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"muniment/anchor/journal"
	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
)

// Server is a node that is served over HTTP, on a public and an admin port.
type Server struct {
	Node          *Node
	public, admin *http.Server
	listeners     [2]net.Listener
	ended         chan error
}

// Listen makes a server. It listens before it opens the folder, so that a port that is taken is noticed before
// anything is made.
func Listen(ctx context.Context, cfg config.Config, log *slog.Logger, open Opener) (*Server, error) {
	s := &Server{ended: make(chan error, 2)}
	var lc net.ListenConfig
	for i, address := range []string{cfg.Listen, cfg.AdminListen} {
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			s.unlisten()
			return nil, cli.Hint(fmt.Errorf("listening: %w", err),
				"choose another address with --listen and --admin-listen; port 0 takes a free one")
		}
		s.listeners[i] = l
	}
	err := s.limit(cfg)
	if err != nil {
		s.unlisten()
		return nil, err
	}
	if s.Node, err = Open(ctx, cfg, log, open); err != nil {
		s.unlisten()
		return nil, err
	}
	s.public, s.admin = s.Node.gateway.HTTP(), s.Node.gateway.AdminHTTP()
	s.public.ConnState, s.admin.ConnState = connState, connState
	log.Info("serving", "url", s.URL(), "admin", s.AdminURL(), "data", cfg.Data, "version",
		cli.Version)
	return s, nil
}

// limit bounds the connections of both listeners.
func (s *Server) limit(cfg config.Config) error {
	proxies, err := cfg.Proxies()
	if err != nil {
		return err
	}
	most, err := maxConnections(cfg.Limits.Connections)
	if err != nil {
		return err
	}
	s.listeners[0] = limitListener(s.listeners[0], connectionLimits{
		most: most, strangers: max(1, most*3/4), perAddress: max(1, most/4), exempt: proxies,
	})
	s.listeners[1] = limitListener(s.listeners[1], connectionLimits{
		most: adminConnections, strangers: adminConnections, perAddress: adminConnections,
	})
	return nil
}

// unlisten closes the listeners of a service that did not come to serve.
func (s *Server) unlisten() {
	for _, l := range s.listeners {
		if l != nil {
			l.Close()
		}
	}
}

// URL is where the API is served.
func (s *Server) URL() string { return "http://" + s.listeners[0].Addr().String() }

// AdminURL is where the operator's port is served.
func (s *Server) AdminURL() string { return "http://" + s.listeners[1].Addr().String() }

// EndFirstStart ends the first start: the key has been shown.
func (s *Server) EndFirstStart() error {
	if s.Node.Storage.Found != Fresh {
		return nil
	}
	return s.Node.Storage.Folder.EndFirstStart()
}

// Run serves until ctx ends, which is no error, or until the journal may not write any more.
func (s *Server) Run(ctx context.Context) error {
	s.Serve()
	select {
	case <-ctx.Done():
		return nil
	case <-s.Node.Journal.Stopped():
		err := s.Node.Journal.Err()
		if errors.Is(err, journal.ErrContradicts) {
			return cli.Hint(fmt.Errorf("the journal has stopped: %w", err),
				"another server goes on with this journal: find it, and stop one of the two; starting this one again "+
					"says whether it can go on, and what to do if not")
		}
		return cli.Hint(fmt.Errorf("the journal has stopped: %w", err),
			"start again: the journal reads what was really written; if the disk has failed, restore from "+
				"release/ on another")
	case err := <-s.ended:
		return fmt.Errorf("serving: %w", err)
	}
}

// Serve begins to serve, in the background.
func (s *Server) Serve() {
	for i, server := range []*http.Server{s.public, s.admin} {
		go func() {
			if err := server.Serve(s.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				s.ended <- err
			}
		}()
	}
}

// Stop takes no more calls, lets those that are being served end until the deadline, and closes the node.
func (s *Server) Stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.public.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.public.Close() // what is cut off was not acknowledged
	}
	return errors.Join(err, s.admin.Close(), s.Node.Close())
}
