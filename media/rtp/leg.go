package rtp

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/sdp"
)

var (
	errClosed = fmt.Errorf("rtp: the leg: %w", media.ErrClosed)
	// ErrNoOffer says that TakeAnswer was called without an offer to answer.
	ErrNoOffer = errors.New("rtp: there is no offer that waits for an answer")
)

// Leg is one call's audio over RTP: two sockets, what was negotiated for them, and a
// media.Port. All methods are safe for any goroutine but must not be called by OnEvent;
// they wait for the media thread at most for a moment.
type Leg struct {
	f      *Factory
	cfg    LegConfig
	host   *host
	number uint16 // of the RTP port
	port   *media.Port
	s      *session // owned by the shard
	final  Stats    // written on the shard when the session closes, read after that

	mu      sync.Mutex
	closed  bool          // guarded by mu
	last    []byte        // our last description; guarded by mu
	offered []byte        // our last offer, until one of the peer; guarded by mu
	events  bool          // key presses can be sent; guarded by mu
	mux     bool          // RTCP was agreed to come by the port of RTP; guarded by mu
	own     sdp.Direction // what we want, as last agreed; guarded by mu
	wish    sdp.Direction // and as offered said; guarded by mu
	id      uint64        // o= session id
	keys    chan struct{} // held by SendDigits; room for one
}

func newLeg(f *Factory, cfg LegConfig, h *host, port uint16, w wire) *Leg {
	shard := f.cfg.Shards.Pick()
	if cfg.Near != nil {
		shard = cfg.Near.port.Shard()
	}
	l := &Leg{f: f, cfg: cfg, host: h, number: port, keys: make(chan struct{}, 1)}
	// RFC 8866 5.2 suggests the time; 62 bits of chance tell no peer when we were started
	// and fit into the signed integers of bad parsers.
	l.id = random64() >> 2
	r := random64()
	s := &session{leg: l, cfg: &f.cfg, shard: shard, wire: w, log: f.cfg.Logger,
		ssrc: uint32(r), timeBase: uint32(r >> 32), seq: uint16(random64())}
	l.s = s
	l.port = media.NewPort(shard, s, l.codecs()[0].SampleRate())
	s.port = l.port
	s.timer.Fire, s.press.timer.Fire = s.house, s.pressOn
	l.port.Post(func() {
		if !s.shard.Admit(s) {
			s.close()
		}
	})
	return l
}

// Port is the leg's audio.
func (l *Leg) Port() *media.Port { return l.port }

func (l *Leg) codecs() []codec.Codec {
	if len(l.cfg.Codecs) > 0 {
		return l.cfg.Codecs
	}
	return l.f.cfg.Codecs
}

// local is what we have to say in SDP. l.mu is held.
func (l *Leg) local() sdp.Local {
	ip := l.host.Advertise
	if l.cfg.PlainAddress && !l.host.Bind.IsUnspecified() {
		ip = l.host.Bind
	}
	return sdp.Local{
		IP: ip, Port: int(l.number), Codecs: l.codecs(), DTMF: !l.f.cfg.NoDTMF,
		SessionID: l.id, Version: 1, Last: l.last, Direction: l.own, RTCPMux: l.mux,
	}
}

// Offer returns an SDP offer of ours: for an outgoing call, for an INVITE that had
// none, and within a session. TakeAnswer completes it.
func (l *Leg) Offer() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offer(l.own)
}

// OfferAs is Offer with another direction of ours: SendOnly and Inactive put the peer on hold, SendRecv ends that
// (RFC 3264 8.4). It counts from the peer's answer on, for what the peer offers later, too; Withdraw gives it up.
func (l *Leg) OfferAs(d sdp.Direction) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offer(d)
}

// offer makes an offer. l.mu is held.
func (l *Leg) offer(d sdp.Direction) ([]byte, error) {
	if l.closed {
		return nil, errClosed
	}
	local := l.local()
	local.Direction = d
	b, err := sdp.Offer(local)
	if err != nil {
		return nil, fmt.Errorf("rtp: make offer: %w", err)
	}
	l.last, l.offered, l.wish = b, b, d
	return b, nil
}

// Withdraw forgets an offer that the peer has refused: the session stays as it was.
func (l *Leg) Withdraw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offered = nil
}

// Answer answers an SDP offer, the first one or that of a re-INVITE, and puts it into
// effect. An error that matches sdp.ErrNotAcceptable means 488; after any error
// the session is as it was.
func (l *Leg) Answer(offer []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	o, err := sdp.Parse(offer)
	if err != nil {
		return nil, fmt.Errorf("rtp: read offer: %w", err)
	}
	local := l.local()
	local.RTCPMux = true
	b, n, err := sdp.Answer(local, o)
	if err != nil {
		return nil, fmt.Errorf("rtp: answer offer: %w", err)
	}
	l.last, l.offered = b, nil
	l.agree(n)
	return b, nil
}

