package call

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/callbin/callbin/store"
)

// Event tells that something happened, in VoIPBIN's form: type and data, and around them what VoIPBIN lacks.
//
// The events of one resource come in the order of its Seq. Exactly one "call_hangup" ends those of a call, "groupcall_hangup"
// those of a groupcall, "conference_deleted" those of a conference and of the stays in it. Nothing that names a call comes after its
// "call_hangup": its recordings, transcriptions, external media and stays in rooms have ended before.
type Event struct {
	Type string `json:"type"` // VoIPBIN's: call_created, call_ringing, call_progressing, ...
	ID   string `json:"id"`   // of this event alone; those of an engine grow
	// Seq counts the events of a resource from 1, without a gap: of the conference where ConferenceID is set, else of the queue, the
	// transfer, the agent, the mailbox, the groupcall, the call that is set; of trunks, extensions and supervisions those of all of them.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`

	JourneyID    string `json:"journey_id,omitempty"`
	CallID       string `json:"call_id,omitempty"` // "": of no single call
	ConferenceID string `json:"conference_id,omitempty"`
	GroupcallID  string `json:"groupcall_id,omitempty"` // of events of a groupcall; that of a call stands in its data
	QueueID      string `json:"queue_id,omitempty"`
	AgentID      string `json:"agent_id,omitempty"`
	TransferID   string `json:"transfer_id,omitempty"`
	MailboxID    string `json:"mailbox_id,omitempty"` // of events of its messages, which outlive their calls

	// Data is the resource as it stood then, in the JSON form that the REST interface has for it, too: a store.Call (call_..., confbridge_...),
	// store.Recording (recording_...), store.Conference (conference_...), Member (conference_talking_...), store.Conferencecall (conferencecall_...),
	// store.Groupcall (groupcall_...), store.Voicemail (voicemail_...), store.Queue (queue_...), store.Queuecall (queuecall_...), AgentState (agent_...), TransferRecord (transfer_...), Supervision (supervision_...), store.Transcribe (transcribe_...), store.Transcript, ExternalMedia (external_media_...), Activeflow (activeflow_..., without the
	// actions that have ended), Digit (dtmf_received), Quality (call_quality), TrunkState (trunk_updated) or Registration
	// (extension_registered, extension_unregistered). Of outbound_refused it is the call that was not let out, with verdict, code and sentence.
	Data any `json:"data"`
}

// subject is the resource that an event is of, by which it is numbered.
func (e *Event) subject() string {
	switch {
	case e.ConferenceID != "":
		return "conference " + e.ConferenceID
	case e.QueueID != "":
		return "queue " + e.QueueID
	case e.TransferID != "":
		return "transfer " + e.TransferID
	case e.AgentID != "":
		return "agent " + e.AgentID
	case e.MailboxID != "":
		return "mailbox " + e.MailboxID
	case e.GroupcallID != "":
		return "groupcall " + e.GroupcallID
	}
	return e.CallID
}

// final are the events that end those of their resource.
func (e *Event) final() bool {
	switch e.Type {
	case "call_hangup", "groupcall_hangup", "conference_deleted", "queue_deleted", "agent_deleted", "transfer_completed", "transfer_failed":
		return true
	}
	return false
}

// fill adds the ids that stand in the data.
func (e *Event) fill() {
	set := func(to *string, id string) {
		if *to == "" {
			*to = id
		}
	}
	switch d := e.Data.(type) {
	case store.Call:
		set(&e.CallID, d.ID)
		set(&e.JourneyID, d.JourneyID)
	case store.Conference:
		set(&e.ConferenceID, d.ID)
	case Member:
		set(&e.ConferenceID, d.ConferenceID)
		set(&e.CallID, d.ReferenceID)
		set(&e.JourneyID, d.JourneyID)
	case store.Conferencecall:
		set(&e.ConferenceID, d.ConferenceID)
		set(&e.CallID, d.ReferenceID)
		set(&e.JourneyID, d.JourneyID)
	case store.Groupcall:
		set(&e.GroupcallID, d.ID)
		set(&e.JourneyID, d.JourneyID)
	case store.Queue:
		set(&e.QueueID, d.ID)
	case store.Queuecall:
		set(&e.QueueID, d.QueueID)
		set(&e.CallID, d.ReferenceID)
		set(&e.JourneyID, d.JourneyID)
	case TransferRecord:
		set(&e.TransferID, d.ID)
		set(&e.JourneyID, d.JourneyID)
	case AgentState:
		set(&e.AgentID, d.ID)
	case store.Voicemail:
		set(&e.MailboxID, d.MailboxID)
		set(&e.JourneyID, d.JourneyID)
	case store.Recording:
		set(&e.JourneyID, d.JourneyID)
		if d.ReferenceType == store.ReferenceConfbridge {
			set(&e.ConferenceID, d.ReferenceID)
		} else {
			set(&e.CallID, d.ReferenceID)
		}
	}
}

