package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/media/stream"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

const (
	// hangupTime is how long a stopping engine waits for the answers to its BYEs.
	hangupTime = 2 * time.Second
	// storeTimeout bounds one write of a call's record.
	storeTimeout = 30 * time.Second
)

// Engine takes calls and runs their flows. Make it with New, then Run it.
type Engine struct {
	cfg         Config
	log         *slog.Logger
	sip         *sip.Endpoint
	shards      *media.Shards
	media       []MediaFactory
	maxDuration time.Duration
	hosts       map[string]bool // our own, see ownHosts
	verifier    *verify.Verifier
	self        map[string]bool  // our own addresses, see selfAddrs
	recorders   media.Recorders  // writes twice a second
	lines       map[string]*line // the trunks by name; never changed
	streamDial  stream.DialFunc  // to programs that get the sound of calls
	keys        keys
	auth        *sip.Authenticator // nil: there are no extensions
	registrar   *sip.Registrar     // nil: there are no extensions
	notifier    *sip.Notifier      // nil: there are no extensions
	overload    *overload
	workshop    workshop

	wg         sync.WaitGroup // all goroutines of calls
	callCtx    context.Context
	cancelCall context.CancelFunc
	draining   atomic.Bool

	following    sync.WaitGroup // flows that follow calls
	followCtx    context.Context
	cancelFollow context.CancelFunc

	cut     chan struct{}
	cutOnce sync.Once

	rooms    rooms
	events   *eventLog
	mailroom mailroom
	desk     desk
	orbits   orbits
	runs     flowRuns

	tuneOnce sync.Once
	ownTune  *media.Clip // made when the first one is on hold

	mu         sync.Mutex
	calls      map[string]*Call      // guarded by mu
	groupcalls map[string]*Groupcall // guarded by mu
	empty      chan struct{}         // guarded by mu; closed when both are empty while draining
}

// New checks cfg and binds its sockets: a taken port is an error here. Every bad
// field is reported at once.
func New(cfg Config) (*Engine, error) {
	var errs []error
	if cfg.Route == nil {
		errs = append(errs, errors.New("call: Config.Route is missing: without it no call has a flow"))
	}
	if cfg.MaxCalls < 0 || cfg.MaxCallDuration < 0 || cfg.DrainTimeout < 0 {
		errs = append(errs, errors.New("call: Config.MaxCalls, MaxCallDuration and DrainTimeout cannot be negative"))
	}
	if cfg.RingTimeout < 0 {
		errs = append(errs, errors.New("call: Config.RingTimeout cannot be negative"))
	}
	if cfg.Accounts != nil && cfg.Rates == nil {
		errs = append(errs, errors.New("call: Config.Accounts need Rates: without them no call has a price"))
	}
	if cfg.Budget.WarnBefore < 0 {
		errs = append(errs, errors.New("call: Config.Budget.WarnBefore cannot be negative"))
	}
	if cfg.JourneyHeader != "" {
		if err := checkHeader(sip.Header{Name: cfg.JourneyHeader}); err != nil {
			errs = append(errs, fmt.Errorf("call: Config.JourneyHeader: %w", err))
		}
	}
	if cfg.EventHistory < 0 || cfg.QualityInterval < 0 {
		errs = append(errs, errors.New("call: Config.EventHistory and QualityInterval cannot be negative"))
	}
	errs = append(errs, cfg.Overload.check(), cfg.Parking.check(), cfg.MediaTimeout.check(), cfg.Outbound.check("call: Config.Outbound"), checkTrunks("call: Config.Trunks", cfg.Trunks), checkRoutes("call: Config.Routes", cfg.Routes, cfg.Trunks),
		checkSigning("call: Config.Trunks", cfg.Trunks, cfg.Signing.Signer != nil),
		cfg.Outbound.Emergency.checkTrunks("call: Config.Outbound.emergency", cfg.Trunks))
	errs = append(errs, cfg.checkVerification("call: Config.Verification."))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	cfg.Outbound.irsf = newPrefixes(cfg.Outbound.IRSF)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = []sip.Listen{{Network: "udp", Addr: "127.0.0.1:5060"}, {Network: "tcp", Addr: "127.0.0.1:5060"}}
	}
	if n := runtime.GOMAXPROCS(0); n <= runtime.NumCPU() {
		cfg.Logger.Warn("GOMAXPROCS leaves no room beside the media threads; set it to twice the CPUs plus two", "gomaxprocs", n)
	}
	e := &Engine{
		cfg: cfg, log: cfg.Logger, calls: map[string]*Call{}, groupcalls: map[string]*Groupcall{}, cut: make(chan struct{}),
		maxDuration: cmp.Or(cfg.MaxCallDuration, DefaultMaxCallDuration),
		recorders:   media.Recorders{Interval: recordInterval},
		streamDial:  cfg.Streams.dial(),
		lines:       newLines(cfg.Trunks),
		overload:    newOverload(cfg.Overload),
		events:      newEventLog(max(cmp.Or(cfg.EventHistory, DefaultEventHistory), minEventHistory)),
	}
	room := cfg.RoomOptions
	room.ID = "any"
	if err := e.checkConference(&room); err != nil {
		return nil, fmt.Errorf("call: Config.RoomOptions: %w", err)
	}
	e.callCtx, e.cancelCall = context.WithCancel(context.Background())
	e.followCtx, e.cancelFollow = context.WithCancel(context.Background())
	if err := e.openMedia(); err != nil {
		return nil, err
	}
	for i, t := range cfg.Trunks {
		errs = append(errs, e.checkCodecs(fmt.Sprintf("call: Config.Trunks[%d].Codecs", i), t.Codecs))
	}
	if err := errors.Join(append(errs, e.openRegistrar(), e.openNotifier(), e.loadRegistrations(), e.openQueues())...); err != nil {
		return nil, err
	}
	below := sip.Config{
		Listen: cfg.Listen, LocalNets: cfg.LocalNets, UserAgent: cfg.UserAgent,
		Invite: e.admit, Ready: e.welcome, Logger: cfg.Logger, Registrar: e.registrar, Notifier: e.notifier,
		Session: cfg.SessionTimer, Reliable: cfg.Reliable, Transfer: true,
		Drop: func(_, userAgent string, _ netip.AddrPort) bool { return e.verifier.Drops(userAgent) },
	}
	if e.registrar != nil {
		below.Admit = e.mayCall
	}
	var err error
	if e.sip, err = sip.New(below); err != nil {
		return nil, err
	}
	e.hosts, e.self = e.ownHosts(), e.selfAddrs()
	if e.verifier, err = e.cfg.verifier(e.hosts); err != nil { // cannot fail: it was checked above
		return nil, err
	}
	if err := cfg.Directory.bind(e); err != nil {
		return nil, errors.Join(err, e.sip.Close())
	}
	return e, nil
}

