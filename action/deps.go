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
	WebhookSecret string             // signs webhook_send: X-VoIPBIN-Signature: sha256=<hex HMAC-SHA256 of the body>
}
