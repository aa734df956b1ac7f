package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/store"
)

// Journey is what became of one caller's way: a graph of legs, bridges, rooms, queues and whatever else joins them, with what caused what, and when.
// It is read from the traces of its legs; nothing else is kept of it.
type Journey struct {
	ID    string        `json:"id"`
	Nodes []JourneyNode `json:"nodes"` // the oldest first
	// Edges lead from what caused something to what came of it, in the order of their time. From each node they lead back to a party, the
	// program, or a call that is not kept.
	Edges   []JourneyEdge   `json:"edges"`
	Moments []JourneyMoment `json:"moments"`         // what happened to one leg alone, in the order of its time
	Costs   []JourneyCost   `json:"costs,omitempty"` // what the legs that are over have cost together, by currency
	// Partial are ids of legs whose trace is not kept, or has gaps (MaxTrace): what stands here of them may not be all.
	Partial []string `json:"partial,omitempty"`
	// Truncated: there are more legs than MaxJourney; the oldest are here.
	Truncated bool `json:"truncated,omitempty"`

	legs []journeyLeg
}

// MaxJourney is how many legs, and how many groupcalls, of a journey are read.
const MaxJourney = 1000

// ErrNoJourney is returned for a journey of which there is no leg.
var ErrNoJourney = errors.New("call: there is no such journey")

// Kinds of a JourneyNode.
const (
	NodeParty      = "party"   // at the other end of a leg
	NodeProgram    = "program" // the program around the engine: Engine.Dial and the like
	NodeUnknown    = "unknown" // a call that is not kept
	NodeLeg        = "leg"     // a call of ours
	NodeBridge     = "bridge"  // of two
	NodeConference = "conference"
	NodeGroupcall  = "groupcall"
	NodeQueue      = "queue_visit"
	NodeTransfer   = "transfer"
	NodePark       = "park"
	NodeRecording  = "recording"
	NodeVoicemail  = "voicemail"
)

// JourneyNode is one thing that a journey touches.
type JourneyNode struct {
	ID    string      `json:"id"`            // within the journey
	Ref   string      `json:"ref,omitempty"` // id of the call, conference, groupcall, queue, recording; name of the orbit, mailbox
	Kind  string      `json:"kind"`
	Label string      `json:"label"` // for people
	Begin store.Time  `json:"begin,omitzero"`
	End   store.Time  `json:"end,omitzero"` // zero: it is there still, or has no end
	Leg   *store.Call `json:"leg,omitempty"`
}

// What an edge tells.
const (
	EdgeCalled      = "called"   // party, leg: an incoming call
	EdgeDialled     = "dialled"  // leg, party
	EdgeCreated     = "created"  // leg, groupcall or program; leg or groupcall
	EdgeAnswered    = "answered" // party and leg, or leg and party
	EdgeJoined      = "joined"   // leg, bridge or conference
	EdgeLeft        = "left"     // leg, bridge or conference
	EdgeMember      = "member"   // leg, conference; Detail: "refused full", "kicked", "muted", "role moderator", ...
	EdgeTransferred = "transferred"
	EdgeReplaced    = "replaced" // leg, the leg whose place it takes
	EdgeQueued      = "queued"   // leg, visit
	EdgeOffered     = "offered"  // visit, leg of the agent
	EdgeLeftQueue   = "left_queue"
	EdgeParked      = "parked"
	EdgePickedUp    = "picked_up"
	EdgeRecorded    = "recorded"
	EdgeVoicemail   = "voicemail"
	EdgeSupervised  = "supervised" // leg of the supervisor, leg
	EdgeHungUp      = "hung_up"    // who or what ended it, what ended; Detail is why: one of the Code constants
)

// JourneyEdge is a cause and what came of it.
type JourneyEdge struct {
	From   string     `json:"from"`
	To     string     `json:"to"`
	What   string     `json:"what"`
	At     store.Time `json:"at"`
	Detail string     `json:"detail,omitempty"`
	CallID string     `json:"call_id"`       // of the leg in whose trace it stands
	Seq    int        `json:"seq,omitempty"` // of the input
}

// JourneyMoment is something that happened to one leg alone: "ringing", "answered", "canceling", "terminating", "hangup", "step", "mute", "hold",
// "unhold", "held", "unheld", "moh", "silence", "redirect", "restored".
type JourneyMoment struct {
	Node   string     `json:"node"`
	What   string     `json:"what"`
	At     store.Time `json:"at"`
	Detail string     `json:"detail,omitempty"`
	Seq    int        `json:"seq"`
}

