package calltest

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"

	"github.com/callbin/callbin/media/tone"
)

const frame = 160 // samples of 20 ms at 8 kHz

// keypad is the digits of RFC 4733, each at the place of its event code.
const keypad = "0123456789*#ABCD"

// defaultEvents is the payload type of telephone-event in our offers.
const defaultEvents = 101

// sound is the RTP side of a phone: it sends a packet each 20 ms, silence where there is
// nothing to say, and keeps what comes. G.711 is zaf's, RTP is pion's.
type sound struct {
	conn    Conn
	addr    netip.AddrPort
	listens bool // and never sends
	stop    chan struct{}
	keys    chan key
	taps    chan string

	mu      sync.Mutex
	alaw    bool           // guarded by mu
	eventIn int            // guarded by mu; payload type of the events that we get, 0 for none
	events  int            // guarded by mu; payload type of the events that we send, 0 for none
	remote  netip.AddrPort // guarded by mu
	started bool           // guarded by mu
	mute    bool           // guarded by mu; the call is held so that we do not send
	out     []int16        // guarded by mu
	gone    bool           // guarded by mu
	heard                  // guarded by mu
}

type key struct {
	digit byte
	sent  chan struct{}
}

func newSound(conn Conn, cfg PhoneConfig) *sound {
	s := &sound{
		conn: conn, addr: netip.MustParseAddrPort(conn.LocalAddr().String()), alaw: cfg.PCMA, listens: cfg.NoRTP,
		stop: make(chan struct{}), keys: make(chan key), taps: make(chan string),
	}
	if !cfg.NoEvents {
		s.eventIn, s.events = defaultEvents, defaultEvents
	}
	return s
}

// negotiate takes an offer or answer of the far end; send tells whether we may send. It is false, and nothing
// changes, if an offer has no codec of ours.
func (s *sound) negotiate(a audio, offer, alaw, events, send bool) bool {
	i := slices.IndexFunc(a.formats, func(pt int) bool { return pt == 0 || pt == 8 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 && offer {
		return false
	}
	if i >= 0 {
		s.alaw = a.formats[i] == 8 || offer && alaw && slices.Contains(a.formats, 8)
	}
	if events {
		s.events = a.events
		if offer { // we answer with the number of the offer
			s.eventIn = a.events
		}
	}
	if host, err := netip.ParseAddr(a.host); err == nil {
		s.remote = netip.AddrPortFrom(host, uint16(a.port))
		s.mute = !send || host.IsUnspecified() || a.port == 0
	}
	return true
}

// formats are the payload types of our SDP.
func (s *sound) formats() (codec, events int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alaw {
		codec = 8
	}
	return codec, s.eventIn
}

// start allows to send; it waits for the far end's address still.
func (s *sound) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
}

func (s *sound) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		s.gone = true
		close(s.stop)
		s.conn.Close()
	}
}

func (s *sound) say(pcm []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, pcm...)
}

func (s *sound) press(digits string) {
	for i := range len(digits) {
		k := key{digits[i], make(chan struct{})}
		select {
		case s.keys <- k:
			<-k.sent
		case <-s.stop:
			return
		}
	}
}

// tap presses all of digits now, not at the next packet, in events as short as RFC 4733 lets them be.
func (s *sound) tap(digits string) {
	select {
	case s.taps <- digits:
	case <-s.stop:
	}
}

// ready tells whether there is somebody to send to.
func (s *sound) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started && s.remote.IsValid() && s.events != 0
}

// send is the phone's own clock. A key takes five packets and three ends, then five packets without it.
func (s *sound) send() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	host := s.addr.Addr().As16() // phones may have the same ports
	h := rtp.Header{Version: 2, SSRC: uint32(s.addr.Port())<<8 | uint32(host[15]), SequenceNumber: 1000, Timestamp: 8000}
	var pressed *key
	var steps, events int
	var began uint32
	for {
		select {
		case <-s.stop:
			if pressed != nil {
				close(pressed.sent)
			}
			return
		case digits := <-s.taps:
			s.tapped(&h, digits)
			continue
		case <-tick.C:
		}
		if pressed == nil {
			select {
			case k := <-s.keys:
				pressed, steps, began, events = &k, 0, h.Timestamp, s.pressing(k.digit)
			default:
			}
		}
		if pressed == nil || steps >= 8 || events == 0 {
			s.voice(&h)
		} else {
			s.event(&h, events, pressed.digit, steps, began)
		}
		if pressed != nil {
			if steps++; steps == 13 {
				close(pressed.sent)
				pressed = nil
			}
		}
		h.Timestamp += frame
	}
}

// pressing is the payload type for a digit. It is 0 if there is none: then the digit goes next as a tone.
func (s *sound) pressing(digit byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == 0 {
		if p, err := tone.DTMF(string(rune(digit)), 0, 0); err == nil { // anything else is silence
			s.out = append(p.Clip(8000).PCM(), s.out...)
		}
	}
	return s.events
}

func (s *sound) voice(h *rtp.Header) {
	s.mu.Lock()
	pcm := make([]int16, frame)
	if s.started && s.remote.IsValid() {
		n := copy(pcm, s.out)
		s.out = s.out[n:]
	}
	alaw := s.alaw
	s.mu.Unlock()
	payload := make([]byte, frame)
	h.PayloadType = 0
	for i, v := range pcm {
		if alaw {
			h.PayloadType, payload[i] = 8, g711.EncodeAlawFrame(v)
		} else {
			payload[i] = g711.EncodeUlawFrame(v)
		}
	}
	s.packet(h, payload)
}

// tapped sends a packet and three ends for each digit, a sample after the one before.
func (s *sound) tapped(h *rtp.Header, digits string) {
	pt := s.pressing(digits[0])
	for i := range len(digits) {
		for _, step := range []int{0, 5, 6, 7} {
			s.event(h, pt, digits[i], step, h.Timestamp+uint32(i))
		}
	}
}

func (s *sound) event(h *rtp.Header, pt int, digit byte, step int, began uint32) {
	e := *h
	e.PayloadType, e.Timestamp, e.Marker = uint8(pt), began, step == 0
	end := byte(0)
	if step >= 5 {
		end = 0x80
	}
	dur := min(step+1, 6) * frame
	s.packet(&e, []byte{byte(strings.IndexByte(keypad, digit)), end | 10, byte(dur >> 8), byte(dur)})
	h.SequenceNumber = e.SequenceNumber
}

// packet sends one, if there is somebody to send to; the sequence has no gap by one that was not sent.
func (s *sound) packet(h *rtp.Header, payload []byte) {
	s.mu.Lock()
	to, send := s.remote, s.started && !s.mute && !s.listens && s.remote.IsValid()
	s.mu.Unlock()
	if !send {
		return
	}
	p := rtp.Packet{Header: *h, Payload: payload}
	if b, err := p.Marshal(); err == nil {
		_, _ = s.conn.WriteToUDPAddrPort(b, to) // the socket may be closed already
	}
	h.SequenceNumber++
}
