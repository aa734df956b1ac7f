package call

import (
	"time"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// trunk is the name of the trunk that the call goes by at present, "" for none.
func (m *Machine) trunk() string {
	if m.st.Way < len(m.st.Ways) {
		return m.st.Ways[m.st.Way]
	}
	return ""
}

// failover tries the next trunk, if there is one; false: the call is over. Once somebody may have heard the far
// end, a flow or who waits in a connect, no other far end takes its place.
func (m *Machine) failover(at store.Time) bool {
	st := &m.st
	switch {
	case st.Phase != PhaseNew && st.Phase != PhaseRinging, st.Way+1 >= len(st.Ways):
		return false
	case st.FlowStarted, st.EarlyMedia && st.HasMedia:
		return false
	}
	st.Way++
	st.Tried = len(st.Record.Attempts)
	st.HasMedia, st.Invited = false, false
	st.Record.Trunk, st.Record.TmUpdate = m.trunk(), at
	m.emit("call_updated")
	m.do(Effect{Do: DoNegotiate, For: "dial", Text: m.trunk()})
	return true
}

// unsent notes that there is no offer that could go to the trunk, and tries the next one.
func (m *Machine) unsent(at store.Time, n *NegotiatedInput) bool {
	end := negotiationEnd(n)
	m.st.Record.Attempts = append(m.st.Record.Attempts, store.Attempt{
		Trunk: m.trunk(), SIPCode: end.Status, Reason: n.Error, Cause: end.Cause, Retryable: true, Tm: at, TmEnd: at,
	})
	return m.failover(at)
}

// attempts notes what was tried, after what was tried at other trunks.
func (m *Machine) attempts(e *sip.Event) {
	r := &m.st.Record
	r.Attempts = r.Attempts[:m.st.Tried:m.st.Tried]
	for _, a := range e.Attempts {
		r.Attempts = append(r.Attempts, m.attempt(a))
		if a.Addr != "" {
			r.Peer, r.Transport = a.Addr, a.Network
		}
	}
}

func (m *Machine) attempt(a sip.Attempt) store.Attempt {
	s := store.Attempt{
		URI: a.URI, Transport: a.Network, Peer: a.Addr, Trunk: m.trunk(), SIPCode: a.Status, Reason: a.Reason, ReasonHeader: a.Said,
		Cause: a.Cause, Tm: store.At(a.At), TmRinging: store.At(a.Rang), TmEnd: store.At(a.At.Add(time.Duration(a.MS) * time.Millisecond)), MS: a.MS,
	}
	if a.Status >= 300 {
		v := judge(a.Status, a.Cause, false)
		s.Retryable = v.retry
		if s.Cause == 0 {
			s.Cause = v.cause
		}
	}
	return s
}
