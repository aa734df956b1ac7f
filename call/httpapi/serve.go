package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a handler on an address of its own, with the timeouts that a public one needs.
type Server struct {
	listener net.Listener
	http     http.Server
	api      *api // nil: another handler
}

// Listen binds addr, HOST:PORT: a taken port is an error here.
func Listen(addr string, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("httpapi: listen on %s: %w", addr, err)
	}
	return NewServer(l, h), nil
}

// NewServer is Listen for what listens already, such as a listener with TLS. Run closes it.
func NewServer(l net.Listener, h http.Handler) *Server {
	s := &Server{listener: l, http: http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}}
	if a, ok := h.(*api); ok {
		s.api = a
		s.http.RegisterOnShutdown(a.streams.end)
	}
	return s
}

// Open is Listen for a handler of cfg, with the token of tokenFile where cfg has none. An
// empty addr gives a Server that serves nothing. A scope that nothing needs is an error: it is misspelled.
func Open(addr, tokenFile string, cfg Config) (*Server, error) {
	if addr == "" {
		return &Server{}, nil
	}
	var err error
	if len(cfg.AccessTokens) == 0 {
		if cfg.Tokens, err = Tokens(cfg.Tokens, tokenFile); err != nil {
			return nil, err
		}
	}
	a := newAPI(cfg)
	if err := checkScopes(cfg.AccessTokens, a.table); err != nil {
		return nil, err
	}
	return Listen(addr, a)
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends, lets requests in progress finish for a moment, ends streams, and closes.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		<-ctx.Done()
		return nil
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			s.http.Close()
		}
		if s.api != nil {
			s.api.streams.left.Wait() // each WebSocket has a second to hear of it
		}
	})
	err := s.http.Serve(s.listener)
	if !stop() {
		<-done
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("httpapi: serve: %w", err)
	}
	return nil
}
