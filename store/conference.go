package store

import (
	"context"
	"fmt"
)

// Values of the fields of a Conference and a Conferencecall.
const (
	TypeConference = "conference" // for many
	TypeConnect    = "connect"    // for two: it ends when one is left

	ConferenceProgressing = "progressing"
	ConferenceTerminating = "terminating"
	ConferenceTerminated  = "terminated"

	ConferencecallJoining = "joining"
	ConferencecallJoined  = "joined"
	ConferencecallLeaving = "leaving"
	ConferencecallLeaved  = "leaved"

	RoleModerator   = "moderator"   // may do what others may not: menu keys, a room that is locked
	RoleParticipant = "participant" // hears and is heard
	RoleListener    = "listener"    // hears, and is heard by nobody
)

// Conference is the record of a conference, with VoIPBIN's JSON keys and, after them, ours. No PIN is in it.
type Conference struct {
	ID                string            `json:"id"`
	CustomerID        string            `json:"customer_id,omitempty"`
	Type              string            `json:"type,omitempty"`
	Status            string            `json:"status,omitempty"`
	Name              string            `json:"name,omitempty"`
	Detail            string            `json:"detail,omitempty"`
	Data              map[string]string `json:"data,omitempty"`
	Timeout           int64             `json:"timeout"` // seconds, 0: none
	PreFlowID         string            `json:"pre_flow_id,omitempty"`
	PostFlowID        string            `json:"post_flow_id,omitempty"`
	ConferencecallIDs []string          `json:"conferencecall_ids,omitempty"` // of those that are there now
	RecordingID       string            `json:"recording_id,omitempty"`       // the current one
	RecordingIDs      []string          `json:"recording_ids,omitempty"`
	TmEnd             Time              `json:"tm_end,omitzero"`
	TmCreate          Time              `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmUpdate          Time              `json:"tm_update,omitzero"`

	Locked     bool   `json:"locked,omitempty"`
	PIN        bool   `json:"pin,omitempty"`         // one has to be typed
	OnHold     bool   `json:"on_hold,omitempty"`     // all hear music, and nobody each other
	MaxMembers int    `json:"max_members,omitempty"` // 0: no limit
	MostCalls  int    `json:"most_calls,omitempty"`  // that were in it at one time
	AllCalls   int    `json:"all_calls,omitempty"`   // that were ever in it
	Code       string `json:"code,omitempty"`        // why it ended, for machines: "terminated", "timeout", "moderator_left", "empty", "one_left"
}

// Conferencecall is the record of one call's stay in a conference, with VoIPBIN's JSON keys and, after them, ours.
type Conferencecall struct {
	ID            string `json:"id"`
	CustomerID    string `json:"customer_id,omitempty"`
	ActiveflowID  string `json:"activeflow_id,omitempty"`
	ConferenceID  string `json:"conference_id,omitempty"`
	ReferenceType string `json:"reference_type,omitempty"` // call
	ReferenceID   string `json:"reference_id,omitempty"`   // the call's id
	Status        string `json:"status,omitempty"`
	TmCreate      Time   `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmUpdate      Time   `json:"tm_update,omitzero"`

	JourneyID string `json:"journey_id,omitempty"`
	Role      string `json:"role,omitempty"`
	Muted     bool   `json:"muted,omitempty"`    // by itself, or by somebody
	Deaf      bool   `json:"deaf,omitempty"`     // hears nothing of the others
	Code      string `json:"code,omitempty"`     // why it is not in the conference any more, or was not let in
	TalkMS    int64  `json:"talk_ms,omitempty"`  // how long it talked, where talkers are told apart
	TmJoined  Time   `json:"tm_joined,omitzero"` // unset: it was never in
	TmLeaved  Time   `json:"tm_leaved,omitzero"` // of its end, whether it was in or not
}

