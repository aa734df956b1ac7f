package rtp

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/sdp"
)

// LegState is all that another process needs to go on with a leg: a JSON value. The
// peer sees the same address, SSRC, and numbers that go on.
type LegState struct {
	V6      bool   `json:"v6,omitempty"`
	Plain   bool   `json:"plain,omitempty"`
	Port    uint16 `json:"port"`
	ID      uint64 `json:"id"`                // of o=
	Last    []byte `json:"last,omitempty"`    // our last SDP
	Offered []byte `json:"offered,omitempty"` // our offer, unless one of the peer came after it
	Own     string `json:"own,omitempty"`     // the direction that we want
	Wish    string `json:"wish,omitempty"`    // and that of Offered

	SSRC uint32    `json:"ssrc"`
	Seq  uint16    `json:"seq"`
	Time uint32    `json:"time"`           // RTP timestamp at At
	Sent bool      `json:"sent,omitempty"` // packets have been sent
	At   time.Time `json:"at"`

	Media *MediaState `json:"media,omitempty"` // nil: nothing was agreed yet
}

// MediaState is what was agreed.
type MediaState struct {
	Codec              string         `json:"codec"`
	PayloadType        uint8          `json:"payload_type"`
	ReceivePayloadType uint8          `json:"receive_payload_type"`
	Also               []FormatState  `json:"also,omitempty"`
	DTMFRate           int            `json:"dtmf_rate,omitempty"`
	DTMFPayloadType    uint8          `json:"dtmf_payload_type,omitempty"`
	DTMFReceive        uint8          `json:"dtmf_receive_payload_type,omitempty"`
	DTMFEvents         uint32         `json:"dtmf_events,omitempty"`
	Remote             netip.AddrPort `json:"remote"`
	RemoteRTCP         netip.AddrPort `json:"remote_rtcp"`
	RTCPMux            bool           `json:"rtcp_mux,omitempty"`
	PtimeMS            int            `json:"ptime_ms"`
	Direction          string         `json:"direction"`
	OnHold             bool           `json:"on_hold,omitempty"`
	Latched            netip.AddrPort `json:"latched"` // where its audio came from
}

// FormatState is one more codec that the peer may send.
type FormatState struct {
	Codec       string `json:"codec"`
	PayloadType uint8  `json:"payload_type"`
}

// Snapshot returns the leg's state. What is played, echoed or tapped is not part of it.
func (l *Leg) Snapshot() LegState {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := LegState{V6: l.cfg.V6, Plain: l.cfg.PlainAddress, Port: l.number, ID: l.id, Last: l.last, Offered: l.offered,
		Own: string(l.own), Wish: string(l.wish)}
	l.port.Do(func() {
		s := l.s
		now := s.shard.Now()
		st.SSRC, st.Seq, st.Time, st.At = s.ssrc, s.seq, s.timeBase, s.shard.At(now)
		if !s.live {
			return
		}
		st.Time, st.Sent = s.timeAt(now), s.sent
		n := &s.n
		st.Media = &MediaState{
			Codec: n.Codec.Name(), PayloadType: n.PayloadType, ReceivePayloadType: n.ReceivePayloadType,
			DTMFRate: n.DTMFRate, DTMFPayloadType: n.DTMFPayloadType, DTMFReceive: n.DTMFReceivePayloadType,
			DTMFEvents: uint32(n.DTMFEvents), Remote: n.Remote, RemoteRTCP: n.RemoteRTCP, RTCPMux: n.RTCPMux,
			PtimeMS: int(n.Ptime / time.Millisecond), Direction: string(n.Direction), OnHold: n.OnHold, Latched: s.latch.peer,
		}
		for _, f := range n.Also {
			st.Media.Also = append(st.Media.Also, FormatState{Codec: f.Codec.Name(), PayloadType: f.PayloadType})
		}
	})
	return st
}

// Restore makes a leg that goes on where st was taken: on the same port, which must be
// free. Of cfg only OnEvent, Codecs and Near count.
func (f *Factory) Restore(st LegState, cfg LegConfig) (*Leg, error) {
	cfg.V6, cfg.PlainAddress = st.V6, st.Plain
	h, err := f.host(cfg.V6)
	if err != nil {
		return nil, err
	}
	var n sdp.Negotiated
	if st.Media != nil {
		if n, err = f.negotiated(st.Media, cfg.Codecs); err != nil {
			return nil, err
		}
	}
	if !h.ports.claim(st.Port) {
		return nil, fmt.Errorf("rtp: restore leg: port %d is in use or not of the range", st.Port)
	}
	w, err := f.openAt(h, st.Port)
	if err != nil {
		h.ports.release(st.Port)
		return nil, err
	}
	l := newLeg(f, cfg, h, st.Port, w)
	l.id, l.last, l.offered = st.ID, st.Last, st.Offered
	l.own, l.wish = sdp.Direction(st.Own), sdp.Direction(st.Wish)
	l.events, l.mux = n.DTMFRate > 0, n.RTCPMux
	l.port.Post(func() {
		s := l.s
		s.ssrc, s.seq, s.timeBase = st.SSRC, st.Seq, st.Time
		if st.Media == nil {
			return
		}
		// The clock went on meanwhile: timestamps do, too.
		now := s.shard.Now()
		away := max(0, s.shard.At(now).Sub(st.At))
		clock := n.Codec.ClockRate()
		s.timeBase = st.Time + uint32(mediaTime(away, clock)) - uint32(mediaTime(now, clock))
		// Nothing that is sent from here on may be older than what was sent there.
		s.lastTime, s.lastSent, s.sent = s.timeBase+uint32(mediaTime(now, clock)), now, st.Sent
		s.lastSpan = uint32(clock / 50)
		s.apply(n)
		if p := st.Media.Latched; p.IsValid() && !s.closed {
			s.latch = latch{peer: p, strong: true, since: now}
			s.connect()
		}
	})
	return l, nil
}

func (f *Factory) negotiated(m *MediaState, codecs []codec.Codec) (sdp.Negotiated, error) {
	n := sdp.Negotiated{
		PayloadType: m.PayloadType, ReceivePayloadType: m.ReceivePayloadType,
		DTMFRate: m.DTMFRate, DTMFPayloadType: m.DTMFPayloadType, DTMFReceivePayloadType: m.DTMFReceive,
		DTMFEvents: sdp.Events(m.DTMFEvents), Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, RTCPMux: m.RTCPMux,
		Ptime: time.Duration(m.PtimeMS) * time.Millisecond, Direction: sdp.Direction(m.Direction), OnHold: m.OnHold,
	}
	n.Ptime = max(n.Ptime, media.FrameDuration)
	var err error
	if len(codecs) == 0 {
		codecs = f.cfg.Codecs
	}
	if n.Codec, err = codecNamed(codecs, m.Codec); err != nil {
		return n, err
	}
	for _, a := range m.Also {
		c, err := codecNamed(codecs, a.Codec)
		if err != nil {
			return n, err
		}
		n.Also = append(n.Also, sdp.Format{Codec: c, PayloadType: a.PayloadType})
	}
	return n, nil
}

func codecNamed(codecs []codec.Codec, name string) (codec.Codec, error) {
	for _, c := range codecs {
		if c.Name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("rtp: restore leg: codec %q is not configured", name)
}
