package store

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/call/address"
)

// VoIPBIN's statuses of a Queuecall.
//
//	initiating -> waiting <-> connecting -> service -> done
//	     |           |            |
//	     +-----------+------------+--> abandoned
const (
	QueuecallInitiating = "initiating"
	QueuecallWaiting    = "waiting"
	QueuecallConnecting = "connecting" // an agent rings
	QueuecallService    = "service"    // caller and agent talk
	QueuecallDone       = "done"       // they did
	QueuecallAbandoned  = "abandoned"  // left without an agent; Code says why
)

// Queuecall is the record of a caller's stay in a queue, with VoIPBIN's JSON keys and, after them, ours.
type Queuecall struct {
	ID                    string          `json:"id"`
	CustomerID            string          `json:"customer_id,omitempty"`
	QueueID               string          `json:"queue_id"`
	ReferenceType         string          `json:"reference_type"` // ReferenceCall
	ReferenceID           string          `json:"reference_id"`   // id of the caller's call; of a callback, of the one that joined
	ReferenceActiveflowID string          `json:"reference_activeflow_id,omitempty"`
	Status                string          `json:"status,omitempty"`
	Source                address.Address `json:"source"` // the caller's
	RoutingMethod         string          `json:"routing_method,omitempty"`
	TagIDs                []string        `json:"tag_ids,omitempty"`
	ServiceAgentID        string          `json:"service_agent_id,omitempty"` // who has answered
	DurationWaiting       int64           `json:"duration_waiting"`           // ms until caller and agent were joined, or the caller left
	DurationService       int64           `json:"duration_service"`           // ms that they talked

	TmCreate  Time `json:"tm_create,omitzero"` // required; lists are ordered by it
	TmService Time `json:"tm_service,omitzero"`
	TmEnd     Time `json:"tm_end,omitzero"`
	TmUpdate  Time `json:"tm_update,omitzero"`

	Priority       int    `json:"priority,omitempty"`         // higher is served first
	Tries          int    `json:"tries,omitempty"`            // how often agents were rung for it
	AgentCallID    string `json:"agent_call_id,omitempty"`    // the leg of who has answered
	CallbackCallID string `json:"callback_call_id,omitempty"` // the leg to the caller who did not wait on the line
	JourneyID      string `json:"journey_id,omitempty"`
	Code           string `json:"code,omitempty"`     // why it ended, for machines
	Sentence       string `json:"sentence,omitempty"` // why it ended, for people
}

// Queuecalls keeps the records of queuecalls. A Store that implements it, too, keeps those of the engine.
type Queuecalls interface {
	// PutQueuecall stores q, whole, in place of what has its ID. ErrInvalid, ErrClosed.
	PutQueuecall(ctx context.Context, q Queuecall) error
	// Queuecall returns one record. ErrNotFound, ErrClosed.
	Queuecall(ctx context.Context, id string) (Queuecall, error)
	// ListQueuecalls returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListQueuecalls(ctx context.Context, f QueuecallFilter) (page []Queuecall, next string, err error)
	// DeleteQueuecall removes the record. ErrNotFound, ErrClosed.
	DeleteQueuecall(ctx context.Context, id string) error
}

// QueuecallFilter chooses queuecalls; an empty field chooses all.
type QueuecallFilter struct {
	QueueID        string
	Status         string
	ReferenceID    string
	ServiceAgentID string
	Since          Time // TmCreate >= Since
	Until          Time // TmCreate < Until
	PageSize       int  // 1 to 100; 0: 100
	PageToken      string
}

// Match tells whether q is chosen; page size and token aside.
func (f *QueuecallFilter) Match(q *Queuecall) bool {
	return (f.QueueID == "" || f.QueueID == q.QueueID) &&
		(f.Status == "" || f.Status == q.Status) &&
		(f.ReferenceID == "" || f.ReferenceID == q.ReferenceID) &&
		(f.ServiceAgentID == "" || f.ServiceAgentID == q.ServiceAgentID) &&
		within(q.TmCreate, f.Since, f.Until)
}

// At is the record's place in lists.
func (q *Queuecall) At() Cursor { return Cursor{q.TmCreate, q.ID} }

// Over tells whether the stay has ended.
func (q *Queuecall) Over() bool {
	return q.Status == QueuecallDone || q.Status == QueuecallAbandoned
}

// Clean returns a deep copy of q in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, or TmCreate unset.
func (q Queuecall) Clean() (Queuecall, error) {
	if err := CheckID(q.ID); err != nil {
		return Queuecall{}, err
	}
	if q.TmCreate.IsZero() {
		return Queuecall{}, fmt.Errorf("store: queuecall %s: tm_create is unset: %w", q.ID, ErrInvalid)
	}
	q.TmCreate, q.TmService = At(q.TmCreate.Time), At(q.TmService.Time)
	q.TmEnd, q.TmUpdate = At(q.TmEnd.Time), At(q.TmUpdate.Time)
	texts(&q.CustomerID, &q.QueueID, &q.ReferenceType, &q.ReferenceID, &q.ReferenceActiveflowID, &q.Status, &q.RoutingMethod,
		&q.ServiceAgentID, &q.AgentCallID, &q.CallbackCallID, &q.JourneyID, &q.Code, &q.Sentence)
	cleanAddress(&q.Source)
	q.TagIDs = copyTexts(q.TagIDs)
	return q, nil
}
