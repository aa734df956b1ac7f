package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// connect calls others and joins the leg with the first that answers, until they part.
type connect struct {
	dial
	EarlyMedia  bool `json:"early_media" doc:"what the far end sends before it answers is heard"`
	RelayReason bool `json:"relay_reason" doc:"then the call ends as the other one ended"`
	Timeout     int  `json:"timeout" opt:"ms,min=0" doc:"of the ringing, all of it; 0 is the engine's"`

	RingMethod    string          `json:"ring_method" opt:"enum=ring_all|linear,default=ring_all" doc:"all at once, or one after the other until one answers"`
	RingTimeout   int             `json:"ring_timeout" opt:"ms,min=0" doc:"of each destination; 0 is timeout, or the engine's"`
	ScreenFlowID  string          `json:"screen_flow_id" doc:"flow that runs on who answers before the two are joined: its end accepts, hangup refuses"`
	ScreenActions json.RawMessage `json:"screen_actions" doc:"in place of screen_flow_id: a flow, or a list of actions"`
	HangupKey     string          `json:"hangup_key" doc:"keys of the caller, each of which ends the talk"`
	MaxDuration   int             `json:"max_duration" opt:"ms,min=0" doc:"of the talk; 0: no limit"`
}

// screens tells whether there is a screening, in place.
func (a *connect) screens() bool { return givenActions(a.ScreenActions) }

func (a *connect) NestedOptions() []string {
	if a.screens() {
		return []string{"screen_actions"}
	}
	return nil
}

// SubstituteOption fills in the variables of this call, as those of a call action: the screening runs on another.
func (a *connect) SubstituteOption(option, text string, v *Vars) string {
	if option != "screen_actions" {
		return v.Substitute(text)
	}
	return substituteActions(text, v)
}

func (a *connect) Timing() Timing { return TimeWait }

func (a *connect) Check(c *CheckContext) {
	a.check(c)
	if a.screens() && CanonicalID(a.ScreenFlowID) != "" {
		c.At("screen_actions").Errorf("cannot stand beside screen_flow_id: what runs on who answers is one of the two")
	}
	if k := a.HangupKey; !HasVar(k) && strings.Trim(k, connectKeys) != "" {
		c.At("hangup_key").Errorf("holds more than keys, 0-9 A-D * #: %.40q", k)
	}
	if a.RingMethod == "linear" && a.Timeout > 0 && a.RingTimeout > a.Timeout {
		c.At("ring_timeout").Warnf("is longer than timeout, which ends all of the ringing")
	}
}

const connectKeys = "0123456789ABCD*#"

func (a *connect) Needs(c *CheckContext) {
	c.Need(CanConnect)
	if CanonicalID(a.ScreenFlowID) != "" {
		c.Need(CanFindFlows)
	}
	if a.RelayReason {
		c.Need(CanHangup)
	}
	a.warn(c)
}

func (a *connect) Shape() Shape {
	return Shape{Answers: true, Ends: a.RelayReason, Result: []string{"call_id", "sip_code", "destination", "reason", "ring_ms", "talk_ms", "ended_by", "transferred_to"}}
}

func (a *connect) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Connector](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the far end
	got, err := l.Connect(ctx, ConnectOptions{
		Source:       a.Source.Normalize(),
		Destinations: a.resolved(),
		EarlyMedia:   a.EarlyMedia,
		Anonymous:    a.anonymity(),
		Timeout:      ms(max(a.Timeout, 0)),
		RingMethod:   a.RingMethod,
		RingTimeout:  ms(max(a.RingTimeout, 0)),
		HangupKey:    a.HangupKey,
		MaxDuration:  ms(max(a.MaxDuration, 0)),
		Screening:    a.screening(ctx),
	})
	if ctx.Err() != nil {
		got.Reason = cmp.Or(got.Reason, "cancel")
	}
	o := Outcome{Result: got.result(), TimedOut: got.CallID == "" && (got.Reason == "dialout" || got.Reason == "noanswer")}
	switch {
	case ctx.Err() != nil:
		return o, context.Cause(ctx)
	case !a.RelayReason:
		return o, err
	}
	o.Stop = true
	return o, errors.Join(err, hangUp(ctx, leg, got.ending()))
}

// screening is what runs on who answers; nil: nothing.
func (a *connect) screening(ctx context.Context) *Screening {
	s := Screening{FlowID: CanonicalID(a.ScreenFlowID), Dir: FlowInfo(ctx).Dir}
	if a.screens() {
		s.Actions = a.ScreenActions
	}
	if s.FlowID == "" && s.Actions == nil {
		return nil
	}
	return &s
}

// status is VoIPBIN's word for what became of the attempts.
func (c Connected) status() string {
	if c.CallID != "" {
		return "answered"
	}
	return cmp.Or(c.Reason, "failed")
}

func (c Connected) result() map[string]string {
	r := map[string]string{"status": c.status(), "ring_ms": strconv.FormatInt(c.Ring.Milliseconds(), 10)}
	if c.CallID != "" {
		r["call_id"], r["talk_ms"] = c.CallID, strconv.FormatInt(c.Talk.Milliseconds(), 10)
		r["destination"] = cmp.Or(c.Destination.Target, c.Destination.TargetName)
	}
	if c.Reason != "" {
		r["reason"] = c.Reason
	}
	if c.TransferredTo != "" {
		r["transferred_to"] = c.TransferredTo
	}
	if c.EndedBy != "" {
		r["ended_by"] = c.EndedBy
	}
	if c.Status != 0 {
		r["sip_code"] = strconv.Itoa(c.Status)
	}
	return r
}

// ending is that of the leg that answered, else of the first one that was made.
func (c Connected) ending() Ending {
	switch {
	case c.CallID != "":
		return Ending{ReferenceID: c.CallID}
	case len(c.CallIDs) > 0:
		return Ending{ReferenceID: c.CallIDs[0]}
	default:
		return Ending{Reason: c.status()}
	}
}
