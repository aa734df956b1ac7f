package call

import (
	"encoding/json"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// Kind names what an Input tells.
type Kind string

// Kinds of inputs, and the field of Input that belongs to each.
const (
	KindIncoming      Kind = "incoming"      // Incoming: a new INVITE
	KindOutgoing      Kind = "outgoing"      // Outgoing: a call of ours is to be placed
	KindInvited       Kind = "invited"       // Invited: our INVITE is on its way
	KindBridge        Kind = "bridge"        // Bridge: the call is in a bridge, or out of it again
	KindVerified      Kind = "verified"      // Verdict; of a call of ours, on a redirect that is not followed
	KindRouted        Kind = "routed"        // Flow: Config.Route chose it
	KindRefused       Kind = "refused"       // End: verification or routing said no
	KindSIP           Kind = "sip"           // SIP: the dialog's peer did something
	KindMedia         Kind = "media"         // Media: a digit, silence of the network, ...
	KindNegotiated    Kind = "negotiated"    // Negotiated: offer and answer met
	KindCommand       Kind = "command"       // Command: the flow or the program wants something
	KindStarted       Kind = "action"        // Step: an action began
	KindEnded         Kind = "action_end"    // Step: it is over
	KindFlowEnded     Kind = "flow_end"      // Flow: with its error, if any
	KindTimer         Kind = "timer"         // Timer: its name
	KindRecording     Kind = "recording"     // Recording: one has started or ended
	KindTranscription Kind = "transcription" // Transcription: one has started or ended, or a text is there
	KindQuality       Kind = "quality"       // Stats: how the call sounds, every Config.QualityInterval
	KindMeter         Kind = "meter"         // Meter: the price of an incoming call, and what is set aside for it
	KindReserved      Kind = "reserved"      // Reserved: there is more time, or money, or not
	KindNote          Kind = "note"          // Note: what a flow's step got from outside (HTTP, speech, prompts)
	KindRestored      Kind = "restored"      // State: the call is taken up from a Snapshot
	KindClosed        Kind = "media_close"   // Media of the call is closed; Stats has its sums
)

// Input is one thing that a call's loop consumed. What a loop consumed, in order,
// is the call's trace: fed to a fresh Machine it gives the same state and effects.
type Input struct {
	Seq  int        `json:"seq"`
	At   store.Time `json:"at"`
	Kind Kind       `json:"kind"`

	Incoming      *IncomingInput      `json:"incoming,omitempty"`
	Outgoing      *OutgoingInput      `json:"outgoing,omitempty"`
	Invited       *InvitedInput       `json:"invited,omitempty"`
	Bridge        *BridgeInput        `json:"bridge,omitempty"`
	Verdict       *Verdict            `json:"verdict,omitempty"`
	Flow          *FlowInput          `json:"flow,omitempty"`
	End           *End                `json:"end,omitempty"`
	SIP           *sip.Event          `json:"sip,omitempty"`
	Media         *rtp.Event          `json:"media,omitempty"`
	Negotiated    *NegotiatedInput    `json:"negotiated,omitempty"`
	Command       *Command            `json:"command,omitempty"`
	Step          *StepInput          `json:"step,omitempty"`
	Timer         string              `json:"timer,omitempty"`
	Recording     *RecordingInput     `json:"recording,omitempty"`
	Transcription *TranscriptionInput `json:"transcription,omitempty"`
	ExternalMedia *ExternalMediaInput `json:"external_media,omitempty"`
	Link          *LinkInput          `json:"link,omitempty"`
	Meter         *Meter              `json:"meter,omitempty"`
	Reserved      *ReservedInput      `json:"reserved,omitempty"`
	Note          *Note               `json:"note,omitempty"`
	Stats         *rtp.Stats          `json:"stats,omitempty"`
	State         *State              `json:"state,omitempty"`

	// Did is what the loop did then: the names of its effects, and a sum over all of them. A replay that does
	// something else has met a change of the code.
	Did string `json:"did,omitempty"`
}

// IncomingInput is what the loop needs to know of a new INVITE.
type IncomingInput struct {
	ID           string          `json:"id"`
	JourneyID    string          `json:"journey_id"`
	ActiveflowID string          `json:"activeflow_id"`
	SIPCallID    string          `json:"sip_call_id"`
	Transport    string          `json:"transport"`
	Peer         string          `json:"peer"`
	Source       address.Address `json:"source"`
	Destination  address.Address `json:"destination"`
	Trunk        string          `json:"trunk,omitempty"`    // by which it came
	Offer        string          `json:"offer,omitempty"`    // SDP; empty: the offer is ours to make
	Reliable     bool            `json:"reliable,omitempty"` // early media reaches the caller reliably
	MediaTimeout MediaTimeout    `json:"media_timeout,omitzero"`
}

// OutgoingInput is what the loop needs to know of a call that we place.
type OutgoingInput struct {
	ID             string            `json:"id"`
	JourneyID      string            `json:"journey_id"`
	ActiveflowID   string            `json:"activeflow_id"`
	MasterCallID   string            `json:"master_call_id,omitempty"`
	ParentCallID   string            `json:"parent_call_id,omitempty"` // on whose behalf it is placed, where it is not chained to that
	GroupcallID    string            `json:"groupcall_id,omitempty"`   // that it is a leg of
	FlowID         string            `json:"flow_id,omitempty"`
	Source         address.Address   `json:"source"`
	Destination    address.Address   `json:"destination"`
	Ways           []string          `json:"ways,omitempty"` // trunks, in the order in which they are tried
	Metadata       map[string]string `json:"metadata,omitempty"`
	RingTimeout    time.Duration     `json:"ring_timeout"`              // from the INVITE to the answer
	EarlyExecution bool              `json:"early_execution,omitempty"` // the flow begins at ringing
	MediaTimeout   MediaTimeout      `json:"media_timeout,omitzero"`
	EarlyMedia     bool              `json:"early_media,omitempty"`  // somebody hears the far end before its answer
	MaxDuration    time.Duration     `json:"max_duration,omitempty"` // 0: the engine's
	Refused        *End              `json:"refused,omitempty"`      // the policy does not let it out
	Meter          *Meter            `json:"meter,omitempty"`        // nil: it is not metered
	Verdict        *Verdict          `json:"verdict,omitempty"`      // by what that was decided
}

// InvitedInput is what is known once the INVITE of a call of ours is made.
type InvitedInput struct {
	SIPCallID string       `json:"sip_call_id"`
	Rate      *rating.Rate `json:"rate,omitempty"` // of the one of several that has answered; nil: as it was
}

// BridgeInput tells that the call has joined or left a bridge, or what happened to it there.
type BridgeInput struct {
	ID   string `json:"id"`
	Type string `json:"type"` // store.TypeConnect, store.TypeConference
	// Event is "joined" or "leaved"; in a conference also "refused", "kicked", "muted", "unmuted", "deafened", "undeafened" and "role".
	Event  string `json:"event"`
	Detail string `json:"detail,omitempty"` // why it was refused; the new role
}

// FlowInput tells of the flow that was chosen, or that has ended.
type FlowInput struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Error      string `json:"error,omitempty"`
	Fatal      bool   `json:"fatal,omitempty"`       // it ended because of a fault of its own
	OnComplete string `json:"on_complete,omitempty"` // id of the flow that follows
	Key        string `json:"key,omitempty"`         // of a "redirect": by which the program is found
	Source     string `json:"source,omitempty"`      // of a "redirect": the flow itself
}

