package call

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/store"
)

// JourneyState is how all legs of a journey that are up stand to each other at one moment.
type JourneyState struct {
	Legs    []JourneyLegState `json:"legs"`    // the oldest first
	Bridges []BridgeState     `json:"bridges"` // that legs of the journey are in, by their ids
}

// JourneyLegState is how one leg stands.
type JourneyLegState struct {
	CallID       string `json:"call_id"`
	Direction    string `json:"direction"`
	Status       string `json:"status"`
	Seq          int    `json:"seq"` // of the last input that its loop has consumed
	ConfbridgeID string `json:"confbridge_id,omitempty"`
	Mute         string `json:"mute_direction,omitempty"`
	RecordingID  string `json:"recording_id,omitempty"`
	TranscribeID string `json:"transcribe_id,omitempty"`
	// ExternalMediaIDs are those of the streams that run.
	ExternalMediaIDs []string `json:"external_media_ids,omitempty"`
	Step             string   `json:"step,omitempty"` // of its flow
	Linked

	created store.Time
}

// BridgeState is who is in a bridge.
type BridgeState struct {
	ID      string   `json:"id"`
	CallIDs []string `json:"call_ids"`
}

// JourneyState captures the state of a journey as it is now. Each leg is looked at between two inputs of its loop.
func (e *Engine) JourneyState(id string) JourneyState {
	var all []State
	for c := range e.journeyCalls(id) {
		all = append(all, c.State())
	}
	return journeyState(all)
}

// At is the state at a moment, rebuilt: the inputs of each trace up to then are fed to a fresh Machine.
func (j *Journey) At(t time.Time) JourneyState {
	at := store.At(t)
	var all []State
	for i := range j.legs {
		var m Machine
		begun := false
		for k := range j.legs[i].trace {
			in := &j.legs[i].trace[k]
			if in.At.After(at.Time) {
				break
			}
			m.Step(in)
			begun = true
		}
		if begun {
			all = append(all, m.Snapshot())
		}
	}
	return journeyState(all)
}

func journeyState(all []State) JourneyState {
	s := JourneyState{Legs: []JourneyLegState{}, Bridges: []BridgeState{}}
	members := map[string][]string{}
	for i := range all {
		st, r := &all[i], &all[i].Record
		if st.Seq == 0 || st.Finished {
			continue
		}
		s.Legs = append(s.Legs, JourneyLegState{
			CallID: r.ID, Direction: r.Direction, Status: r.Status, Seq: st.Seq, ConfbridgeID: r.ConfbridgeID, Mute: r.MuteDirection,
			RecordingID: r.RecordingID, TranscribeID: st.Transcribing, ExternalMediaIDs: st.Streams, Step: r.FlowPosition, Linked: st.Linked, created: r.TmCreate,
		})
		if r.ConfbridgeID != "" {
			members[r.ConfbridgeID] = append(members[r.ConfbridgeID], r.ID)
		}
	}
	slices.SortFunc(s.Legs, func(a, b JourneyLegState) int {
		return cmp.Or(a.created.Compare(b.created.Time), strings.Compare(a.CallID, b.CallID))
	})
	for _, id := range slices.Sorted(maps.Keys(members)) {
		slices.Sort(members[id])
		s.Bridges = append(s.Bridges, BridgeState{ID: id, CallIDs: members[id]})
	}
	return s
}
