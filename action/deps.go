package action

import (
	"context"
	"net/http"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// Prompts opens what a play action names. ref is a file: or http(s): URL; a relative
// file: URL is relative to dir (the folder of the flow's file, may be empty) and
// stays below it. The source is a fresh one on shared, decoded sound.
type Prompts interface {
	OpenPrompt(ctx context.Context, dir, ref string) (media.Source, error)
}

// PromptChecker is a Prompts that can tell beforehand, without the network, that ref
// cannot be opened.
type PromptChecker interface {
	CheckPrompt(dir, ref string) error
}

// HTTPDoer sends the requests that flows name; *http.Client is one, the engine's is
// guarded against private networks.
type HTTPDoer interface {
	Do(*http.Request) (*http.Response, error)
}

// DestinationChecker can tell beforehand why a call to a would come to nothing.
type DestinationChecker interface {
	CheckDestination(a address.Address) error
}

// Deps are the things that built-in actions work with. A nil field makes the
// actions that need it fail flow.Check by the field's name.
type Deps struct {
	Prompts       Prompts
	Speaker       media.Speaker
	Beep          func() media.Source // the sound of the beep action, a fresh one each time
	HTTP          HTTPDoer
	Destinations  DestinationChecker // warns of destinations when a flow is checked; nil: nobody does
	Foreign       FlowReader         // fetch of flows that are written in another language; package flow/foreign has one
	WebApps       map[string]WebApp  // accounts of fetch, by name
	WebhookSecret string             // signs webhook_send: X-VoIPBIN-Signature: sha256=<hex HMAC-SHA256 of the body>

	Expressions          Expressions                // condition_expression; package flow/expr has them
	Transcriber          media.Transcriber          // transcribe_start, ai_talk; package media/vosk has one
	RecordingTranscriber media.RecordingTranscriber // transcribe_recording; package action/openai has one
	Assistant            Assistant                  // ai_talk, ai_task, ai_summary; package action/openai has one
	Messages             MessageSender              // message_send
	Mail                 MailSender                 // email_send; package action/mail has one
	Conversations        ConversationSender         // conversation_send
	Cases                CaseCreator                // case_create
}

// Expressions compiles conditions. It is safe for concurrent use.
type Expressions interface {
	// Compile returns the condition that source is. Its error says what is wrong with it.
	Compile(source string) (Expression, error)
}

// Expression is a compiled condition. It never changes.
type Expression interface {
	// Reads are the names of the variables that it looks at.
	Reads() []string
	// Holds tells whether it is true with the variables that lookup knows.
	Holds(lookup func(name string) (string, bool)) (bool, error)
}
