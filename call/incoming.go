package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// ErrNoFlow is what Config.Route returns for a destination that nothing answers.
var ErrNoFlow = errors.New("call: no flow for the destination")

// Refusal is an error by which Verify or Route refuse a call with a status of their own.
type Refusal struct {
	Status   int    // final SIP status, 400 to 699
	Code     string // for machines, for example "customer_frozen"
	Sentence string // for people
	Reason   string // value of a Reason header (RFC 3326) for the response, beside that of Q.850; "": none
	Evidence string // what it was found by, where the sentence does not say it
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("call: refused with %d (%s): %s", r.Status, r.Code, r.Sentence)
}

// Incoming is a call that asks to come in.
type Incoming struct {
	ID          string
	Source      address.Address
	Destination address.Address
	Request     *sip.Request // the INVITE, for reading only
	Peer        netip.AddrPort
	Trunk       string  // by which it came, see Trunk.Sources; "": none. On UDP a source address can be forged
	Trusted     bool    // the trunk may assert whose call it is (RFC 3325)
	Verdict     Verdict // of Verify, for Route

	// Metadata is for Verify and Route to fill: it goes into the call's record and events,
	// within the limits of Call.SetMetadata.
	Metadata map[string]string

	journey string // that a trusted trunk has brought; "": none
}

// admit takes a new INVITE through verification and routing; it runs on a goroutine of
// the SIP side's for this call.
func (e *Engine) admit(d *sip.Dialog) {
	now := time.Now()
	e.overload.begin(now, now.Sub(d.Arrived()))
	defer e.overload.end()
	req := d.Invite()
	l := e.trunkOf(d.RemoteAddr().Addr(), req.User)
	in := newIncoming(newID(), req, &e.cfg, l)
	in.Peer = d.RemoteAddr()
	c := newCall(e, in.ID, d)
	var full *Refusal
	if l != nil {
		if l.take() {
			c.line = l
		} else {
			full = l.full()
		}
	}
	in.journey = e.journeyFrom(l, req)
	origin := askerOf(in)
	origin.returned = in.journey != "" && e.isKnown(in.journey)
	c.origin.Store(&origin)
	journey := cmp.Or(in.journey, newID())
	activeflow := newID()
	c.journey = journey
	c.vars = e.callVars(in, activeflow, journey)
	account, err := e.accountOf(c.flowCtx, req.Authenticated, l)
	if err != nil && full == nil { // who pays must not be nobody by a fault
		full = &Refusal{Status: 500, Code: CodeLookupFailed, Sentence: fmt.Sprintf("the account of extension %q is not known: %v", req.Authenticated, err)}
	}
	c.account = account
	c.metering.tickets = []*verify.Ticket{{Account: account}}
	e.add(c, false)
	e.wg.Add(1)
	defer e.wg.Done()
	sdp, _ := req.SDP()
	d.Handle(c.sipEvent)
	c.log().Info("call begins", "from", in.Source.Target, "to", in.Destination.Target, "peer", in.Peer.String(), "transport", d.Network())
	c.feed(Input{Kind: KindIncoming, Incoming: &IncomingInput{
		ID: c.id, JourneyID: journey, ActiveflowID: activeflow, SIPCallID: d.CallID(), Transport: d.Network(), Peer: in.Peer.String(),
		Source: in.Source, Destination: in.Destination, Trunk: in.Trunk, Offer: string(sdp),
		Reliable: d.Reliable(), MediaTimeout: e.cfg.MediaTimeout,
	}})
	if full != nil {
		c.feed(Input{Kind: KindRefused, End: refusal(full)})
		return
	}
	if e.isOurOwn(req) {
		c.feed(Input{Kind: KindRefused, End: &ownCallBack})
		return
	}
	if x := req.Authenticated; x != "" {
		c.extension.Store(&x)
	}
	decide := e.decide
	if old := d.Replaces(); old != nil {
		decide = func(ctx context.Context, in *Incoming) (Verdict, flow.Program, *End) {
			return e.decideReplaces(ctx, in, c, old)
		}
	}
	verdict, program, end := decide(verify.WithTicket(c.flowCtx, c.metering.tickets[0]), in)
	if end == nil {
		var meter *Meter
		if meter, end = c.meterIn(in, &verdict); meter != nil {
			c.feed(Input{Kind: KindMeter, Meter: meter})
		}
	}
	if verdict.Result == VerdictReject || verdict.Result == VerdictChallenge {
		c.log().Warn("the caller has not passed verification", "result", verdict.Result, "status", verdict.Status, "code", verdict.Code, "why", verdict.Sentence, "peer", in.Peer.String())
	}
	c.verdict = &verdict
	e.setVars(c.vars, verdictVars(&verdict))
	c.feed(Input{Kind: KindVerified, Verdict: &verdict})
	if len(in.Metadata) > 0 {
		c.feed(Input{Kind: KindCommand, Command: &Command{Name: "metadata", Values: in.Metadata}})
	}
	if end != nil {
		c.feed(Input{Kind: KindRefused, End: end})
		return
	}
	c.stateMu.Lock() // the caller may have given up: its record is being stored
	c.program = program
	c.stateMu.Unlock()
	c.feed(Input{Kind: KindRouted, Flow: flowInput(program)})
}

