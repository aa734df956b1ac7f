package action

import (
	"context"
	"strconv"

	"github.com/callbin/callbin/call/address"
)

// connect calls others and joins the leg with the first that answers. Whatever becomes of
// it, the flow goes on, unless the reason is to be relayed.
type connect struct {
	Source       address.Address   `json:"source"`
	Destinations []address.Address `json:"destinations"`
	EarlyMedia   bool              `json:"early_media"`
	RelayReason  bool              `json:"relay_reason"` // afterwards, hang up as the other leg ended
	Anonymous    string            `json:"anonymous"`
	Timeout      int               `json:"timeout"` // ms; not VoIPBIN's
	deps         Deps
}

func (a *connect) Timing() Timing { return TimeWait }

func (a *connect) Check(c *CheckContext) {
	checkParties(c, a.Source, a.Destinations)
	checkAnonymous(c, a.Anonymous)
	c.At("timeout").NotNegative(a.Timeout)
}

func (a *connect) Needs(c *CheckContext) {
	c.Need(CanConnect)
	if a.RelayReason {
		c.Need(CanHangup)
	}
	warnOf(c, a.deps.Destinations, a.Destinations)
}

// warnOf warns of destinations that cannot be called.
func warnOf(c *CheckContext, checker DestinationChecker, destinations []address.Address) {
	if checker == nil {
		return
	}
	for i, d := range destinations {
		if HasVar(string(d.Type)) || HasVar(d.Target) || HasVar(d.TargetName) {
			continue
		}
		if err := checker.CheckDestination(d); err != nil {
			c.At("destinations", i).Warnf("will not be called: %v", err)
		}
	}
}

func (a *connect) Run(ctx context.Context, leg Leg) (Outcome, error) {
	StopPlaying(ctx)
	l, err := Need[Connector](leg)
	if err != nil {
		return Continue(), err
	}
	got, err := l.Connect(ctx, ConnectOptions{
		Source: a.Source, Destinations: a.Destinations, EarlyMedia: a.EarlyMedia, Anonymous: a.Anonymous, Timeout: ms(a.Timeout),
	})
	out := Outcome{Result: got.result()}
	if err != nil || !a.RelayReason || len(got.CallIDs) == 0 {
		return out, err
	}
	h, err := Need[Hanger](leg)
	if err != nil {
		return out, err
	}
	ref := got.CallID
	if ref == "" {
		ref = got.CallIDs[0]
	}
	out.Stop = true
	return out, h.Hangup(ctx, Ending{ReferenceID: ref})
}

// result is what a flow's trace shows of a connect, nil where it did not get that far.
func (c Connected) result() map[string]string {
	if c.Reason == "" {
		return nil
	}
	r := map[string]string{"status": c.Reason, "sip_code": strconv.Itoa(c.Status)}
	if c.CallID != "" {
		r["status"], r["call_id"] = "answered", c.CallID
	}
	return r
}

// maxDestinations bounds what one action dials.
const maxDestinations = 64

// checkParties looks at the source and the destinations of connect and call.
func checkParties(c *CheckContext, source address.Address, destinations []address.Address) {
	if source != (address.Address{}) {
		checkAddress(c.At("source"), source)
	}
	c.At("destinations").Required(len(destinations) > 0)
	if len(destinations) > maxDestinations {
		c.At("destinations").Errorf("has %d addresses, at most %d", len(destinations), maxDestinations)
		return
	}
	for i, d := range destinations {
		at := c.At("destinations", i)
		checkAddress(at, d)
		switch {
		case HasVar(string(d.Type)):
		case d.Type == address.TypeNone:
			at.Errorf("has no type, such as tel, sip, extension or conference")
		case d.Type.Known() && !d.Type.Dialable() && d.Type != address.TypeConference:
			at.Errorf("cannot be called: it is of type %s", d.Type)
		}
	}
}

func checkAddress(at Spot, a address.Address) {
	if HasVar(string(a.Type)) || HasVar(a.Target) || HasVar(a.TargetName) || a.Type == address.TypeNone {
		return
	}
	if err := a.Normalize().Validate(); err != nil {
		at.Errorf("is no valid address: %v", err)
	}
}

func checkAnonymous(c *CheckContext, v string) {
	if v != "" {
		c.At("anonymous").OneOf(v, "yes", "no", "auto")
	}
}
