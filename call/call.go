package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// Limits of one call.
const (
	// MaxTrace is how many bytes a call's trace keeps; later inputs still work, but are not
	// in it.
	MaxTrace = 4 << 20
	// MaxMetadata is how many keys a call's metadata has, MaxMetadataKey and MaxMetadataValue how
	// many bytes.
	MaxMetadata      = 64
	MaxMetadataKey   = 64
	MaxMetadataValue = 1024
	// maxQueue bounds the inputs from the network that wait for the loop. A peer that
	// sends faster than that loses digits, not the call.
	maxQueue = 256
)

// Call is one leg between the outside and this engine. All its methods are safe for
// any goroutine. It implements action.Leg and the capabilities of action/leg.go.
type Call struct {
	id      string
	journey string // set before the first input
	engine  *Engine
	vars    *action.Vars
	digits  action.DigitBuffer
	done    chan struct{}
	account string    // whose it is; set before the first input
	out     *outgoing // how a call of ours is placed; nil: it came to us
	fork    *fork     // of a call of ours to several phones; owned by the loop

	dialog  atomic.Pointer[sip.Dialog]   // nil before the INVITE of a call of ours
	leg     atomic.Pointer[MediaLeg]     // nil before the first offer/answer
	bridge  atomic.Pointer[Confbridge]   // that the call is in
	secret  atomic.Pointer[secretDigits] // who gets the keys past the loop; nil: nobody
	stepNow atomic.Pointer[runningStep]  // nil: none that takes time
	waiting atomic.Pointer[hold]         // what it hears while it waits in a queue; nil: it does not
	holding atomic.Bool                  // its peer holds it

	supervises atomic.Pointer[supervising] // what it does as a supervisor's call; nil: it is none

	extension atomic.Pointer[string]   // of ours, that is at the far end and has proved it; nil: none
	origin    atomic.Pointer[asker]    // who asks where it dials; nil: it did not come in here
	denied    atomic.Pointer[Refusal]  // why the gate did not let it out, or follow a redirect; nil: it did
	transfer  atomic.Pointer[Transfer] // that it takes part in; nil: none

	// The loop: whoever posts the first input starts a goroutine that consumes until
	// the queue is empty, so that a call at rest costs no stack.
	mu            sync.Mutex
	work          *work // guarded by mu; what a loop that runs has, and in it the inputs; nil: none runs
	running       bool  // guarded by mu
	lastRef       int   // guarded by mu
	replies       map[int]chan string
	recorder      *recording                        // guarded by mu; the one that runs
	transcription *transcription                    // guarded by mu; the one that runs
	streams       []*externalMedia                  // guarded by mu; those that run
	opening       int                               // guarded by mu; streams that are being connected
	closing       bool                              // guarded by mu; no recording is to run any more
	hiding        bool                              // guarded by mu; digits are not to be kept
	hidden        string                            // guarded by mu; those whose inputs wait for the loop
	hiddenEnd     bool                              // guarded by mu; a key that is down is one of them
	programs      map[string]flow.Program           // guarded by mu; of redirects, by key
	moved         chan struct{}                     // guarded by mu; closed when it enters a bridge; nil: nobody waits for that
	into          map[*context.CancelCauseFunc]bool // guarded by mu; what is played into the call, nil: nothing
	holder        string                            // guarded by mu; the other one of a talk, whose peer holds it
	refers        map[string]*referring             // guarded by mu; who waits for a REFER of ours

	// Owned by the loop. stateMu lets others take a Snapshot between two steps.
	stateMu sync.Mutex
	machine *Machine
	trace   traceLog // JSON lines: a third of what the values would hold
	seq     int
	now     store.Time // of the input that the loop is at
	timers  []*time.Timer
	way     int    // of out.ways
	calm    func() // ends the music that is played; nil: none is

	referring map[int]*referring // REFERs of ours, by number
	metering  metering
	line      *line // of the trunk, whose channel it has; nil: none

	program    flow.Program // set before the flow starts; what runs
	first      flow.Program // that ran first
	run        run
	steps      stepSeq
	from       *flow.Position // where program, a *flow.Flow, goes on; nil: at its start
	cancelFlow context.CancelCauseFunc
	flowCtx    context.Context
	verdict    *Verdict // nil: nobody was verified; set before the flow begins
}

func newCall(e *Engine, id string, d *sip.Dialog) *Call {
	c := &Call{
		id: id, engine: e, machine: &Machine{}, done: make(chan struct{}),
	}
	if d != nil {
		c.dialog.Store(d)
	}
	c.digits.Max = maxDigits
	c.flowCtx, c.cancelFlow = context.WithCancelCause(e.callCtx)
	return c
}

// log is made when something is to be said: a logger of its own for each call would be
// a third of a kilobyte for two lines.
func (c *Call) log() *slog.Logger { return c.engine.log.With("call", c.id) }

// ID returns the call's id, a UUID.
func (c *Call) ID() string { return c.id }

// Vars returns the variables of the call's flow.
func (c *Call) Vars() *action.Vars { return c.vars }