// NegotiatedInput is the result of an offer/answer exchange of purpose For.
type NegotiatedInput struct {
	For   string `json:"for"`             // "answer", "early", "offer", "ack", "prack", "refresh", "hold", "hold_answer"; of a call of ours "dial", "early_answer", "dial_answer"
	Offer int    `json:"offer,omitempty"` // the re-INVITE, UPDATE or PRACK it is about
	Body  string `json:"body,omitempty"`  // what goes to the peer
	Code  string `json:"code,omitempty"`  // one of the Code constants when it failed
	Error string `json:"error,omitempty"`
}

// Command is a wish of the flow or of the program. Ref is the number by which its
// reply is found.
type Command struct {
	Ref    int               `json:"ref"`
	Name   string            `json:"name"` // "answer", "early", "hangup", "record", "record_stop", "metadata", "chain", "mute", "hold", "moh", "silence", "redirect", "unchain", "refer"
	Ending *action.Ending    `json:"ending,omitempty"`
	End    *End              `json:"end,omitempty"`
	Record *RecordCommand    `json:"record,omitempty"`
	Values map[string]string `json:"values,omitempty"`
	CallID string            `json:"call_id,omitempty"` // of "chain" and "unchain"
	Mute   *MuteCommand      `json:"mute,omitempty"`
	Refer  *ReferCommand     `json:"refer,omitempty"`
	Switch *SwitchCommand    `json:"switch,omitempty"` // of "hold", "moh" and "silence"
	Flow   *FlowInput        `json:"flow,omitempty"`   // of "redirect"
}

