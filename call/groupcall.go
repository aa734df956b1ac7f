package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// GroupcallOptions of one groupcall. Only Destinations are needed.
type GroupcallOptions struct {
	Destinations []address.Address // 1 to action.MaxDestinations
	// Source is who is shown as calling. The zero value: the Caller of the trunk, else the
	// engine's own address.
	Source address.Address
	// Flow runs on each call that is answered, with hangup_others on the first one only; its end hangs that call
	// up. Nil: it is hung up at once.
	Flow           flow.Program
	EarlyExecution bool // Flow begins at ringing, on all that ring
	// RingMethod is store.RingAll, which is also what "" is: all ring at once; or store.RingLinear: one after
	// the other, until one answers.
	RingMethod string
	// AnswerMethod is store.AnswerHangupOthers: the first answer ends all others; or store.AnswerNone: others ring
	// on and may answer, too.
	AnswerMethod string
	// MasterCallID is a call that all calls of the group are chained to: its end is theirs.
	MasterCallID string
	RingTimeout  time.Duration // of each destination; 0: Config.RingTimeout
	Timeout      time.Duration // until one has answered, of all of it; 0: none
	Anonymous    string        // "yes": the number is hidden (RFC 3323); "", "no", "auto": it is not
	Variables    map[string]string
	Metadata     map[string]string // nil: the master's
	Headers      []sip.Header      // more headers of the INVITEs
	JourneyID    string            // "": the master's, or a new one

	asker  asker  // who asks, by what; the zero by: the program
	by     string // what it is that dials
	parent string // the call on whose behalf it is made, where that is not its master
}

// Groupcall is an attempt to reach one of several destinations. Agents with Agent.Groupcall are
// groupcalls within it. All of its methods are safe for any goroutine.
type Groupcall struct {
	id     string
	hunt   *hunt
	parent *Groupcall      // that it is within; nil: none
	of     address.Address // what it stands for in its parent
	each   time.Duration   // that each of it rings; 0: as the hunt says
	depth  int
	told   bool // there are events and a record; else it is the inside of a connect
	linear bool
	dests  []address.Address
	done   chan struct{}

	// Owned by who takes the hunt's notices.
	next    int // of dests, to be dialled
	subs    []*Groupcall
	dialing bool // settle has to wait
	end     *End // no more is dialled; nil: it may be

	mu     sync.Mutex
	record store.Groupcall // guarded by mu
}

// Groupcall rings several destinations and returns at once. It is over, and Done closed, when none of its calls is
// left; exactly one "groupcall_hangup" tells so. ErrMasterEnding, ErrNoRoom.
func (e *Engine) Groupcall(ctx context.Context, o GroupcallOptions) (*Groupcall, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if !e.mayPlace() {
		return nil, ErrNoRoom
	}
	if o.by == "" {
		o.asker, o.by = asker{program: true}, byGroupcall
	}
	h := newHunt(e)
	h.first, h.ring = o.AnswerMethod == store.AnswerHangupOthers, o.RingTimeout
	h.shows = func(address.Address) (source, otherwise address.Address) { return o.Source, otherwise }
	h.base = outgoing{
		program: o.Flow, early: o.EarlyExecution, anonymous: o.Anonymous == "yes", vars: o.Variables, metadata: o.Metadata,
		headers: o.Headers, journey: o.JourneyID, master: o.MasterCallID, parent: o.parent, fresh: true,
		asker: o.asker, by: o.by,
	}
	if h.base.program == nil {
		h.base.program = nothing
	}
	if c, ok := e.Call(o.parent); ok {
		h.base.behalf = c
	}
	if o.MasterCallID != "" {
		master, ok := e.Call(o.MasterCallID)
		if !ok || master.State().Phase == PhaseEnded {
			return nil, fmt.Errorf("call: groupcall of call %s: %w", o.MasterCallID, ErrMasterEnding)
		}
		h.inherit(master)
	}
	h.base.journey = cmp.Or(h.base.journey, newID())
	g := newGroupcall(h, nil, cmp.Or(o.RingMethod, store.RingAll), o.Destinations)
	if !e.addGroupcall(g) {
		return nil, ErrNoRoom
	}
	e.wg.Go(func() {
		if o.Timeout > 0 {
			t := time.AfterFunc(o.Timeout, func() { g.expire() })
			defer t.Stop()
		}
		g.start(e.callCtx)
		h.run()
	})
	return g, nil
}

func (o *GroupcallOptions) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("call: groupcall: "+format, args...)) }
	if n := len(o.Destinations); n == 0 || n > action.MaxDestinations {
		bad("%d destinations are not 1 to %d", n, action.MaxDestinations)
	}
	switch o.RingMethod {
	case "", store.RingAll, store.RingLinear:
	default:
		bad("ring method %.40q is neither %s nor %s", o.RingMethod, store.RingAll, store.RingLinear)
	}
	switch o.AnswerMethod {
	case store.AnswerNone, store.AnswerHangupOthers:
	default:
		bad("answer method %.40q is neither empty nor %s", o.AnswerMethod, store.AnswerHangupOthers)
	}
	switch o.Anonymous {
	case "", "yes", "no", "auto":
	default:
		bad("anonymous %.40q is none of yes, no and auto", o.Anonymous)
	}
	if o.RingTimeout < 0 || o.Timeout < 0 {
		bad("a timeout is negative")
	}
	if err := checkJourneyID(o.JourneyID); err != nil {
		bad("%w", err)
	}
	for _, h := range o.Headers {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
			bad("header %.40q holds a line break", h.Name)
		}
	}
	return errors.Join(errs...)
}