// Done is closed when the call has ended for good: its record is stored.
func (c *Call) Done() <-chan struct{} { return c.done }

// State returns a copy of the loop's state.
func (c *Call) State() State {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.machine.Snapshot()
}

// isEnding tells whether the call's end has begun.
func (c *Call) isEnding() bool {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.machine.st.Phase == PhaseEnded
}

// Record returns the call as it would be stored now.
func (c *Call) Record() store.Call { return c.State().Record }

// Trace returns the inputs that the loop has consumed so far, as JSON lines: see DecodeTrace.
func (c *Call) Trace() []byte {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.trace.appendTo(nil)
}

// perform does what e asks for. What it learns at once it returns as an input.
func (c *Call) perform(e *Effect) (in Input, ok bool) {
	var err error
	switch d := c.dialog.Load(); e.Do {
	case DoRing:
		err = d.Provisional(180, nil, reasonHeader(e.Text)...)
	case DoEarly:
		err = d.Provisional(183, body(e.Body), reasonHeader(e.Text)...)
	case DoAccept:
		err = d.Accept(body(e.Body))
	case DoReject:
		err = d.Reject(e.Status, "", c.refusalHeaders(e)...)
	case DoBye:
		err = d.Bye(sip.Header{Name: "Reason", Value: q850(e.Cause)})
	case DoAnswerOffer:
		err = d.Answer(e.Offer, e.Status, body(e.Body))
	case DoInvite:
		return c.invite(e.Body), true
	case DoCancel:
		if c.fork != nil && c.fork.cancel(e.Text) {
			break
		}
		err = d.Cancel(sip.Header{Name: "Reason", Value: e.Text})
		if errors.Is(err, sip.ErrState) || errors.Is(err, sip.ErrEnded) {
			err = nil // the far end was faster: what it did is on its way to the loop
		}
	case DoTell:
		if c.out != nil && c.out.tell != nil {
			c.out.tell(c, e.Text)
		}
	case DoMute:
		c.mute(media.Direction(e.Text))
	case DoMusic:
		c.music(e.Text != "off")
	case DoOffer:
		return c.offer(e.Body)
	case DoWithdraw:
		if l := c.leg.Load(); l != nil {
			(*l).Withdraw()
		}
	case DoLink:
		return Input{Kind: KindLink, Link: &LinkInput{What: e.For, Detail: e.Text}}, true
	case DoPartners:
		c.holding.Store(e.Text != "off")
		if b := c.bridge.Load(); b != nil {
			b.consoleAll()
		}
	case DoHangUp:
		if other, ok := c.engine.Call(e.Text); ok {
			other.hangUp(masterEnded)
		}
	case DoNegotiate:
		if e.For == "dial" {
			c.turn(e.Text)
		}
		return c.negotiate(e), true
	case DoVerify: // the INVITE's own goroutine goes on with it: Engine.admit
	case DoReserve:
		t := c.machine.st.Meter
		c.engine.wg.Go(func() { c.reserve(t) })
	case DoWarn:
		c.engine.wg.Go(c.warn)
	case DoStartFlow:
		c.begin(e.For)
	case DoRedirect:
		if c.run.cancel != nil {
			c.run.cancel(ErrRedirected)
		}
	case DoCancelFlow:
		c.cancelFlow(action.ErrHangup)
	case DoRefer:
		r := *e.Refer // e is the machine's, which goes on
		c.engine.wg.Go(func() { c.referred(r) })
	case DoSendRefer:
		c.sendRefer(e)
	case DoReferral:
		c.referral(e)
	case DoDigit:
		d := c.shown(e.Text[:1])
		c.digits.Put(d)
		if h := c.waiting.Load(); h != nil && d != "" {
			h.press(d)
		}
		if b := c.bridge.Load(); b != nil && d != "" {
			b.digit(c, d, e.For == "info")
		}
	case DoRecord:
		cmd := *e.Record // e is the machine's, which goes on
		c.engine.wg.Go(func() { c.startRecording(cmd) })
	case DoRecordStop:
		c.engine.wg.Go(func() { c.endRecording("stop") })
	case DoOnEnd:
		c.follow(e.Text, map[string]string{"voipbin.recording.id": e.For, varRefType: "recording", varRefID: e.For})
	case DoTimer:
		c.startTimer(e)
	case DoCloseMedia:
		return c.closeMedia()
	case DoEmit:
		if e.Text == "call_media_timeout" {
			c.log().Warn("the far end sends no sound")
		}
		if e.Digit != nil {
			c.streamDigit(e.Digit)
		}
		c.engine.emit(c, e)
	case DoReply:
		c.answerCommand(e.Ref, e.Text)
	case DoFinish:
		c.finish(e.Text)
	}
	if err != nil {
		c.log().Warn("sip message not sent", "do", e.Do, "err", err)
	}
	return Input{}, false
}

