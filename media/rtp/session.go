package rtp

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/sdp"
)

// session is the part of a leg that lives on its shard. It is a media.Line, takes what
// the sockets receive, and is owned by the shard: no lock, and no allocation per packet.
type session struct {
	leg   *Leg
	cfg   *Config
	shard *media.Shard
	port  *media.Port
	wire  wire
	log   *slog.Logger

	live    bool // negotiated once
	closed  bool
	began   time.Duration // when it became live
	awaited time.Duration // since when the peer should send
	n       sdp.Negotiated
	timer   media.Timer

	// Receiving.
	formats []receiveFormat // what the peer may send; the first is the agreed one
	latch   latch
	source  source
	digits  digits
	timed   bool          // media_timeout was told
	first   time.Duration // of the first packet; 0: none yet
	voice   time.Duration // of packets that are louder than silence
	forward media.PacketWriter
	fresh   bool // the next forwarded packet begins a stream
	odd     int  // forwarded packets of another length than agreed, in a row
	keys    media.KeyWriter
	skipped uint16 // packets that were not forwarded, left out of its numbering
	jitter  *jitterBuffer
	pulled  bool // packets wait in the socket until Receive

	// Sending.
	ssrc       uint32
	seq        uint16 // of the next packet
	timeBase   uint32 // timestamp of frame 0
	lastTime   uint32 // of the last packet
	lastSpan   uint32 // and its length
	sent       bool   // there was one
	lastFrame  uint64
	talking    bool // sound was sent last, and what follows soon belongs to the same talkspurt
	lastSent   time.Duration
	lastTalk   time.Duration // when there was sound to send last
	passing    bool          // the last packet was a forwarded one, mapped by the two offsets
	seqOffset  uint16        // from its source
	timOffset  uint32
	enc        codec.Encoder
	bundle     []byte // frames that wait for the rest of their packet, where it is longer than 20 ms
	bundled    int
	bundleAt   uint32
	bundleMark bool
	bundleDue  time.Duration
	relayed    relayed  // the key press that is on its way from another leg
	press      ownPress // the one that is ours

	reports  reports
	count    counters
	pressed  uint64
	jitStats jitterStats // of jitter buffers that were put away
}

type receiveFormat struct {
	payloadType uint8
	codec       codec.Codec
	dec         codec.Decoder // made at first use
	level       *[256]uint16  // how loud each byte is; nil where that is not told by bytes
}

type counters struct {
	packetsIn, bytesIn, packetsOut, bytesOut uint64
	invalid, foreign, sendErrors             uint64
}

type jitterStats struct{ late, duplicate, concealed, resyncs uint64 }

const (
	silenceLimit   = 2 * time.Second // of the peer's packets: then another source may take over
	keepaliveEvery = 5 * time.Second // of ours (RFC 6263 4.6, well below 15 s)
)

// apply takes what was negotiated, the first time and later ones.
func (s *session) apply(n sdp.Negotiated) {
	if s.closed {
		return
	}
	old, first := s.n, !s.live
	if !n.Remote.IsValid() {
		n.Remote = old.Remote // on hold by an address of zeros, or a name: as it was
		n.RemoteRTCP = old.RemoteRTCP
	}
	s.n = n
	if first || n.Remote != old.Remote {
		// The peer has told where it is. Until it is heard from there, anybody may be it.
		s.latch = latch{}
		s.wire.disconnect()
	}
	if first || old.Codec != n.Codec || old.ReceivePayloadType != n.ReceivePayloadType || old.Ptime != n.Ptime {
		s.setCodec(old.Codec)
	}
	if first {
		s.live = true
		s.began = s.shard.Now()
		s.reports.next = s.began + reportEvery
		if err := s.wire.start(s.shard, s, !n.RTCPMux); err != nil {
			s.log.Error("rtp: watch sockets", "err", err)
		}
		s.wire.pull(s.pulled)
	}
	if !first && !old.OnHold && n.OnHold {
		s.event(Event{Kind: EventHold})
	}
	if !first && old.OnHold && !n.OnHold {
		s.event(Event{Kind: EventResume})
	}
	if !first && old.Direction != n.Direction {
		s.event(Event{Kind: EventDirection, Direction: string(n.Direction)})
	}
	if first || old.OnHold || !old.Direction.Receives() {
		s.awaited = s.shard.Now()
	}
	if first || n.Remote != old.Remote {
		s.keepalive() // opens the way through a NAT at once
	}
	s.house()
}

