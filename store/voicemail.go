package store

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/call/address"
)

// Values of Voicemail.Status.
const (
	VoicemailNew     = "new"     // nobody has heard it
	VoicemailSaved   = "saved"   // it was heard
	VoicemailDeleted = "deleted" // its sound goes when its owner leaves the mailbox
)

// Voicemail is the record of a message that somebody left in a mailbox. Its sound is that of the recording.
type Voicemail struct {
	ID           string          `json:"id"`
	MailboxID    string          `json:"mailbox_id"` // required
	CallID       string          `json:"call_id,omitempty"`
	ActiveflowID string          `json:"activeflow_id,omitempty"`
	JourneyID    string          `json:"journey_id,omitempty"`
	Source       address.Address `json:"source"`
	RecordingID  string          `json:"recording_id,omitempty"`
	DurationMS   int64           `json:"duration_ms"`
	Status       string          `json:"status"`
	Transcript   string          `json:"transcript,omitempty"`
	TmCreate     Time            `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmUpdate     Time            `json:"tm_update,omitzero"`
}

// Mailbox is what its owner has made of a mailbox; who may open it is no matter of the store.
type Mailbox struct {
	ID                  string `json:"id"`
	GreetingRecordingID string `json:"greeting_recording_id,omitempty"` // its owner's own; "": none
	TmUpdate            Time   `json:"tm_update,omitzero"`
}

// Voicemails keeps messages and mailboxes; a Store that implements it, too, lets an engine take messages.
type Voicemails interface {
	// PutVoicemail stores v, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutVoicemail(ctx context.Context, v Voicemail) error
	// Voicemail returns one message. ErrNotFound, ErrClosed.
	Voicemail(ctx context.Context, id string) (Voicemail, error)
	// ListVoicemails returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListVoicemails(ctx context.Context, f VoicemailFilter) (page []Voicemail, next string, err error)
	// DeleteVoicemail removes the record, not its recording. ErrNotFound, ErrClosed.
	DeleteVoicemail(ctx context.Context, id string) error
	// PutMailbox stores m, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutMailbox(ctx context.Context, m Mailbox) error
	// Mailbox returns one mailbox. ErrNotFound, ErrClosed.
	Mailbox(ctx context.Context, id string) (Mailbox, error)
}

// VoicemailFilter chooses messages; an empty field chooses all.
type VoicemailFilter struct {
	MailboxID string
	Status    string
	Since     Time // TmCreate >= Since
	Until     Time // TmCreate < Until
	PageSize  int  // 1 to 100; 0: 100
	PageToken string
}

// Match tells whether v is chosen; page size and token aside.
func (f *VoicemailFilter) Match(v *Voicemail) bool {
	return (f.MailboxID == "" || f.MailboxID == v.MailboxID) &&
		(f.Status == "" || f.Status == v.Status) &&
		within(v.TmCreate, f.Since, f.Until)
}

// At is the record's place in lists.
func (v *Voicemail) At() Cursor { return Cursor{v.TmCreate, v.ID} }

// Clean returns a copy of v in the form in which drivers store it, or an error matching ErrInvalid: an id is bad, or
// TmCreate unset.
func (v Voicemail) Clean() (Voicemail, error) {
	if err := CheckID(v.ID); err != nil {
		return Voicemail{}, err
	}
	if err := CheckID(v.MailboxID); err != nil {
		return Voicemail{}, fmt.Errorf("store: voicemail %s: mailbox: %w", v.ID, err)
	}
	if v.TmCreate.IsZero() {
		return Voicemail{}, fmt.Errorf("store: voicemail %s: tm_create is unset: %w", v.ID, ErrInvalid)
	}
	v.TmCreate, v.TmUpdate = At(v.TmCreate.Time), At(v.TmUpdate.Time)
	texts(&v.CallID, &v.ActiveflowID, &v.JourneyID, &v.RecordingID, &v.Status, &v.Transcript)
	cleanAddress(&v.Source)
	return v, nil
}

// Clean returns a copy of m in the form in which drivers store it, or an error matching ErrInvalid: the id is bad.
func (m Mailbox) Clean() (Mailbox, error) {
	if err := CheckID(m.ID); err != nil {
		return Mailbox{}, err
	}
	m.TmUpdate = At(m.TmUpdate.Time)
	texts(&m.GreetingRecordingID)
	return m, nil
}