// body is nil for no text: a message without a body has no Content-Type.
func body(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (c *Call) startTimer(e *Effect) {
	d := e.Delay
	if d == 0 { // the limit of the host's config, which the loop does not know; less what was before a Restore
		d = max(c.engine.maxDuration-time.Since(c.machine.st.Record.TmCreate.Time), time.Nanosecond)
	}
	name := e.Text
	c.timers = append(c.timers, time.AfterFunc(d, func() { c.post(Input{Kind: KindTimer, Timer: name}) }))
}

// StateError is returned for what the call cannot do as it stands: to record before it is answered.
type StateError struct {
	Command string // "hold"
	Reason  string
}

func (e *StateError) Error() string { return fmt.Sprintf("call: %s: %s", e.Command, e.Reason) }

// command posts cmd and waits for its reply.
func (c *Call) command(ctx context.Context, cmd Command) error {
	ch := make(chan string, 1)
	c.mu.Lock()
	c.lastRef++
	cmd.Ref = c.lastRef
	if c.replies == nil {
		c.replies = map[int]chan string{}
	}
	c.replies[cmd.Ref] = ch
	c.mu.Unlock()
	c.post(Input{Kind: KindCommand, Command: &cmd})
	replied := func(text string) error {
		if text != "" {
			return &StateError{Command: cmd.Name, Reason: text}
		}
		return nil
	}
	select {
	case text := <-ch:
		return replied(text)
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.replies, cmd.Ref)
		c.mu.Unlock()
		return context.Cause(ctx)
	case <-c.done:
		select {
		case text := <-ch: // it was the last thing that the call did
			return replied(text)
		default:
			return action.ErrHangup
		}
	}
}

func (c *Call) answerCommand(ref int, text string) {
	c.mu.Lock()
	ch := c.replies[ref]
	if delete(c.replies, ref); len(c.replies) == 0 {
		c.replies = nil // an empty map keeps its memory
	}
	c.mu.Unlock()
	if ch != nil {
		ch <- text
	}
}

// runFlow is the flow's goroutine.
func (c *Call) runFlow(ctx context.Context) {
	in := FlowInput{}
	c.vars.Define(varReferenceData, func() string { return referenceData(c.Record()) })
	if f, ok := c.program.(*flow.Flow); ok {
		in.OnComplete = f.OnCompleteFlowID()
		if id := f.ID(); id != "" {
			c.vars.Define(varFlowID, func() string { return id })
		}
	}
	first := c.first == nil // else it is that of a redirect
	if first {
		c.noteVars()
	}
	if first && c.out != nil && c.out.mayRun != nil && !c.out.mayRun(c) {
		c.program = nothing // it did not run, as the trace has to say
	}
	if first {
		c.first = c.program
	}
	program := c.program
	if f, ok := program.(*flow.Flow); ok && c.from != nil {
		program = flow.Func(func(ctx context.Context, leg action.Leg) error { return f.RunFrom(ctx, leg, *c.from) })
	}
	if err := runGuarded(withCall(ctx, c), program, c); err != nil && ctx.Err() == nil {
		in.Error, in.Fatal = err.Error(), true
		c.log().Warn("flow failed", "err", err)
	}
	c.post(Input{Kind: KindFlowEnded, Flow: &in})
}

// runGuarded runs p and makes a panic an error.
func runGuarded(ctx context.Context, p flow.Program, leg action.Leg) error {
	return guarded(func() error { return p.Run(ctx, leg) })
}

// guarded runs f, which is code of the host's, and makes a panic an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("call: panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// finish stores the record and forgets the call. What follows the call can read its record.
func (c *Call) finish(onComplete string) {
	for _, t := range c.timers {
		t.Stop()
	}
	c.cancelFlow(action.ErrHangup)
	c.hangUpLine()
	c.engine.orbits.forget(c)
	c.engine.wg.Go(func() {
		defer close(c.done)
		defer c.engine.forget(c)
		rec := c.Record()
		c.settle(&rec)
		c.engine.keep(c)
		if c.out != nil && c.out.over != nil {
			c.out.over(c)
		}
		if onComplete != "" {
			c.complete(onComplete)
		}
	})
}

func (c *Call) endBy(ctx context.Context, e action.Ending) error {
	end, err := c.engine.ending(e)
	if err != nil {
		return err
	}
	own := fromContext(ctx) == c
	if own {
		end.Code, end.Sentence = CodeFlowHungUp, "the flow hung up"
	}
	err = c.command(ctx, Command{Name: "hangup", Ending: &e, End: &end})
	if own && c.isEnding() {
		return nil // the end of its own flow may be faster than the reply
	}
	return err
}

// hangUp ends the call, unless it is ending already. It does not wait.
func (c *Call) hangUp(end End) {
	c.post(Input{Kind: KindCommand, Command: &Command{Name: "hangup", End: &end}})
}

// SetMetadata adds to the call's metadata, all of values or, where a limit is passed, nothing.
func (c *Call) SetMetadata(ctx context.Context, values map[string]string) error {
	return c.command(ctx, Command{Name: "metadata", Values: values})
}