// inherit chains the legs to master.
func (h *hunt) inherit(master *Call) {
	rec := master.Record()
	h.master, h.base.master, h.base.behalf = master, master.id, master
	h.base.journey = cmp.Or(h.base.journey, rec.JourneyID)
	if h.base.metadata == nil {
		h.base.metadata = rec.Metadata
	}
}

// hops lets the legs have one hop less left than the request of c, whose record is rec: a circle of calls comes to an end.
func (h *hunt) hops(c *Call, rec *store.Call) { h.base.maxForwards, h.base.refused = c.hops(rec) }

// hops is how many hops a call has left that c, whose record is rec, leads to; 0: as many as a fresh one.
func (c *Call) hops(rec *store.Call) (left int, refused *Refusal) {
	if d := c.dialog.Load(); isIncoming(rec) && d != nil {
		if left = d.Invite().MaxForwards - 1; left <= 0 {
			return 0, &Refusal{Status: 483, Code: CodeTooManyHops, Sentence: "the call has taken too many hops"}
		}
	} else if c.out != nil {
		left = c.out.maxForwards
	}
	return left, nil
}

// newGroupcall makes a group of h: its root, or one within parent.
func newGroupcall(h *hunt, parent *Groupcall, method string, dests []address.Address) *Groupcall {
	dests = slices.Clone(dests)
	for i := range dests {
		dests[i] = dests[i].Normalize()
	}
	now := store.At(time.Now())
	source, otherwise := h.shows(dests[0])
	if source.IsZero() {
		source = otherwise
	}
	g := &Groupcall{id: newID(), hunt: h, parent: parent, told: true, linear: method == store.RingLinear, dests: dests, done: make(chan struct{})}
	g.record = store.Groupcall{
		ID: g.id, Status: store.GroupcallProgressing, Destinations: dests, Source: source, MasterCallID: h.base.master,
		RingMethod: method, JourneyID: h.base.journey, Metadata: maps.Clone(h.base.metadata), TmCreate: now, TmUpdate: now,
	}
	if h.first {
		g.record.AnswerMethod = store.AnswerHangupOthers
	}
	if f, ok := h.base.program.(*flow.Flow); ok {
		g.record.FlowID = f.ID()
	}
	if parent == nil {
		h.root = g
		return g
	}
	g.depth = parent.depth + 1
	parent.subs = append(parent.subs, g)
	if parent.told {
		g.record.MasterGroupcallID = parent.id
	}
	return g
}

// ID returns the groupcall's id, a UUID.
func (g *Groupcall) ID() string { return g.id }

// Done is closed when the groupcall is over: no call of it is left, and its record is stored.
func (g *Groupcall) Done() <-chan struct{} { return g.done }

// Record returns the groupcall as it would be stored now.
func (g *Groupcall) Record() store.Groupcall {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.record
	r.Destinations, r.CallIDs, r.GroupcallIDs = slices.Clone(r.Destinations), slices.Clone(r.CallIDs), slices.Clone(r.GroupcallIDs)
	r.Metadata = maps.Clone(r.Metadata)
	return r
}

// change changes the record.
func (g *Groupcall) change(f func(r *store.Groupcall)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.record)
	g.record.TmUpdate = store.At(time.Now())
}

// Hangup ends all calls of the groupcall, those of groupcalls within it among them, and dials no more. It does not
// wait: see Done.
func (g *Groupcall) Hangup() {
	g.hunt.post(notice{what: "hangup", of: g, end: End{By: "local", Reason: store.ReasonNormal, Status: 487, Cause: 16,
		Code: CodeHungUp, Sentence: "the groupcall was hung up"}})
}

// expire ends a groupcall that nobody has answered in time.
func (g *Groupcall) expire() { g.hunt.post(notice{what: "expired", of: g, end: nobodyInTime}) }

// FindGroupcall returns the groupcall with that id while it is up.
func (e *Engine) FindGroupcall(id string) (*Groupcall, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, ok := e.groupcalls[id]
	return g, ok
}

// Groupcalls yields the groupcalls that are up, those within others too, in no order.
func (e *Engine) Groupcalls() iter.Seq[*Groupcall] {
	e.mu.Lock()
	all := slices.Collect(maps.Values(e.groupcalls))
	e.mu.Unlock()
	return slices.Values(all)
}

// addGroupcall makes g one of those that are up; false where no call of ours is up that it belongs to, and the engine drains.
func (e *Engine) addGroupcall(g *Groupcall) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining.Load() && g.hunt.base.fresh && g.parent == nil && e.calls[g.hunt.base.master] == nil {
		return false
	}
	e.groupcalls[g.id] = g
	return true
}

func (e *Engine) forgetGroupcall(g *Groupcall) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.groupcalls, g.id)
	e.checkEmptyLocked()
}

// keepGroupcall stores the record.
func (e *Engine) keepGroupcall(g *Groupcall) {
	if e.cfg.Store == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil { // of the host's store
			e.log.Error("record not stored", "groupcall", g.id, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := e.cfg.Store.PutGroupcall(ctx, g.Record()); err != nil {
		e.log.Error("record not stored", "groupcall", g.id, "err", err)
	}
}
