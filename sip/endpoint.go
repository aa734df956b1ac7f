package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// errClosed is why nothing more is sent after Run has ended.
var errClosed = errors.New("sip: endpoint is closed")

// Endpoint receives and answers SIP on its sockets. All its methods may be
// called from any goroutine.
type Endpoint struct {
	cfg       Config
	log       *slog.Logger
	listeners []*listener
	stats     counters
	strays    *strayTable
	turned    *strayTable // INVITEs that were not welcome
	names     *nameCache
	secret    uint64          // of the tags in answers that leave no state
	life      context.Context // ends with the endpoint
	kill      context.CancelFunc
	wg        sync.WaitGroup // readers, connections, invite handlers, client transactions
	late      atomic.Int64   // goroutines that answer late 2xx
	checks    atomic.Int64   // requests whose password is looked up

	mu        sync.Mutex // guards the rest; may be taken while a Dialog's is held, never the other way round
	closed    bool
	ran       bool
	dialogs   map[string]*Dialog       // by local tag
	usages    map[string]*Dialog       // the same, of calls that are over but for the subscriptions of REFERs
	invites   map[inviteKey]*Dialog    // by what is in the INVITE that began it
	clients   map[string]*sip.ClientTx // by branch
	invited   map[string]*Dialog       // outgoing, unanswered, by the branch of its INVITE
	asking    map[inviteKey]*undecided // INVITEs whose Admission is looked up
	conns     map[netip.AddrPort]*tcpConn
	connCount uint64
	dials     map[netip.AddrPort]*dial
	deaf      map[netip.AddrPort]time.Time // no TCP there, until then
	junkLog   time.Time                    // when junk was last logged
	slogs     *slog.Logger                 // for sipgo
}

// inviteKey finds the dialog that an INVITE without To tag has begun, however
// many paths it took (RFC 3261 8.2.2.2).
type inviteKey struct {
	callID, fromTag string
	cseq            uint32
}

// Addr is an address that an Endpoint listens on.
type Addr struct {
	Network string         // "udp" or "tcp"
	Addr    netip.AddrPort // as bound
}

// New checks cfg, tells all of its faults at once, and binds the sockets.
// Nothing is read from them before Run. When Run is never called, Close
// releases them.
func New(cfg Config) (*Endpoint, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		cfg: cfg, log: cfg.Logger, strays: newStrayTable(cfg.MaxStrays), turned: newStrayTable(maxTurned), secret: newSecret(),
		dialogs: make(map[string]*Dialog),
		invites: make(map[inviteKey]*Dialog),
		clients: make(map[string]*sip.ClientTx),
		invited: make(map[string]*Dialog),
		deaf:    make(map[netip.AddrPort]time.Time),
		asking:  make(map[inviteKey]*undecided),
		conns:   make(map[netip.AddrPort]*tcpConn),
		dials:   make(map[netip.AddrPort]*dial),
		slogs:   slog.New(quiet{cfg.Logger.Handler()}),
	}
	e.life, e.kill = context.WithCancel(context.Background())
	e.names = newNameCache(cfg.Resolver, e.life, e.start)
	var errs []error
	for _, l := range cfg.Listen {
		lis, err := l.open()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		e.listeners = append(e.listeners, lis)
	}
	if len(errs) > 0 {
		e.kill()
		for _, l := range e.listeners {
			_ = l.close()
		}
		return nil, errors.Join(errs...)
	}
	return e, nil
}

// quiet keeps sipgo's own messages at Warn and above; those below tell of
// every transaction.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }

// Addrs returns what the endpoint listens on, in the order of Config.Listen.
func (e *Endpoint) Addrs() []Addr {
	as := make([]Addr, len(e.listeners))
	for i, l := range e.listeners {
		as[i] = Addr{l.network, l.bound}
	}
	return as
}

// Run serves until ctx ends, then closes the sockets, ends what dialogs are
// left with EventFailed, and returns when all of its goroutines have. It does
// not say good-bye to anyone: who wants calls to end properly calls Bye first
// and waits. Its error is ctx's cause only when that is not context.Canceled.
func (e *Endpoint) Run(ctx context.Context) error {
	e.mu.Lock()
	if e.closed || e.ran {
		e.mu.Unlock()
		return errClosed
	}
	e.ran = true
	for _, l := range e.listeners {
		for _, pc := range l.packets {
			e.wg.Go(func() { e.readUDP(newUDPSocket(l, pc)) })
		}
		if l.tcp != nil {
			e.wg.Go(func() { e.acceptTCP(l) })
		}
	}
	if r := e.cfg.Registrar; r != nil && r.cfg.KeepAlive > 0 {
		e.wg.Go(func() { e.keepAlive(r) })
	}
	e.mu.Unlock()

	select {
	case <-ctx.Done():
	case <-e.life.Done():
	}
	err := e.Close()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// Close ends Run, or releases the sockets of an endpoint that never ran. It
// waits for the endpoint's goroutines, so it must not be called from a handler.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return nil
	}
	e.closed = true
	e.kill()
	if r := e.cfg.Registrar; r != nil {
		r.stop()
	}
	var errs []error
	for _, l := range e.listeners {
		errs = append(errs, l.close())
	}
	for _, c := range e.conns {
		_ = c.c.Close()
	}
	ds := make([]*Dialog, 0, len(e.dialogs)+len(e.usages))
	for _, all := range []map[string]*Dialog{e.dialogs, e.usages} {
		for _, d := range all {
			ds = append(ds, d)
		}
	}
	txs := make([]*sip.ClientTx, 0, len(e.clients))
	for _, tx := range e.clients {
		txs = append(txs, tx)
	}
	e.mu.Unlock()
	for _, tx := range txs {
		tx.Terminate()
	}
	if n := e.cfg.Notifier; n != nil {
		n.stop()
	}
	for _, d := range ds {
		d.abandon()
	}
	e.wg.Wait()
	if r := e.cfg.Registrar; r != nil {
		r.wg.Wait()
	}
	return errors.Join(errs...)
}

