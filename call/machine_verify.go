package call

// verified takes what verification found out; a call whose caller has failed a check has an event of its own, whether it goes on or not.
func (m *Machine) verified(in *Input) {
	m.st.Record.Verdict, m.st.Reason = verdictJSON(in.Verdict), in.Verdict.Reason
	if m.st.Phase != PhaseEnded && flagged(in.Verdict) {
		m.emit("call_flagged")
	}
}
