package call

import (
	"slices"

	"github.com/callbin/callbin/media/stream"
	"github.com/callbin/callbin/store"
)

// KindExternalMedia is the Kind of inputs with ExternalMedia: a stream to a program has started or ended, or its connection was lost, or is there again.
const KindExternalMedia Kind = "external_media"

// ExternalMediaInput tells what became of a stream to a program.
type ExternalMediaInput struct {
	ID       string        `json:"id"`
	Event    string        `json:"event"` // "started", "lost", "reconnected", "stopped"
	Protocol string        `json:"protocol,omitempty"`
	Host     string        `json:"host,omitempty"` // without a query
	Listen   string        `json:"direction_listen,omitempty"`
	Speak    string        `json:"direction_speak,omitempty"`
	Reason   string        `json:"reason,omitempty"` // of the end: one of the stream.Reason constants
	Error    string        `json:"error,omitempty"`
	Stats    *stream.Stats `json:"stats,omitempty"` // at the end
}

// Statuses of an ExternalMedia.
const (
	ExternalMediaRunning    = "running"
	ExternalMediaLost       = "reconnecting" // the connection was lost
	ExternalMediaTerminated = "terminated"
)

// ExternalMedia is a stream of a call's sound to a program: the data of external_media_started, _updated and _stopped.
type ExternalMedia struct {
	ID            string `json:"id"`
	ActiveflowID  string `json:"activeflow_id,omitempty"`
	ReferenceType string `json:"reference_type"` // call
	ReferenceID   string `json:"reference_id"`
	Status        string `json:"status"`
	Protocol      string `json:"protocol"`
	ExternalHost  string `json:"external_host,omitempty"` // where the program is, without a query; "": the program has connected
	Listen        string `json:"direction_listen,omitempty"`
	Speak         string `json:"direction_speak,omitempty"`

	Reason   string        `json:"reason,omitempty"` // of the end: closed, stopped, lost, error
	Sentence string        `json:"sentence,omitempty"`
	Stats    *stream.Stats `json:"stats,omitempty"` // at the end
	TmUpdate store.Time    `json:"tm_update"`
}

// streamed takes what became of a stream.
func (m *Machine) streamed(in *Input) {
	i := in.ExternalMedia
	event := "external_media_updated"
	switch i.Event {
	case "started":
		event = "external_media_started"
		m.st.Streams = append(slices.Clone(m.st.Streams), i.ID)
	case "stopped":
		event = "external_media_stopped"
		m.st.Streams = slices.DeleteFunc(slices.Clone(m.st.Streams), func(id string) bool { return id == i.ID })
	}
	m.do(Effect{Do: DoEmit, Text: event, ExternalMedia: i})
}

// data is what an event about a stream carries.
func (i *ExternalMediaInput) data(r *store.Call, at store.Time) ExternalMedia {
	status := ExternalMediaRunning
	switch i.Event {
	case "lost":
		status = ExternalMediaLost
	case "stopped":
		status = ExternalMediaTerminated
	}
	return ExternalMedia{
		ID: i.ID, ActiveflowID: r.ActiveflowID, ReferenceType: store.ReferenceCall, ReferenceID: r.ID, Status: status, Protocol: i.Protocol,
		ExternalHost: i.Host, Listen: i.Listen, Speak: i.Speak, Reason: i.Reason, Sentence: i.Error, Stats: i.Stats, TmUpdate: at,
	}
}
