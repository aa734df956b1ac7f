package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/callbin/callbin/call/address"
)

// VoIPBIN's values of the fields of a Groupcall.
const (
	RingAll    = "ring_all" // Groupcall.RingMethod: all destinations at once
	RingLinear = "linear"   // one after the other

	AnswerNone         = ""              // Groupcall.AnswerMethod: who is not answered goes on ringing
	AnswerHangupOthers = "hangup_others" // the first answer ends all others

	GroupcallProgressing = "progressing"
	GroupcallHangingup   = "hangingup" // no more is dialled, what is left is being hung up
	GroupcallHangup      = "hangup"    // over
)

// Groupcall is the record of an attempt to reach one of several destinations, with VoIPBIN's JSON keys and, after
// them, ours.
type Groupcall struct {
	ID                string            `json:"id"`
	CustomerID        string            `json:"customer_id,omitempty"`
	Status            string            `json:"status,omitempty"`
	FlowID            string            `json:"flow_id,omitempty"`
	Source            address.Address   `json:"source"`
	Destinations      []address.Address `json:"destinations,omitempty"`
	MasterCallID      string            `json:"master_call_id,omitempty"`
	MasterGroupcallID string            `json:"master_groupcall_id,omitempty"` // of one within another
	RingMethod        string            `json:"ring_method,omitempty"`
	AnswerMethod      string            `json:"answer_method"`
	AnswerCallID      string            `json:"answer_call_id,omitempty"`      // the first of CallIDs that answered
	CallIDs           []string          `json:"call_ids,omitempty"`            // of its own legs, in the order in which they were made
	AnswerGroupcallID string            `json:"answer_groupcall_id,omitempty"` // the one of GroupcallIDs in which the first answer was
	GroupcallIDs      []string          `json:"groupcall_ids,omitempty"`       // of destinations that stand for several
	CallCount         int               `json:"call_count"`                    // of CallIDs, those that are not over
	GroupcallCount    int               `json:"groupcall_count"`               // of GroupcallIDs, those that are not over
	DialIndex         int               `json:"dial_index"`                    // of linear: the destination that was dialled last, from 0

	TmCreate      Time `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmProgressing Time `json:"tm_progressing,omitzero"`
	TmHangup      Time `json:"tm_hangup,omitzero"`
	TmUpdate      Time `json:"tm_update,omitzero"`

	JourneyID string            `json:"journey_id,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Code      string            `json:"code,omitempty"`     // why it ended, for machines: "answered", "nobody_answered"
	Sentence  string            `json:"sentence,omitempty"` // why it ended, for people
}

// Groupcalls keeps the records of groupcalls.
type Groupcalls interface {
	// PutGroupcall stores g, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutGroupcall(ctx context.Context, g Groupcall) error
	// Groupcall returns one record. ErrNotFound, ErrClosed.
	Groupcall(ctx context.Context, id string) (Groupcall, error)
	// ListGroupcalls returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListGroupcalls(ctx context.Context, f GroupcallFilter) (page []Groupcall, next string, err error)
	// DeleteGroupcall removes the record, not those of its calls. ErrNotFound, ErrClosed.
	DeleteGroupcall(ctx context.Context, id string) error
}

// GroupcallFilter chooses groupcalls; an empty field chooses all.
type GroupcallFilter struct {
	Status       string
	MasterCallID string
	JourneyID    string
	Since        Time // TmCreate >= Since
	Until        Time // TmCreate < Until
	PageSize     int  // 1 to 100; 0: 100
	PageToken    string
}

// Match tells whether g is chosen; page size and token aside.
func (f *GroupcallFilter) Match(g *Groupcall) bool {
	return (f.Status == "" || f.Status == g.Status) &&
		(f.MasterCallID == "" || f.MasterCallID == g.MasterCallID) &&
		(f.JourneyID == "" || f.JourneyID == g.JourneyID) &&
		within(g.TmCreate, f.Since, f.Until)
}

// At is the record's place in lists.
func (g *Groupcall) At() Cursor { return Cursor{g.TmCreate, g.ID} }

// Clean returns a deep copy of g in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, or TmCreate unset.
func (g Groupcall) Clean() (Groupcall, error) {
	if err := CheckID(g.ID); err != nil {
		return Groupcall{}, err
	}
	if g.TmCreate.IsZero() {
		return Groupcall{}, fmt.Errorf("store: groupcall %s: tm_create is unset: %w", g.ID, ErrInvalid)
	}
	g.TmCreate, g.TmProgressing = At(g.TmCreate.Time), At(g.TmProgressing.Time)
	g.TmHangup, g.TmUpdate = At(g.TmHangup.Time), At(g.TmUpdate.Time)
	texts(&g.CustomerID, &g.Status, &g.FlowID, &g.MasterCallID, &g.MasterGroupcallID, &g.RingMethod, &g.AnswerMethod,
		&g.AnswerCallID, &g.AnswerGroupcallID, &g.JourneyID, &g.Code, &g.Sentence)
	cleanAddress(&g.Source)
	if len(g.Destinations) == 0 {
		g.Destinations = nil
	}
	g.Destinations = slices.Clone(g.Destinations)
	for i := range g.Destinations {
		cleanAddress(&g.Destinations[i])
	}
	g.CallIDs, g.GroupcallIDs = copyTexts(g.CallIDs), copyTexts(g.GroupcallIDs)
	g.Metadata = cleanMap(g.Metadata)
	return g, nil
}
