package call

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/callbin/callbin/store"
)

// Event tells that something happened to a call or a conference. Exactly one "call_hangup" ends
// the events of a call, one "groupcall_hangup" those of a groupcall, one "conference_deleted" those of a conference and of the stays in it.
type Event struct {
	Type   string    `json:"type"`              // VoIPBIN's: call_created, call_ringing, call_progressing, ...
	CallID string    `json:"call_id,omitempty"` // "": of no single call
	Seq    int       `json:"seq,omitempty"`     // of the input that caused it: grows within a call
	Time   time.Time `json:"time"`
	Data   any       `json:"data"` // as it stood then: a store.Call, store.Conference (conference_...), Member (conference_talking_...), store.Conferencecall (conferencecall_...), store.Groupcall (groupcall_...), store.Transcribe (transcribe_...), store.Transcript, TrunkState (trunk_updated) or Registration (extension_registered, extension_unregistered)
}

func (e *Engine) emit(c *Call, what *Effect) {
	if e.cfg.OnEvent == nil && e.notifier == nil {
		return
	}
	s := c.State()
	c.watch(&s.Record)
	if e.cfg.OnEvent == nil {
		return
	}
	ev := Event{Type: what.Text, CallID: c.id, Seq: s.Seq, Time: s.Record.TmUpdate.Time, Data: s.Record}
	if t := what.Transcription; t != nil {
		now := store.At(time.Now())
		ev.Time, ev.Data = now.Time, t.data(&s.Record, now)
	}
	e.tell(ev)
}

func (e *Engine) tell(ev Event) {
	if e.cfg.OnEvent != nil {
		e.cfg.OnEvent(ev)
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
