package calltest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// ScriptOptions of RunScript. The zero value is a good network and an engine with its defaults.
type ScriptOptions struct {
	Faults Faults // of a Net; a Loopback has none
	// EarlyMedia lets sound begin before the flow does, so that keys can be pressed in a call that is not answered. Without
	// it that is a failure: nobody could.
	EarlyMedia bool
	// Config changes that of the engine.
	Config func(*call.Config)
}

// RunScript is f.Run over an engine, with SIP and RTP on network: a phone calls the flow and does what script says, other
// phones are its peers. On a Net that takes no time, in a bubble of its own; on a Loopback as long as the call. The test
// fails for the reasons of Flow.Run, where the caller did not hear what was played, and at once for a line of the
// script that a real call has no side for: orbit, rings, mailbox, message, machine, status, recording, leg of anything but speaker and prompts, and
// date on a Loopback. flowtest.Compare tells whether the result is that of f.Run.
//
// Numbers go to the peers by a trunk. Extensions and SIP addresses are called at the address of the peers' phone, for there
// are neither names to look up nor phones that have registered. Calls that the flow places with call ring there, but what
// becomes of them is in no transcript.
func RunScript(t *testing.T, network Network, f *flowtest.Flow, script string, o ScriptOptions) (r *flowtest.Result) {
	t.Helper()
	s, err := flowtest.ParseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := network.(*Net); ok {
		n.SetFaults(o.Faults)
		synctest.Test(t, func(t *testing.T) { r = play(t, network, f, s, o) })
	} else {
		r = play(t, network, f, s, o)
	}
	for _, err := range r.Failures {
		t.Error(err)
	}
	if len(r.Failures) > 0 {
		t.Logf("the call was:\n%s", r)
	}
	return r
}

// playable tells which line of a script a real call on network has no side for.
func playable(network Network, s flowtest.Script) error {
	for i, l := range s {
		what, _, _ := strings.Cut(l.Args, " ")
		switch l.Verb {
		case "leg":
			if what == "speaker" || what == "prompts" {
				continue
			}
		case "date":
			if _, ok := network.(*Net); ok {
				continue
			}
		case "orbit", "rings", "mailbox", "message", "machine", "status", "recording":
		default:
			continue
		}
		return fmt.Errorf("calltest: line %d: %q: the engine has no side for it, only a simulated call has", i+1, l)
	}
	return nil
}

// scripted is one call of RunScript.
type scripted struct {
	t       *testing.T
	flow    *flowtest.Flow
	early   bool
	engine  *call.Engine
	peers   *peers
	world   *flowtest.World
	program flow.Program

	ready chan struct{}  // closed when the fields above are set; the engine and the peers wait for it
	phone *PhoneCall     // set after that; belongs to play and the caller
	work  sync.WaitGroup // in the background of the call
	began chan struct{}  // closed when the flow begins
	ended chan struct{}  // closed when it is over

	before, after map[string]string // variables of the flow; written before ended is closed
	err           error             // that ended it; so, too

	mu       sync.Mutex
	id       string    // guarded by mu; of the call
	step     flow.Step // guarded by mu; that runs
	failures []error   // guarded by mu
}

// play is the call, from the engine's start to its end.
func play(t *testing.T, network Network, f *flowtest.Flow, s flowtest.Script, o ScriptOptions) *flowtest.Result {
	t.Helper()
	c := &scripted{t: t, flow: f, early: o.EarlyMedia, ready: make(chan struct{}), began: make(chan struct{}), ended: make(chan struct{})}
	stop, err := c.open(network, s, o)
	defer stop()
	if err != nil {
		return &flowtest.Result{Script: s, Failures: []error{err}}
	}
	acting, over := context.WithCancel(context.Background())
	defer over()
	acted := make(chan error, 1)
	go func() { acted <- c.world.Act(acting, scriptCaller{c}) }() // waited for below
	select {
	case <-c.ended:
	case <-c.phone.Done():
	}
	over()
	if err := <-acted; err != nil {
		c.fail(err)
	}
	<-c.phone.Done()
	select {
	case <-c.began:
		<-c.ended
	default:
		c.fail(fmt.Errorf("calltest: the flow has not begun: %w", c.phone.err()))
	}
	c.settle()
	stop()
	r := f.Result(c.world, c.before, c.after, c.err)
	r.Failures = append(r.Failures, c.failures...)
	r.Failures = append(r.Failures, c.unheard(r.Events)...)
	return r
}

// Times after the call.
const (
	settling  = 100 * time.Millisecond // what its end means for others is told to them
	lingering = time.Minute            // its background work has that much, as webhooks need that are sent again
)

// settle lets what follows from the end of the call come to its own.
func (c *scripted) settle() {
	worked := make(chan struct{})
	go func() { // ended by stop at the latest, which ends all background work
		c.work.Wait()
		close(worked)
	}()
	<-time.After(settling)
	select {
	case <-worked:
	case <-time.After(lingering):
	}
	c.peers.hush()
}

