package action

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/callbin/callbin/call/address"
)

// ConnectOptions of one connect.
type ConnectOptions struct {
	Source       address.Address   // who is shown as calling; zero: chosen by the engine
	Destinations []address.Address // who is called
	RingMethod   string            // "linear": one after the other; else all at once
	RingTimeout  time.Duration     // of each destination; 0: Timeout, or the engine's
	EarlyMedia   bool              // the caller hears the far end before the answer
	Anonymous    string            // "", "yes", "no", "auto"
	Timeout      time.Duration     // of all the ringing; 0: none but RingTimeout
	Screening    *Screening        // nil: who answers is joined at once
	HangupKey    string            // keys of the caller, each of which ends the talk
	MaxDuration  time.Duration     // of the talk; 0: no limit
	CallBack     bool              // it goes back to who has called, or says so: not everybody is called back
}

// Screening is what runs on who answers a connect, before the two are joined. One of FlowID and Actions is set.
// Its end lets them be joined, be it after the last action or by stop; if it hangs up, or fails, they are not.
type Screening struct {
	FlowID  string
	Actions json.RawMessage // a flow or a list of actions, variables filled in
	Dir     string          // folder of the flow that Actions stands in
}

// Connected tells what became of a connect.
type Connected struct {
	CallID  string   // the leg that answered, "" where none did
	CallIDs []string // of all legs that were made, in the order of the destinations
	Reason  string   // VoIPBIN's hangup_reason of the leg that answered, or of the attempts: busy noanswer failed dialout cancel normal
	Status  int      // SIP status that goes with Reason

	Destination address.Address // the one of ConnectOptions.Destinations behind which somebody answered
	Ring        time.Duration   // until the two were joined, or the attempts were over
	Talk        time.Duration   // from then on
	// TransferredTo is the call with which the talk went on, since the one that answered has transferred it; "": it has not.
	TransferredTo string
	EndedBy       string // "callee" (or whoever has put the two apart), "key", "duration"; "screening": who answered was not let through; "": the caller
}

// Connector calls others and joins the leg with the first that answers. Connect
// returns when they have parted, or nobody answered (Connected tells; no error), or
// with context.Cause(ctx).
type Connector interface {
	Connect(ctx context.Context, o ConnectOptions) (Connected, error)
}

// DialOptions of calls that are not joined with this one. One of FlowID and Actions is set.
type DialOptions struct {
	Source         address.Address   // who is shown as calling; zero: chosen by the engine
	Destinations   []address.Address // one call each
	FlowID         string            // the flow that runs on the new calls
	Actions        json.RawMessage   // what runs on the new calls: a flow or a list of actions, variables filled in
	Chained        bool              // the new calls end with this one
	EarlyExecution bool              // the flow begins at ringing
	Anonymous      string            // "", "yes", "no", "auto"
	Dir            string            // folder of the flow that Actions stands in
}

// Dialer makes calls of their own. Dial returns once they are under way; its error
// says that none is.
type Dialer interface {
	Dial(ctx context.Context, o DialOptions) (callIDs []string, err error)
}

// Bridger puts the leg into a bridge. JoinBridge returns when the leg has left it, or
// with context.Cause(ctx).
type Bridger interface {
	JoinBridge(ctx context.Context, id string) error
}

// ErrNoConference is matched by the error of a Conferencer that does not know the conference.
var ErrNoConference = errors.New("action: there is no such conference")

// ConferenceOptions say which conference is joined, and as what.
type ConferenceOptions struct {
	ID          string
	Role        string // "moderator", "participant", "listener"; "": as the conference says
	SkipPreFlow bool   // the conference's pre_flow has run
}

// Conferenced tells how a stay in a conference was.
type Conferenced struct {
	ConferencecallID string        `json:"conferencecall_id,omitempty"`
	Status           string        `json:"status,omitempty"`   // StatusOK: it was in, and is out again; else why it was not let in: full locked wrong_pin no_pin ended kicked
	Joined           bool          `json:"joined,omitempty"`   // it was in
	EndedBy          string        `json:"ended_by,omitempty"` // kicked menu terminated timeout moderator_left ...; "": nothing that is known
	Role             string        `json:"role,omitempty"`
	Stay             time.Duration `json:"stay,omitempty"`
	Before           string        `json:"before,omitempty"` // a flow that has to run before it can be let in: nothing else has happened
	After            string        `json:"after,omitempty"`  // a flow that is to run now
}

// Conferencer puts the leg into a conference. JoinConference returns when the leg has
// left it, or was not let in (Conferenced tells; no error), with ErrNoConference, or with context.Cause(ctx).
type Conferencer interface {
	JoinConference(ctx context.Context, o ConferenceOptions) (Conferenced, error)
}

// Variables that a conference_join sets.
const (
	VarConferenceID         = "voipbin.conference.id"
	VarConferencecallID     = "voipbin.conferencecall.id"
	VarConferencecallStatus = "voipbin.conferencecall.status" // of Conferenced
)