func (s *session) setCodec(old codec.Codec) {
	n := &s.n
	s.formats = append(s.formats[:0], receiveFormat{payloadType: n.ReceivePayloadType, codec: n.Codec, level: levels()[n.Codec.Name()]})
	for _, f := range n.Also {
		s.formats = append(s.formats, receiveFormat{payloadType: f.PayloadType, codec: f.Codec, level: levels()[f.Codec.Name()]})
	}
	s.enc = n.Codec.NewEncoder()
	s.bundled, s.talking = 0, false
	if old != nil && old.ClockRate() != n.Codec.ClockRate() {
		s.timeBase = s.lastTime + uint32(n.Codec.ClockRate()) - s.frameTime(s.frameNow())
	}
	if s.jitter != nil {
		s.jitter.configure(n.Codec.ClockRate(), n.Codec.SampleRate(), s.cfg.MinWait, s.cfg.MaxWait)
	}
	s.fresh = true
	own := n.Codec
	s.port.SetFormat(&media.Format{
		Codec: own.Name(), Rate: own.SampleRate(), Span: n.Ptime, Stateless: codec.Stateless(own),
		Passes: func(name string) bool {
			c, ok := codec.ByName(name)
			if ok {
				_, ok = codec.Table(c, own)
			}
			return ok
		},
		NewEncoder: func() media.EncodeFunc { return own.NewEncoder().Encode },
	})
}

func (s *session) event(e Event) {
	if f := s.leg.cfg.OnEvent; f != nil {
		f(e)
	}
}

// target is where our audio goes.
func (s *session) target() netip.AddrPort {
	if s.latch.peer.IsValid() {
		return s.latch.peer
	}
	return s.n.Remote
}

// ShardEnds closes the session with its shard.
func (s *session) ShardEnds() { s.close() }

// close says goodbye and gives all up.
func (s *session) close() {
	if s.closed {
		return
	}
	if s.live {
		s.sendReport(true)
	}
	s.port.End()
	s.endPress(errClosed)
	s.closed = true
	s.leg.final = s.stats()
	s.shard.StopTimer(&s.timer)
	s.wire.close()
	s.leg.host.ports.release(s.leg.number)
	s.shard.Dismiss(s)
	s.jitter, s.forward, s.keys = nil, nil, nil
}

// post is for datagrams that come to a shard which the leg has left.
func (s *session) post(f func()) { s.port.Post(f) }

// Detach is media.Line's.
func (s *session) Detach() {
	if s.closed {
		return
	}
	s.shard.StopTimer(&s.timer)
	s.shard.StopTimer(&s.press.timer)
	s.wire.detach()
	s.shard.Dismiss(s)
}

// Attach is media.Line's.
func (s *session) Attach(shard *media.Shard) {
	s.shard = shard
	if s.closed {
		return
	}
	s.wire.attach(shard)
	if !shard.Admit(s) {
		s.close()
		return
	}
	s.house()
	if s.press.down {
		shard.SetTimer(&s.press.timer, s.press.next)
	}
}

// house does what time brings, and sets the timer for what comes next. It is not called
// for each packet: a time that moved on meanwhile is found out when the timer fires.
func (s *session) house() {
	if s.closed || !s.live {
		return
	}
	now := s.shard.Now()
	next := s.reports.next
	if now >= next {
		s.sendReport(false)
		s.reports.next = max(next+reportEvery, now+reportEvery/2)
		next = s.reports.next
	}
	keep := s.lastSent + keepaliveEvery
	if now >= keep {
		s.keepalive()
		keep = now + keepaliveEvery
	}
	next = min(next, keep)

	if s.bundled > 0 {
		if now >= s.bundleDue {
			s.flush()
		} else {
			next = min(next, s.bundleDue)
		}
	}
	heard := max(s.awaited, s.source.last, s.reports.heard)
	if t, ok := s.latch.house(s, now); ok {
		next = min(next, t)
	}
	if s.digits.down {
		if t := s.digits.last + digitGap; now >= t {
			s.digits.down = false
			s.digitEnd()
		} else {
			next = min(next, t)
		}
	}
	if s.cfg.MediaTimeout > 0 && !s.timed && s.n.Direction.Receives() && !s.n.OnHold {
		if t := heard + s.cfg.MediaTimeout; now >= t {
			s.timed = true
			s.event(Event{Kind: EventMediaTimeout, Remote: addrString(s.target())})
		} else {
			next = min(next, t)
		}
	}
	s.shard.SetTimer(&s.timer, next)
}

// isBack ends a silence that was told as a timeout.
func (s *session) isBack() {
	if s.timed {
		s.timed = false
		s.event(Event{Kind: EventMediaResume, Remote: addrString(s.target())})
	}
}

func addrString(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