// open starts all that the call needs, and places it; stop ends all of it.
func (c *scripted) open(network Network, s flowtest.Script, o ScriptOptions) (stop func(), err error) {
	c.t.Helper()
	here, there := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.1.1")
	if _, ok := network.(Loopback); ok {
		here, there = netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.1")
	}
	// Flows of legs that this one dials, or that follow it, have a world of their own: they are not in the transcript.
	lines := c.flow.Script(s)
	if err := playable(network, lines); err != nil {
		return func() {}, err
	}
	beyond, err := c.flow.World(s)
	if err == nil {
		_, err = c.flow.Program(beyond)
	}
	if err != nil {
		return func() {}, err
	}
	c.peers = newPeers(c, network, there)
	cfg := c.config(beyond)
	cfg.Queues, cfg.Agents = c.peers.queues(lines)
	if o.Config != nil {
		o.Config(&cfg)
	}
	var stopEngine func()
	c.engine, stopEngine = Run(c.t, network, cfg)
	for _, l := range lines {
		if l.Verb == "conference" {
			if _, err := c.engine.CreateConference(call.ConferenceOptions{ID: l.Args}); err != nil {
				c.fail(err)
			}
		}
	}
	from, user := ends(beyond.StartVars())
	from.Addr, from.Server = here, c.engine.Addrs()[0].Addr
	phone := NewPhone(c.t, network, from)
	stop = sync.OnceFunc(func() {
		stopEngine()
		phone.Close()
		c.peers.phone.Close()
	})
	if c.world, err = c.flow.World(s); err == nil { // its clock starts here
		c.program, err = c.flow.Program(c.world)
	}
	close(c.ready)
	if err == nil {
		c.phone, err = phone.start(user)
	}
	return stop, err
}

// ends are the phone of who calls and the user of who is called, by the variables of the script.
func ends(vars map[string]string) (from PhoneConfig, user string) {
	user = "100"
	if v := vars["voipbin.call.destination.target"]; v != "" {
		user, _, _ = strings.Cut(v, "@")
	}
	from.User, from.Host, _ = strings.Cut(vars["voipbin.call.source.target"], "@")
	return from, user
}

// config is that of the engine; beyond is the world of other calls than the caller's.
func (c *scripted) config(beyond *flowtest.World) call.Config {
	peers := c.peers.phone.Addr()
	return call.Config{
		Deps: beyond.Deps(), Store: store.Memory(), Mailboxes: noMailboxes{},
		FlowByID: func(ctx context.Context, id string) (flow.Program, error) {
			p, err := beyond.FlowByID(ctx, id)
			if errors.Is(err, action.ErrNoFlow) { // what becomes of calls that the flow places is not scripted
				return flow.Func(func(ctx context.Context, _ action.Leg) error { <-ctx.Done(); return context.Cause(ctx) }), nil
			}
			return p, err
		},
		Outbound: call.Outbound{SIP: []string{peers.Addr().String()}, Tel: []string{"+"}},
		Trunks:   []call.Trunk{{Name: "peers", Address: peers.String(), Transport: "udp"}},
		Route: func(_ context.Context, in *call.Incoming) (flow.Program, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.id = in.ID
			return flow.Func(c.run), nil
		},
		OnEvent: func(e call.Event) {
			c.mu.Lock()
			ours := e.CallID == c.id
			c.mu.Unlock()
			if ours && e.Type == "call_progressing" { // not before run has begun
				c.world.Log(flowtest.KindAnswered, "")
			}
		},
	}
}

// noMailboxes are those of a script without a mailbox line; those with one are not playable.
type noMailboxes struct{}

func (noMailboxes) Mailbox(context.Context, string) (m call.Mailbox, ok bool, err error) {
	return m, false, nil
}

// run is the flow, on the goroutine that the engine has for it.
func (c *scripted) run(ctx context.Context, leg action.Leg) error {
	<-c.ready
	close(c.began)
	defer close(c.ended)
	for name, value := range c.world.StartVars() {
		if value == flowtest.ActiveflowID {
			continue // the real one is as good
		}
		if err := leg.Vars().Set(name, value); err != nil {
			c.fail(err)
		}
	}
	real, ok := leg.(*call.Call)
	if !ok {
		return errors.ErrUnsupported // the engine runs flows on nothing else
	}
	if c.early {
		stop, err := real.Listen(ctx, func(int) (media.Tap, error) { return deaf{}, nil })
		if err != nil {
			return err
		}
		stop()
	}
	c.before = leg.Vars().All()
	c.err = c.program.Run(ctx, &scriptLeg{real, c})
	c.after = leg.Vars().All()
	return c.err
}

// deaf is a tap for the sake of the sound that it opens.
type deaf struct{}

func (deaf) Tick(uint64, []int16, []int16) {}

func (c *scripted) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, err)
}