func (e *Engine) openMedia() error {
	e.cfg.Shards.Logger = e.log
	e.shards = media.NewShards(e.cfg.Shards)
	e.media = e.cfg.Media
	if len(e.media) > 0 {
		return nil
	}
	r := e.cfg.RTP
	r.Shards, r.Logger = e.shards, e.log
	e.cfg.MediaTimeout = e.cfg.MediaTimeout.apply(&r)
	f, err := rtp.New(r)
	if err != nil {
		return err
	}
	codecs := r.Codecs
	if len(codecs) == 0 {
		codecs = []codec.Codec{codec.PCMU, codec.PCMA}
	}
	e.media = []MediaFactory{rtpFactory{f, codecs}}
	return nil
}

// welcome tells the SIP side whether a new call is taken, whose INVITE has waited so long.
func (e *Engine) welcome(waited time.Duration) (bool, time.Duration) {
	switch {
	case e.draining.Load():
		return false, 10 * time.Second
	case !e.mayPlace():
		return false, time.Second
	}
	return e.overload.take(time.Now(), waited)
}

// mayPlace tells whether there is room for one more call.
func (e *Engine) mayPlace() bool {
	return !e.draining.Load() && (e.cfg.MaxCalls == 0 || e.count() < e.cfg.MaxCalls)
}

// count is how many calls are up.
func (e *Engine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

// Ready tells whether new calls are taken: not while draining, nor at Config.MaxCalls. In overload only a share of them is: see
// Stats.
func (e *Engine) Ready() bool { return e.mayPlace() }

// Run serves until ctx ends. Then it drains: new calls are refused with 503, those
// that are up go on for DrainTimeout, or until Cut, and are hung up after it. It returns when
// every record is stored and every socket closed.
func (e *Engine) Run(ctx context.Context) error {
	mediaCtx, stopMedia := context.WithCancel(context.Background())
	sipCtx, stopSIP := context.WithCancel(context.Background())
	defer stopMedia()
	defer stopSIP()
	var below sync.WaitGroup
	failed := make(chan error, 2)
	below.Go(func() {
		if err := e.shards.Run(mediaCtx); err != nil {
			failed <- err
		}
	})
	sipEnded := make(chan struct{})
	below.Go(func() {
		defer close(sipEnded)
		if err := e.sip.Run(sipCtx); err != nil {
			failed <- err
		}
	})
	trunkCtx, stopTrunks := context.WithCancel(ctx)
	defer stopTrunks()
	var trunks sync.WaitGroup
	trunks.Go(func() { e.keepTrunks(trunkCtx) })
	if e.cfg.QualityInterval > 0 {
		trunks.Go(func() { e.keepQuality(e.callCtx) })
	}
	if e.cfg.mailboxes() != nil {
		below.Go(func() { e.keepMailboxes(sipCtx) })
	}
	if e.registrar != nil && e.cfg.RegistrationFile != "" {
		below.Go(func() { e.keepRegistrations(sipCtx.Done()) })
	}
	var err error
	select {
	case <-ctx.Done():
		e.drain()
	case err = <-failed:
		e.draining.Store(true)
	}
	e.hangUpAll()
	for f := range e.Conferences() {
		f.Terminate()
	}
	e.cancelCall()
	e.desk.close()
	e.waitFollowing()
	e.unwatchAll()
	stopTrunks()
	trunks.Wait() // it says good-bye to registrars
	stopSIP()
	<-sipEnded // until then it tells calls, whose loops begin anew
	e.wg.Wait()
	e.events.close()
	if c, ok := e.cfg.Verification.Identity.(io.Closer); ok {
		err = cmp.Or(err, c.Close())
	}
	if cerr := e.recorders.Close(); err == nil {
		err = cerr
	}
	stopMedia()
	below.Wait()
	return err
}

// RunUntilSignal is Run for a program that has nothing else to do: the first SIGINT or SIGTERM
// drains, a second one cuts. What runs beside the engine (a web server, flow.Dir.Watch) gets
// a context that ends after the last call; if one of them fails, the engine drains too.
func (e *Engine) RunUntilSignal(beside ...func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	last, end := context.WithCancel(context.Background())
	var others sync.WaitGroup
	errs := make([]error, len(beside)+1)
	for i, run := range beside {
		others.Go(func() {
			if err := run(last); last.Err() == nil {
				errs[i] = err
				stop()
			}
		})
	}
	others.Go(func() {
		<-ctx.Done()
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(again)
		select {
		case <-again:
			e.Cut()
		case <-last.Done():
		}
	})
	errs[len(beside)] = e.Run(ctx)
	stop()
	end()
	others.Wait()
	return errors.Join(errs...)
}

// Cut ends a drain at once.
func (e *Engine) Cut() { e.cutOnce.Do(func() { close(e.cut) }) }

// drain waits until the calls have ended by themselves.
func (e *Engine) drain() {
	e.draining.Store(true)
	wait := e.whenEmpty()
	t := time.NewTimer(cmp.Or(e.cfg.DrainTimeout, DefaultDrainTimeout))
	defer t.Stop()
	select {
	case <-wait:
	case <-t.C:
	case <-e.cut:
	}
}

// whenEmpty returns a channel that is closed when no call is left.
func (e *Engine) whenEmpty() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.empty = make(chan struct{})
	wait := e.empty
	e.checkEmptyLocked()
	return wait
}

