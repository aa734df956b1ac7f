package call

// KindLink is the kind of an Input that joins the call to something else: another call, a queue, a place to park. It stands in the
// trace, where the journey is read from; the machine keeps what it comes to (Linked) and does nothing about it.
const KindLink Kind = "link" // Link

// LinkInput tells what the call has to do with something else.
type LinkInput struct {
	// What is one of the Link constants.
	What   string `json:"what"`
	CallID string `json:"call_id,omitempty"` // the other call
	Queue  string `json:"queue,omitempty"`   // the queue's id
	Room   string `json:"room,omitempty"`    // the orbit of a parked call, the mailbox of a message
	Detail string `json:"detail,omitempty"`
}

// What an Input of KindLink tells, and what belongs to it.
const (
	LinkTransfer      = "transfer"       // CallID: the new leg; Detail: "blind" or "attended"
	LinkTransferredBy = "transferred_by" // CallID
	LinkReplaces      = "replaces"       // CallID: which is replaced
	LinkReplacedBy    = "replaced_by"    // CallID
	LinkPark          = "park"           // Room: the orbit
	LinkPickup        = "pickup"         // Room: the orbit
	LinkQueueEnter    = "queue_enter"    // Queue
	LinkQueueLeave    = "queue_leave"    // Queue; Detail: status
	LinkQueueAgent    = "queue_agent"    // Queue; CallID: the agent's leg
	LinkHold          = "hold"           // by us
	LinkUnhold        = "unhold"
	LinkHeld          = "held" // by the peer
	LinkUnheld        = "unheld"
	LinkMOH           = "moh"
	LinkSilence       = "silence"
	LinkRedirect      = "redirect"
	LinkVoicemail     = "voicemail" // Room: the mailbox
	LinkBarge         = "barge"     // CallID: of the supervisor's leg
	LinkWhisper       = "whisper"   // CallID: of the supervisor's leg
	LinkListen        = "listen"    // CallID: of the supervisor's leg
)

// Linked is what the links of a call have come to.
type Linked struct {
	Hold  bool   `json:"hold,omitempty"`  // we hold the peer
	Held  bool   `json:"held,omitempty"`  // the peer holds us
	Queue string `json:"queue,omitempty"` // that the call waits in
	Park  string `json:"park,omitempty"`  // the orbit that it is parked in
}

func (s *Linked) take(l *LinkInput) {
	switch l.What {
	case LinkHold, LinkUnhold:
		s.Hold = l.What == LinkHold
	case LinkHeld, LinkUnheld:
		s.Held = l.What == LinkHeld
	case LinkQueueEnter:
		s.Queue = l.Queue
	case LinkQueueLeave:
		s.Queue = ""
	case LinkPark:
		s.Park = l.Room
	case LinkPickup:
		s.Park = ""
	}
}

// link notes in the trace what the call is linked to.
func (c *Call) link(l LinkInput) { c.post(Input{Kind: KindLink, Link: &l}) }

// transferred takes the link of a transfer: the record says by its code that the call has transferred the other side, by whatever BYE it ends.
func (m *Machine) transferred() {
	m.st.Transferred = true
	if r := &m.st.Record; m.st.Phase == PhaseEnded && !m.st.Finished && (r.Code == CodeCallerHungUp || r.Code == CodeCalleeHungUp) {
		r.Code, r.Sentence = CodeTransferred, transferredEnd.Sentence
	}
}
