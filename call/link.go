package call

// LinkInput tells that the call has to do with another one, or with a queue or room: what the graph of a journey is drawn from.
type LinkInput struct {
	// What is "transfer" (CallID: the new leg; Detail: "blind", "attended"), "transferred_by", "replaces", "replaced_by", "park", "pickup" (Room:
	// the orbit), "queue_enter", "queue_leave" (Detail: the status), "queue_agent" (CallID: the agent's leg), "hold", "unhold", "held", "unheld",
	// "moh", "silence", "redirect", "voicemail" (Room: the mailbox), "barge", "whisper" or "listen" (CallID: of the supervisor's leg).
	What   string `json:"what"`
	CallID string `json:"call_id,omitempty"`
	Queue  string `json:"queue,omitempty"`
	Room   string `json:"room,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// link notes l in the call's trace.
func (c *Call) link(l LinkInput) { c.post(Input{Kind: KindLink, Link: &l}) }

// linked takes a link: the record says by its code that the call has transferred the other side, by whatever BYE it ends.
func (m *Machine) linked(in *Input) {
	if in.Link.What != "transfer" {
		return
	}
	m.st.Transferred = true
	if r := &m.st.Record; m.st.Phase == PhaseEnded && !m.st.Finished && (r.Code == CodeCallerHungUp || r.Code == CodeCalleeHungUp) {
		r.Code, r.Sentence = CodeTransferred, transferredEnd.Sentence
	}
}