// Conferences keeps the records of conferences and of the stays in them. A Store that implements it, too, has them after
// their end.
type Conferences interface {
	// PutConference stores c, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutConference(ctx context.Context, c Conference) error
	// Conference returns one record. ErrNotFound, ErrClosed.
	Conference(ctx context.Context, id string) (Conference, error)
	// ListConferences returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListConferences(ctx context.Context, f ConferenceFilter) (page []Conference, next string, err error)
	// DeleteConference removes the record, not those of its stays. ErrNotFound, ErrClosed.
	DeleteConference(ctx context.Context, id string) error

	// PutConferencecall stores c, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutConferencecall(ctx context.Context, c Conferencecall) error
	// Conferencecall returns one record. ErrNotFound, ErrClosed.
	Conferencecall(ctx context.Context, id string) (Conferencecall, error)
	// ListConferencecalls returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListConferencecalls(ctx context.Context, f ConferencecallFilter) (page []Conferencecall, next string, err error)
	// DeleteConferencecall removes the record. ErrNotFound, ErrClosed.
	DeleteConferencecall(ctx context.Context, id string) error
}

// ConferenceFilter chooses conferences; an empty field chooses all.
type ConferenceFilter struct {
	Status    string
	Name      string // exactly
	Since     Time   // TmCreate >= Since
	Until     Time   // TmCreate < Until
	PageSize  int    // 1 to 100; 0: 100
	PageToken string
}

// ConferencecallFilter chooses stays; an empty field chooses all.
type ConferencecallFilter struct {
	ConferenceID string
	ReferenceID  string // the call's id
	JourneyID    string
	Since        Time // TmCreate >= Since
	Until        Time // TmCreate < Until
	PageSize     int  // 1 to 100; 0: 100
	PageToken    string
}

// Match tells whether c is chosen; page size and token aside.
func (f *ConferenceFilter) Match(c *Conference) bool {
	return (f.Status == "" || f.Status == c.Status) && (f.Name == "" || f.Name == c.Name) && within(c.TmCreate, f.Since, f.Until)
}

// Match tells whether c is chosen; page size and token aside.
func (f *ConferencecallFilter) Match(c *Conferencecall) bool {
	return (f.ConferenceID == "" || f.ConferenceID == c.ConferenceID) &&
		(f.ReferenceID == "" || f.ReferenceID == c.ReferenceID) &&
		(f.JourneyID == "" || f.JourneyID == c.JourneyID) &&
		within(c.TmCreate, f.Since, f.Until)
}

// At is the record's place in lists.
func (c *Conference) At() Cursor { return Cursor{c.TmCreate, c.ID} }

// At is the record's place in lists.
func (c *Conferencecall) At() Cursor { return Cursor{c.TmCreate, c.ID} }

// Clean returns a deep copy of c in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, or TmCreate unset.
func (c Conference) Clean() (Conference, error) {
	if err := CheckID(c.ID); err != nil {
		return Conference{}, err
	}
	if c.TmCreate.IsZero() {
		return Conference{}, fmt.Errorf("store: conference %s: tm_create is unset: %w", c.ID, ErrInvalid)
	}
	c.TmCreate, c.TmUpdate, c.TmEnd = At(c.TmCreate.Time), At(c.TmUpdate.Time), At(c.TmEnd.Time)
	texts(&c.CustomerID, &c.Type, &c.Status, &c.Name, &c.Detail, &c.PreFlowID, &c.PostFlowID, &c.RecordingID, &c.Code)
	c.ConferencecallIDs, c.RecordingIDs = copyTexts(c.ConferencecallIDs), copyTexts(c.RecordingIDs)
	c.Data = cleanMap(c.Data)
	return c, nil
}

// Clean returns a copy of c in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, or TmCreate unset.
func (c Conferencecall) Clean() (Conferencecall, error) {
	if err := CheckID(c.ID); err != nil {
		return Conferencecall{}, err
	}
	if c.TmCreate.IsZero() {
		return Conferencecall{}, fmt.Errorf("store: conferencecall %s: tm_create is unset: %w", c.ID, ErrInvalid)
	}
	c.TmCreate, c.TmUpdate, c.TmJoined, c.TmLeaved = At(c.TmCreate.Time), At(c.TmUpdate.Time), At(c.TmJoined.Time), At(c.TmLeaved.Time)
	texts(&c.CustomerID, &c.ActiveflowID, &c.ConferenceID, &c.ReferenceType, &c.ReferenceID, &c.Status, &c.JourneyID, &c.Role, &c.Code)
	return c, nil
}
