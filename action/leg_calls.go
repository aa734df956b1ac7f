package action

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// ConnectOptions of one connect.
type ConnectOptions struct {
	Source       address.Address   // who is shown as calling; zero: chosen by the engine
	Destinations []address.Address // all ring at once
	EarlyMedia   bool              // the leg hears the far end before it answers
	Anonymous    string            // hides the caller: "" and "no" do not, "yes" does, "auto" as the leg itself was
	Timeout      time.Duration     // of the ringing; 0: the engine's
}

// Connected tells what became of a connect.
type Connected struct {
	CallID  string   // the leg that answered, "" where none did
	CallIDs []string // of all legs that were made, in the order of the destinations
	Reason  string   // hangup_reason of the leg that answered, or of the attempts: normal busy noanswer dialout failed cancel
	Status  int      // SIP status that goes with it; 200 where one answered
}

// Connector calls others and joins the leg with the first that answers. Connect returns
// when the two have parted, or nobody has answered, which is no error: Connected tells; or
// with context.Cause(ctx).
type Connector interface {
	Connect(ctx context.Context, o ConnectOptions) (Connected, error)
}

// DialOptions of calls that are not joined with the leg.
type DialOptions struct {
	Source       address.Address
	Destinations []address.Address

	// What runs on the new calls: the flow with that id, or a flow in JSON, with its
	// variables filled in; relative file: URLs in it start at Dir.
	FlowID  string
	Actions json.RawMessage
	Dir     string

	Chained        bool // the new calls end with this one
	EarlyExecution bool // the flow begins at ringing
	Anonymous      string
}

// Dialer places calls that are not joined with the leg. Dial returns once they are under
// way; the error says why none is.
type Dialer interface {
	Dial(ctx context.Context, o DialOptions) (callIDs []string, err error)
}

// Bridger joins a bridge by its name, any text, until the leg is out of it.
type Bridger interface {
	JoinBridge(ctx context.Context, id string) error
}

// Conferencer joins a conference by its id, any text, until the leg is out of it.
type Conferencer interface {
	JoinConference(ctx context.Context, id string) error
}

// ErrNoConference is matched by the errors of JoinConference and JoinBridge where there is
// no such room, and none is made on the spot.
var ErrNoConference = errors.New("action: there is no such conference")

// DigitSender presses keys for the peer to hear, 0-9 A-D * #, each for duration, with
// interval between them. It returns at the end of the last one.
type DigitSender interface {
	SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error
}

// Muter silences what the peer says (media.In), hears (media.Out), or both; or ends that.
type Muter interface {
	Mute(ctx context.Context, d media.Direction, on bool) error
}