// sipEvent takes what the dialog's peer did.
func (c *Call) sipEvent(ev sip.Event) {
	ev.Headers = nil // the loop needs none, and credentials must not get into the trace
	if ev.Refer != nil {
		r := *ev.Refer
		r.To.Headers = nil
		ev.Refer = &r
	}
	c.post(Input{Kind: KindSIP, SIP: &ev})
}

// decide verifies and routes. A nil end takes the call.
func (e *Engine) decide(ctx context.Context, in *Incoming) (v Verdict, p flow.Program, end *End) {
	defer func() {
		if r := recover(); r != nil {
			e.log.Error("panic in Verify or Route", "call", in.ID, "panic", r, "stack", string(debug.Stack()))
			end = refusal(&Refusal{Status: 500, Code: CodePanic, Sentence: "an internal fault"})
		}
	}()
	v, p, refused := e.cfg.decide(ctx, in, e.verifier)
	if refused != nil {
		end = refusal(refused)
	}
	return v, p, end
}

// decide verifies and routes. A nil Refusal takes the call.
func (c *Config) decide(ctx context.Context, in *Incoming, by *verify.Verifier) (Verdict, flow.Program, *Refusal) {
	v, err := c.verify(ctx, in, by)
	in.Verdict = v
	if err != nil {
		return v, nil, asRefusal(err, CodeRefused)
	}
	if r := refusedBy(&v, c.Extensions != nil); r != nil {
		return v, nil, r
	}
	p, err := c.route(ctx, in)
	switch {
	case errors.Is(err, ErrNoFlow) || errors.Is(err, store.ErrNotFound) || err == nil && p == nil:
		return v, nil, &Refusal{Status: 404, Code: CodeNoFlow, Sentence: fmt.Sprintf("no flow answers %q", in.Destination.Target)}
	case err != nil:
		return v, nil, asRefusal(err, CodeRouteFailed)
	}
	return v, p, nil
}

func asRefusal(err error, code string) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{Status: 500, Code: code, Sentence: err.Error()}
}

func refusal(r *Refusal) *End {
	status := r.Status
	if status < 400 || status > 699 {
		status = 403
	}
	return &End{By: "local", Reason: store.ReasonFailed, Status: status, Cause: causeOf(status), Code: r.Code, Sentence: r.Sentence, Header: r.Reason}
}

func flowInput(p flow.Program) *FlowInput {
	if f, ok := p.(*flow.Flow); ok {
		return &FlowInput{ID: f.ID(), Name: f.Name()}
	}
	return &FlowInput{Name: fmt.Sprintf("%T", p)}
}

// callVars are the variables that VoIPBIN gives a call's flow.
func (e *Engine) callVars(in *Incoming, activeflow, journey string) *action.Vars {
	return e.newVars(ownVars(&store.Call{
		ID: in.ID, ActiveflowID: activeflow, JourneyID: journey, Source: in.Source, Destination: in.Destination, Direction: store.DirectionIncoming,
	}))
}

// incomingVars are those of them that are known before the call.
func incomingVars(in *Incoming) map[string]string {
	vars := maps.Collect(ownVars(&store.Call{
		Source: in.Source, Destination: in.Destination, Direction: store.DirectionIncoming,
	}))
	maps.Insert(vars, verdictVars(&in.Verdict))
	for _, name := range [...]string{varActiveflow, varRefID, varCallID, varJourney} {
		delete(vars, name)
	}
	return vars
}

// ownVars are the variables that a call has by itself. There are no maps of them: each call makes its own.
func ownVars(rec *store.Call) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, v := range [...][2]string{
			{varActiveflow, rec.ActiveflowID},
			{varRefType, "call"},
			{varRefID, rec.ID},
			{varCompletions, "0"},
			{varCallID, rec.ID},
			{varJourney, rec.JourneyID},
			{"voipbin.call.direction", rec.Direction},
			{"voipbin.call.master_call_id", rec.MasterCallID},
			{"voipbin.call.source.type", string(rec.Source.Type)},
			{"voipbin.call.source.target", rec.Source.Target},
			{"voipbin.call.source.target_name", rec.Source.TargetName},
			{"voipbin.call.source.name", rec.Source.Name},
			{"voipbin.call.source.detail", rec.Source.Detail},
			{"voipbin.call.destination.type", string(rec.Destination.Type)},
			{"voipbin.call.destination.target", rec.Destination.Target},
			{"voipbin.call.destination.target_name", rec.Destination.TargetName},
			{"voipbin.call.destination.name", rec.Destination.Name},
			{"voipbin.call.destination.detail", rec.Destination.Detail},
			{action.VarDigits, ""},
		} {
			if !yield(v[0], v[1]) {
				return
			}
		}
	}
}

// newVars makes variables of m. What does not fit the limits is the peer's and is left out.
func (e *Engine) newVars(m iter.Seq2[string, string]) *action.Vars {
	v := new(action.Vars)
	e.setVars(v, m)
	return v
}

func (e *Engine) setVars(v *action.Vars, m iter.Seq2[string, string]) {
	for name, value := range m {
		if value == "" { // reads the same as none
			continue
		}
		if err := v.Set(name, value); err != nil {
			e.log.Warn("variable not set", "name", name, "err", err)
		}
	}
}

// withCall and fromContext let the dependencies of actions (HTTP, speech, prompts)
// note in the call's trace what they learned.
type callKey struct{}

func withCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func fromContext(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}