// SwitchCommand turns something on or off.
type SwitchCommand struct {
	On        bool   `json:"on"`
	Direction string `json:"direction,omitempty"` // of a hold: "sendonly" where there is music, or "inactive"
}

// MuteCommand silences a direction, or ends that.
type MuteCommand struct {
	Direction media.Direction `json:"direction"`
	On        bool            `json:"on"`
}

// RecordCommand asks for a recording. The id is made by who asks, so that the loop
// needs no randomness.
type RecordCommand struct {
	ID      string               `json:"id"`
	Name    string               `json:"name"` // of the blob
	Options action.RecordOptions `json:"options"`
}

// RecordingInput tells that a recording has started or ended.
type RecordingInput struct {
	ID     string `json:"id"`
	Event  string `json:"event"`            // "started", "ended"
	Name   string `json:"name,omitempty"`   // of the blob
	Reason string `json:"reason,omitempty"` // of the end: "stop", "silence", "duration", "hangup", "error"
	MS     int64  `json:"ms,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Error  string `json:"error,omitempty"`
}

// TranscriptionInput tells that a transcription has started or ended, or what was said.
type TranscriptionInput struct {
	ID        string `json:"id"`
	Event     string `json:"event"`               // "started", "text", "ended"
	Language  string `json:"language,omitempty"`  // BCP 47
	Direction string `json:"direction,omitempty"` // of a text: "in", "out"
	Text      string `json:"text,omitempty"`
	StartMS   int64  `json:"start_ms,omitempty"` // of a text, since the start of the transcription; 0 where the engine does not tell
}

// StepInput tells that an action of the flow began or ended.
type StepInput struct {
	Seq      int             `json:"seq"`
	Index    int             `json:"index"`
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Option   string          `json:"option,omitempty"` // JSON, after substitution
	Outcome  *action.Outcome `json:"outcome,omitempty"`
	Counters map[string]int  `json:"counters,omitempty"` // rounds that gotos have left, before the step
	Depth    int             `json:"depth,omitempty"`    // of flows within flows
	Error    string          `json:"error,omitempty"`
}

// Note is something that a flow's step learned from outside, when it did: what a replay of the flow gives it again.
type Note struct {
	// "http", "speech", "prompt"; of the leg "answer", "hangup", "play", "record", "record_stop", "connect", "dial",
	// "bridge", "conference", "queue", "digits_send", "mute", "hold", "moh", "silence", "park", "pickup", "flow_by_id", "follow", "voicemail", "mailbox...",
	// "amd", "outbound" (the step has dialled what the policy does not let out); "wait" for a step of the flow of a queue that plays to who waits; "skip", "continue", "stop", "play_into" and "talk_into" from the
	// program; "background" for what failed after its step; "program" for the flow itself, "vars" for variables
	// that the program gave it.
	What   string          `json:"what"`
	Target string          `json:"target,omitempty"`
	Status int             `json:"status,omitempty"`
	Bytes  int64           `json:"bytes,omitempty"`
	MS     int64           `json:"ms"`
	Error  string          `json:"error,omitempty"`
	Cut    bool            `json:"cut,omitempty"`    // it was ended from outside: a digit, a hang-up, a timeout of the step
	Result json.RawMessage `json:"result,omitempty"` // what came back
	Body   string          `json:"body,omitempty"`   // text of an HTTP answer, or of a flow
}
