package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// What it is that dials, in evidence.
const (
	byConnect    = "connect"
	byCall       = "call action"
	byDial       = "dial"
	byGroupcall  = "groupcall"
	byTransfer   = "transfer"
	byRefer      = "REFER"
	byQueue      = "queue"
	byCallback   = "queue callback"
	byVoicemail  = "voicemail call-back"
	byConference = "conference"
	byRedirect   = "redirect (3xx)"
)

// callsBack tells whether o goes back to somebody because he has called, or says so.
func (o *outgoing) callsBack() bool { return o.by == byCallback || o.by == byVoicemail }

// gate decides about one attempt to dial: everything that is dialled comes by here, once, on its way through place. It finds what is rung and by
// which ways, and notes by what that was decided. Emergency calls pass by all that stands below the ways.
func (e *Engine) gate(o *outgoing) *Refusal {
	if o.refused != nil { // by who wants to dial
		return o.refused
	}
	if r := e.findWays(o); r != nil {
		return r
	}
	if o.isEmergency() {
		return e.findCallers(o)
	}
	for _, rule := range []func(*outgoing) *Refusal{e.mayForward, e.mayCallBack, e.findCallers} {
		if r := rule(o); r != nil {
			return r
		}
	}
	return nil
}

// findWays finds what o rings.
func (e *Engine) findWays(o *outgoing) (refused *Refusal) {
	switch typ := o.destination.Type; typ {
	case address.TypeExtension, address.TypeAgent:
		o.stages, refused = e.stages(e.callCtx, o.destination, o.asker)
	default:
		o.ways, refused = e.dialplan(o.asker).ways(o.destination)
	}
	return refused
}

func (o *outgoing) isEmergency() bool { return len(o.ways) > 0 && o.ways[0].emergency }

// mayCallBack asks Config.MayCallBack.
func (e *Engine) mayCallBack(o *outgoing) *Refusal {
	if !o.callsBack() {
		return nil
	}
	return e.callable(o.destination)
}

// callable tells why to must not be called back.
func (e *Engine) callable(to address.Address) *Refusal {
	f := e.cfg.MayCallBack
	n := shownNumber(to)
	if f == nil || n == "" {
		return nil
	}
	var err error
	if fault := guarded(func() error { err = f(n); return nil }); fault != nil { // of the host's
		e.log.Error("panic in MayCallBack", "err", fault)
		err = errors.New("whether it may be cannot be told")
	}
	if err == nil {
		return nil
	}
	return &Refusal{Status: 403, Code: CodeOutboundCallback, Sentence: fmt.Sprintf("%s is not called back: %v", n, err)}
}

// findCallers finds who is shown as calling on each way of o, and leaves out those on which nobody may be.
func (e *Engine) findCallers(o *outgoing) (refused *Refusal) {
	may := func(o *outgoing, w *way) bool {
		_, check, r := e.shownBy(o, w)
		if check != nil && (len(o.checks) == 0 || o.checks[len(o.checks)-1] != *check) {
			o.checks = append(o.checks, *check)
		}
		refused = cmp.Or(refused, r)
		return r == nil
	}
	ways := o.ways[:0:0]
	for i := range o.ways {
		if may(o, &o.ways[i]) {
			ways = append(ways, o.ways[i])
		}
	}
	o.ways = ways
	var ss []stage
	for _, s := range o.stages {
		ts := s.targets[:0:0]
		for _, t := range s.targets {
			to := o.as(t.address)
			if may(&to, &t.way) {
				ts = append(ts, t)
			}
			o.checks = to.checks
		}
		if s.targets = ts; len(ts) > 0 {
			ss = append(ss, s)
		}
	}
	o.stages = ss
	if len(o.ways)+len(o.stages) > 0 {
		return nil
	}
	return refused
}

// as is o as to sees it.
func (o *outgoing) as(to address.Address) outgoing {
	c := *o
	c.destination = to
	if c.shows != nil { // what a provider may see is another thing than what a phone of ours sees
		c.source, c.otherwise = c.shows(to)
		c.source = c.source.Normalize()
		c.named = c.source != (address.Address{})
	}
	return c
}

// verdict is what the gate has found out about o, for its record; refused may be nil.
func (o *outgoing) verdict(refused *Refusal) *Verdict {
	by := cmp.Or(o.by, byDial) + ": "
	if refused != nil {
		v := &Verdict{Result: VerdictReject, Status: refused.Status, Code: refused.Code, Sentence: refused.Sentence}
		v.Checks = append(o.checks, Check{Name: "outbound", Result: "fail", Code: refused.Code, Status: refused.Status, Evidence: by + refused.evidence()})
		return v
	}
	evidence := ""
	switch {
	case len(o.ways) > 0:
		evidence = o.ways[0].evidence
	case len(o.stages) > 0:
		evidence = o.stages[0].targets[0].way.evidence
	}
	return &Verdict{Result: VerdictPass, Checks: append([]Check{{Name: "outbound", Result: "pass", Evidence: by + cmp.Or(evidence, o.asker.String()+" asks; a phone of ours")}}, o.checks...)}
}

