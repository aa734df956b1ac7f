package call

// LinkInput tells that the call has come to be linked to something else: another call, a queue, a room, or a state that others
// see. The journey is read from it.
type LinkInput struct {
	// "transfer", "transferred_by", "replaces", "replaced_by", "park", "pickup", "queue_enter", "queue_leave",
	// "queue_agent", "hold", "unhold" (by us), "held", "unheld" (by the peer), "moh", "silence", "redirect", "voicemail",
	// "barge", "whisper", "listen".
	What   string `json:"what"`
	CallID string `json:"call_id,omitempty"` // the other call
	Queue  string `json:"queue,omitempty"`
	Room   string `json:"room,omitempty"` // a room, an orbit, a mailbox
	Detail string `json:"detail,omitempty"`
}
