package action

import (
	"context"
	"errors"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// Errors of Mailboxes.
var (
	ErrNoMailbox     = errors.New("action: there is no such mailbox")
	ErrMailboxFull   = errors.New("action: the mailbox is full")
	ErrMailboxClosed = errors.New("action: the mailbox does not open") // whoever asks for it: it does not tell why
)

// Mailbox is where messages are left. It does not hold its PIN.
type Mailbox struct {
	ID       string   `json:"id"`
	Language string   `json:"language,omitempty"`  // BCP 47, in which its owner is spoken to
	TimeZone string   `json:"time_zone,omitempty"` // IANA name; "": UTC
	Greeting string   `json:"greeting,omitempty"`  // id of a recording of its owner's; "": none
	Email    []string `json:"email,omitempty"`     // who gets each message
	Webhook  string   `json:"webhook,omitempty"`   // URL that is told of each message
}

// Values of VoiceMessage.Status.
const (
	MessageNew     = "new"
	MessageSaved   = "saved"
	MessageDeleted = "deleted"
)

// VoiceMessage is a message in a mailbox. Its sound is a recording.
type VoiceMessage struct {
	ID          string          `json:"id"`
	MailboxID   string          `json:"mailbox_id"`
	CallID      string          `json:"call_id,omitempty"`
	Source      address.Address `json:"source"`
	RecordingID string          `json:"recording_id,omitempty"`
	DurationMS  int64           `json:"duration_ms"`
	Status      string          `json:"status"`
	Transcript  string          `json:"transcript,omitempty"`
	TmCreate    time.Time       `json:"tm_create"`
}

// MessageOptions of one message. Zero limits are none.
type MessageOptions struct {
	MailboxID    string
	EndOfKey     string        // keys, each of which ends it
	EndOfSilence time.Duration // end after so much silence of the peer, which does not count for MinDuration
	MinDuration  time.Duration // what is shorter is dropped
	MaxDuration  time.Duration
}

// TakenMessage tells what became of a message.
type TakenMessage struct {
	Message VoiceMessage  `json:"message"`
	Kept    bool          `json:"kept"`     // else it was too short
	EndedBy string        `json:"ended_by"` // "key", "silence", "duration", "hangup", "skip", "error"
	Length  time.Duration `json:"length"`
}

// Mailboxes lets messages be left, and heard.
type Mailboxes interface {
	// Mailbox finds a mailbox. ErrNoMailbox.
	Mailbox(ctx context.Context, id string) (Mailbox, error)
	// Greeting is the sound of the greeting that the owner of a mailbox has recorded.
	Greeting(ctx context.Context, id string) (media.Source, error)
	// TakeMessage records what the peer says, and nothing of what it hears, and keeps it as a new message of the mailbox. The end
	// of ctx ends the message, too, which is kept: then the error is context.Cause(ctx). ErrNoMailbox, ErrMailboxFull.
	TakeMessage(ctx context.Context, o MessageOptions) (TakenMessage, error)
	// TranscribeMessage adds the text of a message.
	TranscribeMessage(ctx context.Context, id, text string) error
	// OpenMailbox opens a mailbox to the peer if that is its owner by what the engine has verified (id "": the one that is so), or if
	// pin is its PIN. ErrMailboxClosed, whatever the reason.
	OpenMailbox(ctx context.Context, id, pin string) (OpenMailbox, error)
}

// OpenMailbox is a mailbox that is open to its owner. It is for one goroutine.
type OpenMailbox interface {
	Mailbox() Mailbox
	// Messages are those that are new or saved, newest first.
	Messages(ctx context.Context) ([]VoiceMessage, error)
	// Sound is that of one of them.
	Sound(ctx context.Context, messageID string) (media.Source, error)
	// Mark gives one of them a status.
	Mark(ctx context.Context, messageID, status string) error
	// RecordGreeting records what the peer says as the greeting of the mailbox; what is too short leaves the old one.
	RecordGreeting(ctx context.Context, o MessageOptions) (TakenMessage, error)
	// Close removes for good what was marked as deleted. It does not mind that ctx has ended.
	Close(ctx context.Context) error
}

// DigitHider is a leg that can keep the digits that are pressed out of whatever is kept of the call, as long as a PIN is asked
// for: 0 to 9 are hidden, not the other keys.
type DigitHider interface {
	HideDigits(on bool)
}

// hideDigits hides digits until show is called.
func hideDigits(leg Leg) (show func()) {
	h, err := Need[DigitHider](leg)
	if err != nil {
		return func() {}
	}
	h.HideDigits(true)
	return func() { h.HideDigits(false) }
}
