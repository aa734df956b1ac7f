package call

import (
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/store"
)

// Digit is a key press: the data of dtmf_received, which comes when the key is up again.
type Digit struct {
	CallID     string          `json:"call_id"`
	JourneyID  string          `json:"journey_id,omitempty"`
	Digit      string          `json:"digit"` // 0-9 * # A-D
	DurationMS int             `json:"duration_ms"`
	Direction  media.Direction `json:"direction"` // in: the peer pressed it
	By         string          `json:"by"`        // "rtp" (RFC 4733) or "info" (SIP INFO)
}

// released tells of the key that was down, if any. Zero: how long is not known.
func (m *Machine) released(ms int) {
	if d := m.st.Pressed; d != "" {
		m.st.Pressed = ""
		m.tellDigit(Digit{Digit: d, DurationMS: ms, By: "rtp"})
	}
}

func (m *Machine) tellDigit(d Digit) {
	d.CallID, d.JourneyID, d.Direction = m.st.Record.ID, m.st.Record.JourneyID, media.In
	m.do(Effect{Do: DoEmit, Text: "dtmf_received", Digit: &d})
}

// Quality is how a call sounds: the data of call_quality. What is nil was not measured yet.
type Quality struct {
	CallID    string `json:"call_id"`
	JourneyID string `json:"journey_id,omitempty"`
	Final     bool   `json:"final"` // of the whole call, at its end
	Codec     string `json:"codec,omitempty"`

	PacketsIn    uint64   `json:"packets_in"`
	PacketsOut   uint64   `json:"packets_out"`
	PacketsLost  uint64   `json:"packets_lost"`             // of the peer's
	LossPercent  *float64 `json:"loss_percent,omitempty"`   // of the peer's packets
	JitterMS     *float64 `json:"jitter_ms,omitempty"`      // of the peer's packets
	MOS          *float64 `json:"mos,omitempty"`            // of what the peer says, 1 to 4.5 by G.107
	RTTMS        *float64 `json:"rtt_ms,omitempty"`         // by RTCP
	PeerLost     *int64   `json:"peer_lost,omitempty"`      // of our packets, as the peer reports
	PeerJitterMS *float64 `json:"peer_jitter_ms,omitempty"` // of our packets, as the peer reports
}

func (m *Machine) tellQuality(in *Input, final bool) {
	q := qualityOf(in.Stats)
	q.CallID, q.JourneyID, q.Final = m.st.Record.ID, m.st.Record.JourneyID, final
	m.do(Effect{Do: DoEmit, Text: "call_quality", Quality: &q})
}

func qualityOf(s *rtp.Stats) Quality {
	q := Quality{
		Codec: s.Codec, PacketsIn: s.PacketsIn, PacketsOut: s.PacketsOut, PacketsLost: uint64(max(s.Lost, 0)),
		MOS: s.MOS, RTTMS: s.RTTMS, PeerLost: s.PeerLost, PeerJitterMS: s.PeerJitterMS,
	}
	if s.PacketsIn > 0 {
		loss := 100 * float64(q.PacketsLost) / float64(s.PacketsIn+q.PacketsLost)
		q.LossPercent = &loss
	}
	if s.PacketsIn > 1 {
		jitter := s.JitterMS
		q.JitterMS = &jitter
	}
	return q
}

// data is what an event about a recording carries; next is the flow that follows it.
func (i *RecordingInput) data(r *store.Call, next string, at store.Time) store.Recording {
	rec := store.Recording{
		ID: i.ID, ActiveflowID: r.ActiveflowID, ReferenceType: store.ReferenceCall, ReferenceID: r.ID, Status: store.RecordingRecording,
		Format: store.FormatWAV, OnEndFlowID: next, TmStart: at, TmUpdate: at, JourneyID: r.JourneyID,
	}
	if i.Event == "ended" {
		rec.Status, rec.TmStart, rec.TmEnd = store.RecordingEnded, store.AtMicro(at.Micro()-1000*i.MS), at
		rec.DurationMS, rec.Code, rec.Sentence = i.MS, i.Reason, i.Error
	}
	rec.TmCreate = rec.TmStart
	if i.Name != "" {
		rec.Files = []store.RecordingFile{{Name: i.Name, Direction: string(media.Both), Bytes: i.Bytes}}
	}
	return rec
}