// evidence is what there is to tell about a refusal beside its code.
func (r *Refusal) evidence() string {
	if r.Evidence == "" {
		return r.Sentence
	}
	return r.Sentence + " (" + r.Evidence + ")"
}

// mayFollow is asked for each Contact of a 3xx: it passes the gate like any other destination, on behalf of who had the call placed.
func (c *Call) mayFollow(uri string) bool {
	o := c.out
	w, refused := c.engine.dialplan(o.asker).sipWay(uri)
	if refused == nil {
		_, _, refused = c.engine.shownBy(o, &w)
	}
	if refused == nil {
		return true
	}
	to := outgoing{by: byRedirect, asker: o.asker}
	c.denied.Store(refused)
	c.post(Input{Kind: KindVerified, Verdict: to.verdict(refused)})
	return false
}

// tellDenied lets the flow know what the gate has said to the calls that its step wanted, if it did not let one out.
func (c *Call) tellDenied(ctx context.Context, legs ...*Call) {
	for _, leg := range legs {
		if r := leg.denied.Load(); r != nil && leg.Record().TmProgressing.IsZero() {
			c.setDenied(ctx, r)
			return
		}
	}
}

// Variables that tell of the last step that dialled.
const (
	varOutbound         = "verify.outbound"
	varOutboundCode     = "verify.outbound.code"
	varOutboundEvidence = "verify.outbound.evidence"
)

// setDenied sets the variables that tell of a refusal; nil: those of a step before are not true any more.
func (c *Call) setDenied(ctx context.Context, r *Refusal) {
	n := Note{What: NoteOutbound}
	if r != nil {
		n.Target, n.Body = r.Code, r.evidence()
	}
	if c.vars.Get(varOutboundCode) == n.Target && c.vars.Get(varOutboundEvidence) == n.Body {
		return
	}
	if err := n.SetOutbound(c.vars); err != nil {
		c.log().Warn("variable not set", "name", varOutbound, "err", err)
	}
	c.post(Input{Kind: KindNote, Note: &n})
}

// NoteOutbound is Note.What of one that sets the variables which tell that the outbound policy has not let a call out.
const NoteOutbound = "outbound"

// SetOutbound sets the variables that n, a NoteOutbound, tells of.
func (n *Note) SetOutbound(vars *action.Vars) error {
	result := ""
	if n.Target != "" {
		result = "fail"
	}
	for _, v := range [...][2]string{{varOutbound, result}, {varOutboundCode, n.Target}, {varOutboundEvidence, n.Body}} {
		if err := vars.Set(v[0], v[1]); err != nil {
			return err
		}
	}
	return nil
}

// refusedDial makes a call that does not go out, so that what was refused has a record.
func (c *Call) refusedDial(dest address.Address, by string, who asker, refused *Refusal) {
	if !byGate(refused.Code) {
		return
	}
	rec := c.Record()
	c.engine.place(outgoing{
		destination: dest, program: nothing, journey: rec.JourneyID, parent: c.id, metadata: rec.Metadata, by: by, asker: who, refused: refused,
	})
	for _, told := range []*Call{c, c.otherSide()} {
		if told != nil {
			told.setDenied(c.engine.callCtx, refused)
		}
	}
}

// otherSide is who the call talks to in a connect; nil: nobody, or more than one.
func (c *Call) otherSide() *Call {
	if b := c.bridge.Load(); b != nil && b.kind == store.TypeConnect {
		return b.other(c)
	}
	return nil
}

// outboundRefused tells that the policy has not let the call out.
func (m *Machine) outboundRefused(code, sentence string) {
	if !byGate(code) {
		return
	}
	m.st.Record.Code, m.st.Record.Sentence = code, sentence
	m.emit("outbound_refused")
}

// turnedAway ends a call that verification or routing has refused, because of what it would have dialled, too.
func (m *Machine) turnedAway(in *Input) {
	if m.st.Phase != PhaseEnded {
		m.outboundRefused(in.End.Code, in.End.Sentence)
	}
	m.end(in.At, *in.End)
}

// sentElsewhere is why a call that was redirected has ended, where the policy did not let it go there.
func (m *Machine) sentElsewhere(end End) End {
	if v := m.st.Denied; v != nil && end.Status/100 == 3 {
		m.st.Record.Verdict = verdictJSON(v)
		end.Code, end.Sentence = v.Code, "the far end sent the call elsewhere: "+v.Sentence
		m.outboundRefused(end.Code, end.Sentence)
	}
	return end
}

func isIncoming(r *store.Call) bool { return r.Direction == store.DirectionIncoming }