// journeyLeg is the trace of a leg.
type journeyLeg struct {
	id     string
	trace  []Input
	record store.Call // where there is no trace
}

func (l *journeyLeg) begin() store.Time {
	if len(l.trace) > 0 {
		return l.trace[0].At
	}
	return l.record.TmCreate
}

// Journey reads the journey with that id: legs that are up, and those that Config.Store keeps. ErrNoJourney.
func (e *Engine) Journey(ctx context.Context, id string) (*Journey, error) {
	if err := store.CheckID(id); err != nil {
		return nil, fmt.Errorf("call: journey: %w", err)
	}
	j := &Journey{ID: id}
	seen := map[string]bool{}
	for c := range e.journeyCalls(id) { // first: what ends meanwhile is in the store
		seen[c.id] = true
		j.take(c.id, c.Trace(), c.Record())
	}
	if err := e.storedLegs(ctx, j, seen); err != nil {
		return nil, fmt.Errorf("call: journey %.40s: %w", id, err)
	}
	if len(j.legs) == 0 {
		return nil, fmt.Errorf("%w: %.40q", ErrNoJourney, id)
	}
	slices.SortFunc(j.legs, func(a, b journeyLeg) int {
		return cmp.Or(a.begin().Compare(b.begin().Time), strings.Compare(a.id, b.id)) // ids grow with time
	})
	if j.Truncated = j.Truncated || len(j.legs) > MaxJourney; len(j.legs) > MaxJourney {
		j.legs = j.legs[:MaxJourney]
	}
	groups, err := e.journeyGroups(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("call: journey %.40s: %w", id, err)
	}
	j.build(groups)
	return j, nil
}

// JourneyOf makes a journey of traces, such as ones that were exported, by the ids of their calls; groups are its groupcalls.
func JourneyOf(id string, traces map[string][]byte, groups []store.Groupcall) *Journey {
	j := &Journey{ID: id}
	for callID, trace := range traces {
		j.take(callID, trace, store.Call{ID: callID})
	}
	slices.SortFunc(j.legs, func(a, b journeyLeg) int {
		return cmp.Or(a.begin().Compare(b.begin().Time), strings.Compare(a.id, b.id))
	})
	j.build(groups)
	return j
}

// take adds a leg.
func (j *Journey) take(id string, trace []byte, rec store.Call) {
	inputs, err := DecodeTrace(trace) // with what there is before a fault
	if err != nil || len(inputs) == 0 || len(trace) >= MaxTrace {
		j.Partial = append(j.Partial, id)
	}
	j.legs = append(j.legs, journeyLeg{id: id, trace: inputs, record: rec})
}

// journeyCalls yields the calls of a journey that are up.
func (e *Engine) journeyCalls(id string) func(yield func(*Call) bool) {
	return func(yield func(*Call) bool) {
		for c := range e.Calls() {
			if c.journey == id && !yield(c) {
				return
			}
		}
	}
}

func (e *Engine) storedLegs(ctx context.Context, j *Journey, seen map[string]bool) error {
	db := e.cfg.Store
	if db == nil {
		return nil
	}
	f := store.CallFilter{JourneyID: j.ID}
	for {
		page, next, err := db.ListCalls(ctx, f)
		if err != nil {
			return err
		}
		for _, rec := range page {
			if seen[rec.ID] {
				continue
			}
			trace, err := db.Trace(ctx, rec.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			j.take(rec.ID, trace, rec)
		}
		if next == "" {
			return nil
		}
		if len(j.legs) >= MaxJourney {
			j.Truncated = true
			return nil
		}
		f.PageToken = next
	}
}

// journeyGroups are the groupcalls of a journey, the oldest first.
func (e *Engine) journeyGroups(ctx context.Context, j *Journey) ([]store.Groupcall, error) {
	var all []store.Groupcall
	seen := map[string]bool{}
	for g := range e.Groupcalls() {
		if r := g.Record(); r.JourneyID == j.ID {
			all = append(all, r)
			seen[r.ID] = true
		}
	}
	f := store.GroupcallFilter{JourneyID: j.ID}
	for db := e.cfg.Store; db != nil; {
		page, next, err := db.ListGroupcalls(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, g := range page {
			if !seen[g.ID] {
				all = append(all, g)
			}
		}
		if next == "" {
			break
		}
		if len(all) >= MaxJourney {
			j.Truncated = true
			break
		}
		f.PageToken = next
	}
	slices.SortFunc(all, func(a, b store.Groupcall) int {
		return cmp.Or(a.TmCreate.Compare(b.TmCreate.Time), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}