func (e *Endpoint) closing() bool {
	return e.life.Err() != nil
}

// pause waits; false: the endpoint closes.
func (e *Endpoint) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.life.Done():
		return false
	}
}

// start runs f in a goroutine that Close waits for; false: the endpoint is closed.
func (e *Endpoint) start(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.wg.Go(f)
	return true
}

// recovered is deferred where code of others runs or bytes of others are read.
func (e *Endpoint) recovered(what string, d *Dialog) {
	p := recover()
	if p == nil {
		return
	}
	e.stats.panics.Add(1)
	id := ""
	if d != nil {
		id = d.id
	}
	e.log.Error("panic", "in", what, "dialog", id, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	if d != nil {
		d.crash()
	}
}

// junk counts what was dropped, and says so once a minute at most.
func (e *Endpoint) junk(from netip.AddrPort, why string) {
	n := e.stats.junk.Add(1)
	now := time.Now()
	e.mu.Lock()
	logIt := e.junkLog.IsZero() || now.Sub(e.junkLog) >= time.Minute
	if logIt {
		e.junkLog = now
	}
	e.mu.Unlock()
	if logIt {
		e.log.Warn("dropped a message", "peer", from, "err", why, "dropped_so_far", n)
	}
}

// Stats are counts since New, and what is there now.
type Stats struct {
	Received      uint64 // SIP messages
	Sent          uint64
	Junk          uint64 // dropped unread: not SIP, or too broken to answer
	ReadErrors    uint64
	SendErrors    uint64
	Retransmitted uint64 // 2xx, INVITE and CANCEL that we sent again
	Repeated      uint64 // requests that came again
	Stray         uint64 // responses and ACKs to nothing that we know
	Invites       uint64 // calls handed to Config.Invite
	Calls         uint64 // placed with Endpoint.Call
	Rejected      uint64 // requests refused before they reached a dialog
	Dropped       uint64 // requests that Config.Drop wanted no answer to
	Throttled     uint64 // REGISTERs dropped unanswered: their address sends too many
	Panics        uint64 // recovered
	Dialogs       int    // now
	Connections   int    // TCP, now
	Strays        int    // entries in the table of answered requests, now
}

// Stats returns the endpoint's counters.
func (e *Endpoint) Stats() Stats {
	c := &e.stats
	s := Stats{
		Received: c.received.Load(), Sent: c.sent.Load(), Junk: c.junk.Load(),
		ReadErrors: c.readErrors.Load(), SendErrors: c.sendErrors.Load(),
		Retransmitted: c.retransmitted.Load(), Repeated: c.repeated.Load(), Stray: c.stray.Load(),
		Invites: c.invites.Load(), Calls: c.calls.Load(), Rejected: c.rejected.Load(), Panics: c.panics.Load(), Throttled: c.throttled.Load(), Dropped: c.dropped.Load(),
		Strays: e.strays.len(),
	}
	e.mu.Lock()
	s.Dialogs, s.Connections = len(e.dialogs), len(e.conns)
	e.mu.Unlock()
	return s
}

// shown is the host and port under which peer knows the endpoint through l.
func (e *Endpoint) shown(l *listener, peer netip.Addr) (host string, port uint16) {
	if l.advertise != "" && !e.isLocal(peer) {
		return l.advertise, l.advPort
	}
	return uriHost(e.localIP(l, peer)), l.bound.Port()
}

func (e *Endpoint) isLocal(peer netip.Addr) bool {
	for _, p := range e.cfg.LocalNets {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// localIP is our own address towards peer: the bound one, or for a socket bound
// to all addresses the one that the kernel would send from.
func (e *Endpoint) localIP(l *listener, peer netip.Addr) netip.Addr {
	a := l.bound.Addr()
	if !a.IsUnspecified() {
		return a
	}
	// Connecting a UDP socket sends nothing.
	c, err := net.Dial("udp", net.JoinHostPort(peer.String(), strconv.Itoa(9)))
	if err != nil {
		return a
	}
	defer func() { _ = c.Close() }()
	return addrPortOf(c.LocalAddr()).Addr()
}