// emit tells what the loop of c wants told. It runs on the loop.
func (e *Engine) emit(c *Call, what *Effect) {
	if e.notifier == nil && e.cfg.Agents == nil && !e.listened() {
		return
	}
	rec := c.Record()
	defer e.desk.follow(c, what.Text, &rec) // after the event that it follows from
	c.watch(&rec)
	if !e.listened() {
		return
	}
	e.tell(Event{Type: what.Text, CallID: c.id, JourneyID: rec.JourneyID, Time: c.now.Time, Data: what.data(&rec, c.now)})
}

// data is what an event of a call carries.
func (e *Effect) data(r *store.Call, at store.Time) any {
	switch {
	case e.Transcription != nil:
		return e.Transcription.data(r, at)
	case e.ExternalMedia != nil:
		return e.ExternalMedia.data(r, at)
	case e.Recording != nil:
		return e.Recording.data(r, e.For, at)
	case e.Activeflow != nil:
		return *e.Activeflow
	case e.Digit != nil:
		return *e.Digit
	case e.Quality != nil:
		return *e.Quality
	}
	return *r
}

// listened tells whether anybody wants events.
func (e *Engine) listened() bool { return e.cfg.OnEvent != nil || e.events.on.Load() }

// tell hands ev to all who want to know. Those of one resource must be told one after the other.
func (e *Engine) tell(ev Event) {
	if e.listened() {
		e.hook(e.note(ev))
	}
}

// note gives ev its place among all events, and hands it to the subscribers. It never blocks: who changes a resource under a lock
// calls it there, so that the order is that of the changes, and hook without the lock.
func (e *Engine) note(ev Event) Event {
	ev.fill()
	if e.events.add(&ev) {
		e.wg.Go(e.events.dispatch)
	}
	return ev
}

// hook tells Config.OnEvent.
func (e *Engine) hook(ev Event) {
	if e.cfg.OnEvent != nil {
		e.cfg.OnEvent(ev)
	}
}

// hookGuarded is hook for what is no call's loop, which would take a panic for the call's.
func (e *Engine) hookGuarded(ev Event) {
	defer func() {
		if p := recover(); p != nil { // of Config.OnEvent
			e.log.Error("panic in OnEvent", "event", ev.Type, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	e.hook(ev)
}

// tellGuarded is tell, so.
func (e *Engine) tellGuarded(ev Event) {
	if e.listened() {
		e.hookGuarded(e.note(ev))
	}
}

// cloneRecord copies what a store.Call shares.
func cloneRecord(r store.Call) store.Call {
	r.Metadata = maps.Clone(r.Metadata)
	r.ActionMS = maps.Clone(r.ActionMS)
	r.RecordingIDs = slices.Clone(r.RecordingIDs)
	r.ChainedCallIDs = slices.Clone(r.ChainedCallIDs)
	r.Attempts = slices.Clone(r.Attempts)
	return r
}

// DecodeTrace reads a call's trace. Its error tells of broken lines and of gaps.
func DecodeTrace(b []byte) ([]Input, error) {
	var trace []Input
	dec := json.NewDecoder(bytes.NewReader(b))
	for dec.More() {
		var in Input
		if err := dec.Decode(&in); err != nil {
			return nil, err
		}
		if n := len(trace); n > 0 && in.Seq != trace[n-1].Seq+1 {
			return nil, fmt.Errorf("call: the trace has nothing between inputs %d and %d", trace[n-1].Seq, in.Seq)
		}
		if !in.whole() {
			return nil, fmt.Errorf("call: input %d of the trace, %q at %s, does not hold what belongs to its kind", in.Seq, in.Kind, in.At)
		}
		trace = append(trace, in)
	}
	return trace, nil
}

// Replay feeds a recorded trace to a fresh machine and returns where it ends and what it did, in order.
func Replay(trace []Input) (State, []Effect) {
	var m Machine
	var all []Effect
	for i := range trace {
		all = append(all, slices.Clone(m.Step(&trace[i]))...)
	}
	return m.Snapshot(), all
}
