package action

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/callbin/callbin/media"
)

// ErrNoFlow is matched by the error of a FlowFinder that does not know the flow.
var ErrNoFlow = errors.New("action: there is no such flow")

// FlowFinder finds the flows that actions name by id.
type FlowFinder interface {
	FlowByID(ctx context.Context, id string) (Program, error)
}

// Follower runs a flow after something has ended, with the leg's variables and vars.
// It returns at once.
type Follower interface {
	Follow(flowID string, vars map[string]string) error
}

// Stater tells VoIPBIN's status of the leg: dialing ringing progressing terminating canceling hangup.
type Stater interface {
	CallStatus() string
}

// Listener lets others hear the leg: frames of both directions go to the tap that open makes for
// their rate, until stop is called.
type Listener interface {
	Listen(ctx context.Context, open func(rateHz int) (media.Tap, error)) (stop func(), err error)
}

// TranscribeOptions of one transcription of a leg.
type TranscribeOptions struct {
	Language    string          // BCP 47
	Provider    string          // name of an engine
	Direction   media.Direction // media.In: what the peer says; media.Out; media.Both
	OnEndFlowID string          // a flow to run when it has ended
}

// Transcribing turns what is said on the leg into text while the call goes on; one
// transcription at a time. What is understood is told in events, and is in VarTranscript.
type Transcribing interface {
	// StartTranscription returns the transcription's id once it runs.
	StartTranscription(ctx context.Context, o TranscribeOptions) (id string, err error)
	// StopTranscription returns when the last text is there.
	StopTranscription(ctx context.Context) error
}

// Recordings gives access to the recordings that were made of the leg.
type Recordings interface {
	RecordingIDs() []string
	// OpenRecording returns the sound of a recording that has ended, a WAV file, and its file name.
	OpenRecording(ctx context.Context, id string) (name string, wav io.ReadCloser, err error)
}

// MachineDetector tells whether a human or an answering machine has answered the leg: "human",
// "machine" or "notsure". It waits for the verdict, or returns context.Cause(ctx).
type MachineDetector interface {
	DetectMachine(ctx context.Context) (verdict string, err error)
}

// Queued tells what became of a caller in a queue.
type Queued struct {
	QueuecallID string
	Status      string // VoIPBIN's of the queuecall: done, abandoned; waiting where an agent is going to call back
	Reason      string // why it ended: served, wait_timeout, hung_up, full, ...
	AgentCallID string // the agent's leg, "" where nobody took the call
	// OverflowCallID is the leg of who took the call in place of the queue's agents, "" for nobody.
	OverflowCallID string
	Waited         time.Duration
}

// ErrNoQueue is matched by the error of a Queuer that does not know the queue.
var ErrNoQueue = errors.New("action: there is no such queue")

// Queuer puts the leg into a queue. JoinQueue returns when the leg has talked with an agent, or has
// left the queue without (Queued tells; no error), with ErrNoQueue, or with context.Cause(ctx).
type Queuer interface {
	JoinQueue(ctx context.Context, id string) (Queued, error)
}

// ExternalMediaOptions say where a leg's sound goes.
type ExternalMediaOptions struct {
	Host           string // host:port, or a ws: or wss: URL; for protocol audiosocket also a tcp: URL
	Protocol       string // "twilio", "audiosocket", "pcm", "jambonz", "rtp"; "": as Encapsulation and Transport say
	Encapsulation  string // "rtp", "audiosocket", "none"
	Transport      string // "udp", "tcp", "websocket"
	TransportData  string
	ConnectionType string // "client"
	Format         string // "ulaw"
	Listen, Speak  media.Direction
	SampleRate     int               // in Hz; 0: as Format says, or the protocol has it
	Parameters     map[string]string // told to the program
	Auth           string            // name of credentials that the engine has; "": none
	Wait           bool              // StartExternalMedia returns at the end of the stream
}

// Streamed tells of a stream.
type Streamed struct {
	ID     string
	Reason string // of its end, where that was waited for: "closed" by the program, "stopped", "lost", "error"
}

// ExternalMedia forks the leg's sound to a program outside.
type ExternalMedia interface {
	// StartExternalMedia returns when the program is connected.
	StartExternalMedia(ctx context.Context, o ExternalMediaOptions) (Streamed, error)
	// StopExternalMedia ends all that run.
	StopExternalMedia(ctx context.Context) error
}
