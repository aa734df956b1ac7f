package store

import (
	"encoding/json"

	"github.com/callbin/callbin/call/address"
)

// VoIPBIN's values of the fields of a Call.
const (
	TypeFlow = "flow" // Call.Type

	DirectionIncoming = "incoming"
	DirectionOutgoing = "outgoing"

	StatusDialing     = "dialing"     // created, not yet ringing
	StatusRinging     = "ringing"     // the far end rings, or an incoming call before its answer
	StatusProgressing = "progressing" // answered
	StatusTerminating = "terminating" // we are hanging up
	StatusCanceling   = "canceling"   // we hang up an outgoing call before its answer
	StatusHangup      = "hangup"      // over

	HangupByRemote = "remote"
	HangupByLocal  = "local"

	ReasonNormal   = "normal"
	ReasonFailed   = "failed"
	ReasonBusy     = "busy"
	ReasonCancel   = "cancel"
	ReasonTimeout  = "timeout"
	ReasonNoAnswer = "noanswer"
	ReasonDialout  = "dialout"
	ReasonAMD      = "amd"
)

// VoIPBIN's values of the fields of a Recording.
const (
	ReferenceCall       = "call"
	ReferenceConfbridge = "confbridge"

	RecordingInitiating = "initiating"
	RecordingRecording  = "recording"
	RecordingStopping   = "stopping"
	RecordingEnded      = "ended"

	FormatWAV = "wav"
)

// Call is the record of one call, with VoIPBIN's JSON keys and, after them, ours.
// It is the row of a call detail record once Status is "hangup".
type Call struct {
	ID             string            `json:"id"`
	CustomerID     string            `json:"customer_id,omitempty"`
	FlowID         string            `json:"flow_id,omitempty"`
	ActiveflowID   string            `json:"activeflow_id,omitempty"`
	Type           string            `json:"type,omitempty"` // "flow"
	MasterCallID   string            `json:"master_call_id,omitempty"`
	ChainedCallIDs []string          `json:"chained_call_ids,omitempty"`
	RecordingID    string            `json:"recording_id,omitempty"` // the current one
	RecordingIDs   []string          `json:"recording_ids,omitempty"`
	GroupcallID    string            `json:"groupcall_id,omitempty"`
	Source         address.Address   `json:"source"`
	Destination    address.Address   `json:"destination"`
	Status         string            `json:"status,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Direction      string            `json:"direction,omitempty"`
	MuteDirection  string            `json:"mute_direction,omitempty"` // in, out, both
	HoldBy         string            `json:"hold_by,omitempty"`        // local: we hold the peer; remote: it holds us; both
	MOH            bool              `json:"moh,omitempty"`            // the peer hears music
	Silence        bool              `json:"silence,omitempty"`        // the peer hears nothing
	Orbit          string            `json:"orbit,omitempty"`          // where it is parked
	HangupBy       string            `json:"hangup_by,omitempty"`      // empty while alive
	HangupReason   string            `json:"hangup_reason,omitempty"`  // empty while alive

	TmCreate      Time `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmRinging     Time `json:"tm_ringing,omitzero"`
	TmProgressing Time `json:"tm_progressing,omitzero"`
	TmHangup      Time `json:"tm_hangup,omitzero"`
	TmUpdate      Time `json:"tm_update,omitzero"`

	JourneyID    string          `json:"journey_id,omitempty"` // joins the calls of one caller's way
	SIPCode      int             `json:"sip_code,omitempty"`   // final status of the INVITE, 200 to 699
	Cause        int             `json:"cause,omitempty"`      // Q.850
	Code         string          `json:"code,omitempty"`       // why it ended, for machines: "caller_hung_up"
	Sentence     string          `json:"sentence,omitempty"`   // why it ended, for people
	FlowPosition string          `json:"flow_position,omitempty"`
	Verdict      json.RawMessage `json:"verdict,omitempty"` // of the caller's verification, with evidence
	SIPCallID    string          `json:"sip_call_id,omitempty"`
	Peer         string          `json:"peer,omitempty"`          // host:port of the signalling
	Transport    string          `json:"transport,omitempty"`     // udp, tcp, tls, ws, wss
	ConfbridgeID string          `json:"confbridge_id,omitempty"` // the bridge that the call is in
	Trunk        string          `json:"trunk,omitempty"`         // by which the call came, or went at last
	Attempts     []Attempt       `json:"attempts,omitempty"`      // of an outgoing call: each INVITE that was sent

	Account       string `json:"account,omitempty"`        // who pays
	Cost          int64  `json:"cost,omitempty"`           // millionths of a unit of Currency; known when the call ends
	Currency      string `json:"currency,omitempty"`       // ISO 4217; "": the call has no rate, or was not answered
	BilledSeconds int64  `json:"billed_seconds,omitempty"` // full increments
	RatePrefix    string `json:"rate_prefix,omitempty"`    // by which the rate was found

	Sums
}

