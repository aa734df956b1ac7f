package call

import "github.com/callbin/callbin/store"

// verified takes what verification found out; a call whose caller has failed a check has an event of its own, whether it goes on or not. Of a
// call of ours it is why a redirect is not followed.
func (m *Machine) verified(in *Input) {
	if m.isOutgoing() {
		m.st.Denied = in.Verdict
		return
	}
	m.st.Record.Verdict, m.st.Reason = verdictJSON(in.Verdict), in.Verdict.Reason
	if m.st.Phase != PhaseEnded && flagged(in.Verdict) {
		m.emit("call_flagged")
	}
}

func (m *Machine) routed(in *Input) {
	if m.st.Phase == PhaseEnded { // cancelled while it was being routed
		return
	}
	m.st.Record.FlowID = in.Flow.ID
	m.st.Phase = PhaseRinging
	m.status(store.StatusRinging, in.At)
	m.do(Effect{Do: DoRing, Text: m.st.Reason})
	m.emit("call_ringing")
	m.startFlow(in)
	m.do(Effect{Do: DoTimer, Text: "max_duration"})
}