// agree puts n into effect. l.mu is held.
func (l *Leg) agree(n sdp.Negotiated) {
	l.events, l.mux = n.DTMFRate > 0, n.RTCPMux
	l.port.Post(func() { l.s.apply(n) })
}

// TakeAnswer takes the peer's answer to the last Offer and puts it into effect. Another answer to
// the same offer, as of another branch of a forked call, takes the place of the one before. Its
// errors are those of Answer, and ErrNoOffer.
func (l *Leg) TakeAnswer(answer []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if l.offered == nil {
		return ErrNoOffer
	}
	a, err := sdp.Parse(answer)
	if err != nil {
		return fmt.Errorf("rtp: read answer: %w", err)
	}
	o, err := sdp.Parse(l.offered)
	if err != nil {
		return fmt.Errorf("rtp: read our offer: %w", err)
	}
	n, err := sdp.Accept(l.local(), o, a)
	if err != nil {
		return fmt.Errorf("rtp: take answer: %w", err)
	}
	l.own = l.wish
	if l.own.Sends() && l.own.Receives() {
		l.agree(n)
		return nil
	}
	// Whether it is on hold is not the answer's to say: one that does not want to be played to, and one that holds us as
	// well, both have to answer inactive (RFC 6337 5.3).
	l.events, l.mux = n.DTMFRate > 0, n.RTCPMux
	l.port.Post(func() {
		n.OnHold = l.s.n.OnHold
		l.s.apply(n)
	})
	return nil
}

// Stats returns the sums so far; after Close, the final ones.
func (l *Leg) Stats() Stats {
	var st Stats
	l.port.Do(func() {
		if st = l.final; !l.s.closed {
			st = l.s.stats()
		}
	})
	return st
}

// Close says goodbye by RTCP, closes the port and the sockets, and returns the sums
// of the call. It is idempotent. It waits for the media thread, not for the network.
func (l *Leg) Close() Stats {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	var st Stats
	l.port.Do(func() {
		l.s.close()
		st = l.final
	})
	l.s.wire.wait()
	return st
}

func (s *session) stats() Stats {
	now := s.shard.Now()
	j := s.jitStats
	st := Stats{
		Local:      s.leg.address(),
		Remote:     addrString(s.target()),
		Latched:    s.latch.peer.IsValid(),
		SSRC:       s.ssrc,
		Direction:  string(s.n.Direction),
		PacketsIn:  s.count.packetsIn,
		BytesIn:    s.count.bytesIn,
		PacketsOut: s.count.packetsOut,
		BytesOut:   s.count.bytesOut,
		Lost:       s.source.lost(),
		Duplicates: s.source.duplicates,
		Reordered:  s.source.reordered,
		Invalid:    s.count.invalid,
		Foreign:    s.count.foreign,
		SendErrors: s.count.sendErrors,
		Digits:     s.pressed,
	}
	if s.jitter != nil {
		j.late += s.jitter.late
		j.concealed += s.jitter.concealed
		j.resyncs += s.jitter.resyncs
		st.BufferMS = float64(s.jitter.target) * 1000 / float64(s.jitter.clockHz)
	}
	st.Late, st.Concealed, st.Resyncs = j.late, j.concealed, j.resyncs+s.source.restarts
	if s.source.known {
		st.PeerSSRC = s.source.ssrc
	}
	if s.live {
		st.Codec = s.n.Codec.Name()
		st.JitterMS = s.source.jitter * 1000 / float64(s.n.Codec.ClockRate())
		st.VoiceMS = s.voice.Milliseconds()
		st.SilenceMS = max(0, now-s.began-s.voice).Milliseconds()
	}
	if s.first > 0 {
		first, last := s.shard.At(s.first), s.shard.At(max(s.first, s.source.last))
		st.FirstPacket, st.LastPacket = &first, &last
	}
	rep := &s.reports
	delay := time.Duration(st.BufferMS*float64(time.Millisecond)) + media.FrameDuration
	if rep.hasRTT {
		ms := float64(rep.rtt) / float64(time.Millisecond)
		st.RTTMS = &ms
		delay += rep.rtt / 2
	}
	if rep.about {
		ms := float64(rep.jitter) * 1000 / float64(s.n.Codec.ClockRate())
		lost := rep.lost
		st.PeerLost, st.PeerJitterMS = &lost, &ms
	}
	if total := st.Lost + int64(st.PacketsIn); st.PacketsIn >= 100 {
		m := mos(float64(st.Lost+int64(st.Late))/float64(total), delay)
		st.MOS = &m
	}
	return st
}

// address is what the peer was told.
func (l *Leg) address() string {
	ip := l.host.Advertise
	if l.cfg.PlainAddress && !l.host.Bind.IsUnspecified() {
		ip = l.host.Bind
	}
	return netip.AddrPortFrom(ip, l.number).String()
}