// hangUpAll ends the calls that are left, and gives up on peers that do not answer.
func (e *Engine) hangUpAll() {
	for c := range e.Calls() {
		c.hangUp(stopping)
	}
	wait := e.whenEmpty()
	t := time.NewTimer(hangupTime)
	defer t.Stop()
	select {
	case <-wait:
		return
	case <-t.C:
	}
	for c := range e.Calls() {
		c.post(Input{Kind: KindSIP, SIP: &sip.Event{Kind: sip.EventFailed, Reason: "no answer to our BYE"}})
	}
	e.cancelCall()
	<-wait
}

// Call returns the call with that id while it is up.
func (e *Engine) Call(id string) (*Call, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.calls[id]
	return c, ok
}

// Calls yields the calls that are up, in no order.
func (e *Engine) Calls() iter.Seq[*Call] {
	e.mu.Lock()
	all := make([]*Call, 0, len(e.calls))
	for _, c := range e.calls {
		all = append(all, c)
	}
	e.mu.Unlock()
	return func(yield func(*Call) bool) {
		for _, c := range all {
			if !yield(c) {
				return
			}
		}
	}
}

// Addrs are the SIP addresses that are served, with the ports that port 0 became.
func (e *Engine) Addrs() []sip.Addr { return e.sip.Addrs() }

// Lateness tells how punctual the media threads were.
func (e *Engine) Lateness() media.LatenessStats { return e.shards.Lateness() }

func (e *Engine) isLocal(a netip.Addr) bool {
	for _, p := range e.cfg.LocalNets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// add makes c one of the calls that are up; false where it is a fresh one of ours and the engine drains: one that
// belongs to a call that is up is not.
func (e *Engine) add(c *Call, fresh bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if fresh && e.draining.Load() && (c.out == nil || e.calls[c.out.master] == nil) {
		return false
	}
	e.calls[c.id] = c
	return true
}

func (e *Engine) forget(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.calls, c.id)
	e.checkEmptyLocked()
}

// checkEmptyLocked tells who waits for the last call; mu is held.
func (e *Engine) checkEmptyLocked() {
	if len(e.calls) == 0 && len(e.groupcalls) == 0 && e.empty != nil {
		close(e.empty)
		e.empty = nil
	}
}

// keep stores what is left of a call: its record and its trace.
func (e *Engine) keep(c *Call) {
	defer func() {
		if r := recover(); r != nil { // of the host's store
			c.log().Error("record not stored", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	rec := c.Record()
	c.log().Info("call ended", "by", rec.HangupBy, "reason", rec.HangupReason, "status", rec.SIPCode, "code", rec.Code,
		"talk_ms", rec.TalkMS, "step", rec.FlowPosition)
	if e.cfg.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := e.cfg.Store.PutCall(ctx, rec); err != nil {
		c.log().Error("record not stored", "err", err)
	}
	w := e.workshop.take()
	defer e.workshop.give(w)
	if err := e.cfg.Store.PutTrace(ctx, c.id, c.wholeTrace(w)); err != nil {
		c.log().Error("trace not stored", "err", err)
	}
}
