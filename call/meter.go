package call

import (
	"time"

	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/store"
)

// Meter is what a call's loop knows of its price, and of the money and time that are set aside for it:
//
//	answer --covered less lead--> reserve --reserved--> covered grows, and so on
//	                                 |
//	                                 +--denied--> warning --covered--> hang up
type Meter struct {
	Account  string        `json:"account,omitempty"`
	Rate     *rating.Rate  `json:"rate,omitempty"`     // nil: it costs nothing. Never changed, only replaced
	Reserves bool          `json:"reserves,omitempty"` // time, or money, is set aside increment after increment
	Lead     time.Duration `json:"lead,omitempty"`     // how long before the end of what is covered more is asked for
	Warns    bool          `json:"warns,omitempty"`    // the peer is told that there is no more

	Covered time.Duration `json:"covered,omitempty"` // since the answer
	Asking  bool          `json:"asking,omitempty"`
	Denied  bool          `json:"denied,omitempty"`
}

// ReservedInput tells what came of asking for more.
type ReservedInput struct {
	Seconds int64  `json:"seconds"`         // 0: there is no more
	Error   string `json:"error,omitempty"` // why
}

// steps are the increments of the call: a call that has no price is counted by the minute.
func (t *Meter) steps() (initial, increment time.Duration) {
	if t.Rate == nil {
		return time.Minute, time.Minute
	}
	return time.Duration(t.Rate.Initial) * time.Second, time.Duration(t.Rate.Increment) * time.Second
}

// cost is what the call costs that takes d.
func (t *Meter) cost(d time.Duration) (rating.Amount, int64) {
	if t.Rate == nil {
		return 0, 0
	}
	return t.Rate.Cost(d)
}

// metered takes what is set aside for the call, before it is answered.
func (m *Machine) metered(t *Meter) {
	if t != nil {
		m.st.Meter = *t
		m.st.Record.Account = t.Account
	}
}

// meterStarts is reached when the call is answered: what is set aside covers the first increment.
func (m *Machine) meterStarts(at store.Time) {
	if t := &m.st.Meter; t.Reserves {
		t.Covered, _ = t.steps()
		m.meterWaits(at)
	}
}

func (m *Machine) meterWaits(at store.Time) {
	t := &m.st.Meter
	until := t.Covered
	if !t.Asking && !t.Denied {
		until -= t.Lead
	}
	m.do(Effect{Do: DoTimer, Text: "budget", Delay: max(until-m.talked(at), time.Millisecond)})
}

// talked is how long the call is answered.
func (m *Machine) talked(at store.Time) time.Duration { return at.Sub(m.st.Record.TmProgressing.Time) }

// meterDue takes the end of what is covered, or its approach.
func (m *Machine) meterDue(at store.Time) {
	t := &m.st.Meter
	if m.st.Phase == PhaseEnded || !t.Reserves {
		return
	}
	talked := m.talked(at) + time.Microsecond // which at is rounded to
	switch {
	case talked >= t.Covered:
		m.end(at, End{By: "local", Reason: store.ReasonNormal, Status: 200, Cause: 16, Code: CodeBudgetExhausted,
			Sentence: "there is nothing left for the call to spend"})
		return
	case !t.Asking && !t.Denied && talked >= t.Covered-t.Lead:
		t.Asking = true
		m.do(Effect{Do: DoReserve, Delay: t.Covered})
	case t.Asking || t.Denied:
		return // an old one: that for the end of what is covered is set
	}
	m.meterWaits(at)
}

// reserved takes the answer of the accounts.
func (m *Machine) reserved(in *Input) {
	t := &m.st.Meter
	t.Asking = false
	switch {
	case m.st.Phase == PhaseEnded:
	case in.Reserved.Seconds > 0:
		t.Covered += time.Duration(in.Reserved.Seconds) * time.Second
		m.meterWaits(in.At)
	default:
		t.Denied = true
		m.emit("call_budget_low")
		if t.Warns {
			m.do(Effect{Do: DoWarn})
		}
		m.meterWaits(in.At)
	}
}

// charge puts what the call has cost into its record, as its end begins. What was not set aside beforehand is not charged:
// hanging up takes a moment.
func (m *Machine) charge(at store.Time) {
	t, r := &m.st.Meter, &m.st.Record
	if t.Rate == nil || t.Rate.Currency == "" || r.TmProgressing.IsZero() {
		return
	}
	d := m.talked(at)
	if t.Reserves {
		d = min(d, t.Covered)
	}
	cost, billed := t.cost(d)
	r.Cost, r.BilledSeconds, r.Currency, r.RatePrefix = int64(cost), billed, t.Rate.Currency, t.Rate.Prefix
}