// VoIPBIN's statuses of a Transcribe.
const (
	TranscribeProgressing = "progressing"
	TranscribeDone        = "done"
)

// Transcribe is a transcription, with VoIPBIN's JSON keys.
type Transcribe struct {
	ID            string `json:"id"`
	ActiveflowID  string `json:"activeflow_id,omitempty"`
	ReferenceType string `json:"reference_type"` // call
	ReferenceID   string `json:"reference_id"`
	Status        string `json:"status"`
	Language      string `json:"language,omitempty"`
	TmUpdate      Time   `json:"tm_update,omitzero"`
}

// Transcript is one text of a transcription, with VoIPBIN's JSON keys.
type Transcript struct {
	TranscribeID string `json:"transcribe_id"`
	Direction    string `json:"direction"` // in: the peer said it; out: it was said to the peer
	Message      string `json:"message"`
	OffsetMS     int64  `json:"offset_ms,omitempty"` // since the start of the transcription
	TmCreate     Time   `json:"tm_create,omitzero"`
}

// Attempt is one INVITE of an outgoing call: one address, redirect or answer to a challenge.
type Attempt struct {
	URI       string `json:"uri"`
	Transport string `json:"transport,omitempty"`
	Peer      string `json:"peer,omitempty"` // host:port
	Trunk     string `json:"trunk,omitempty"`
	SIPCode   int    `json:"sip_code,omitempty"` // final status; 408 also where nobody answered
	Reason    string `json:"reason,omitempty"`   // its phrase, or why nothing could be sent

	ReasonHeader string `json:"reason_header,omitempty"` // of the refusal, as it came
	Cause        int    `json:"cause,omitempty"`         // Q.850, of that header, else what the status stands for; 0: it was answered
	Retryable    bool   `json:"retryable,omitempty"`     // what went wrong is the way's fault: another trunk may do better

	Tm        Time  `json:"tm,omitzero"`         // when it was sent
	TmRinging Time  `json:"tm_ringing,omitzero"` // the first provisional response but 100
	TmEnd     Time  `json:"tm_end,omitzero"`
	MS        int64 `json:"ms"` // from Tm to TmEnd
}

// Sums is what is added up over a call; its fields are JSON keys of Call.
type Sums struct {
	RingMS      int64            `json:"ring_ms,omitempty"`
	TalkMS      int64            `json:"talk_ms,omitempty"`
	SilenceMS   int64            `json:"silence_ms,omitempty"`
	ActionMS    map[string]int64 `json:"action_ms,omitempty"` // milliseconds by type of action
	PacketsIn   uint64           `json:"packets_in,omitempty"`
	PacketsOut  uint64           `json:"packets_out,omitempty"`
	PacketsLost uint64           `json:"packets_lost,omitempty"`
	JitterMS    float64          `json:"jitter_ms,omitempty"`
	MOS         *float64         `json:"mos,omitempty"` // 1 to 4.5 by G.107; nil until measured
}

// Recording is the record of one recording, with VoIPBIN's JSON keys and, after
// them, ours.
type Recording struct {
	ID            string `json:"id"`
	CustomerID    string `json:"customer_id,omitempty"`
	ActiveflowID  string `json:"activeflow_id,omitempty"`
	ReferenceType string `json:"reference_type,omitempty"` // call, confbridge
	ReferenceID   string `json:"reference_id,omitempty"`   // the call's or conference's id
	Status        string `json:"status,omitempty"`
	Format        string `json:"format,omitempty"` // wav
	OnEndFlowID   string `json:"on_end_flow_id,omitempty"`
	TmStart       Time   `json:"tm_start,omitzero"`
	TmEnd         Time   `json:"tm_end,omitzero"`
	TmCreate      Time   `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmUpdate      Time   `json:"tm_update,omitzero"`

	JourneyID  string          `json:"journey_id,omitempty"`
	Files      []RecordingFile `json:"files,omitempty"`
	DurationMS int64           `json:"duration_ms,omitempty"`
	Code       string          `json:"code,omitempty"`     // why it ended, for machines: "end_of_silence"
	Sentence   string          `json:"sentence,omitempty"` // why it ended, for people
}

// RecordingFile is one file of a recording.
type RecordingFile struct {
	Name      string `json:"name"`                // of the blob
	Direction string `json:"direction,omitempty"` // in, out, both
	Bytes     int64  `json:"bytes,omitempty"`
}

// Flow is a stored flow. Body is what package flow parses; a driver does not look into it.
type Flow struct {
	ID       string          `json:"id"`
	Name     string          `json:"name,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	Rev      int64           `json:"rev,omitempty"`      // counts the puts, from 1; 0: not stored yet
	TmCreate Time            `json:"tm_create,omitzero"` // of the first put; set by the driver
	TmUpdate Time            `json:"tm_update,omitzero"` // of the last put; set by the driver
}
