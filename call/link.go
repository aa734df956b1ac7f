package call

// LinkInput tells that the call was linked to something else: another leg, a queue, a room. It changes nothing in the loop; with
// it the trace holds the journey.
type LinkInput struct {
	// What is "transfer", "transferred_by", "replaces", "replaced_by", "park", "pickup", "queue_enter", "queue_leave",
	// "queue_agent", "hold", "unhold", "held", "unheld", "moh", "silence", "redirect", "voicemail", "barge", "whisper" or "listen".
	What   string `json:"what"`
	CallID string `json:"call_id,omitempty"` // of the other leg
	Queue  string `json:"queue,omitempty"`   // id
	Room   string `json:"room,omitempty"`    // orbit or mailbox
	Detail string `json:"detail,omitempty"`
}

// link notes in the trace what the call is linked to.
func (c *Call) link(l LinkInput) { c.post(Input{Kind: KindLink, Link: &l}) }
