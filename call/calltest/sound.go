package calltest

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
)

const frame = 160 // samples of 20 ms at 8 kHz

// maxHeard bounds what a phone remembers: five minutes.
const maxHeard = 5 * 60 * 8000

// sound is the RTP side of a phone: it sends a packet each 20 ms, silence where there is
// nothing to say, and keeps what comes. G.711 is zaf's, RTP is pion's.
type sound struct {
	conn Conn
	addr netip.AddrPort
	alaw bool
	stop chan struct{}
	keys chan key

	mu     sync.Mutex
	remote netip.AddrPort // guarded by mu
	out    []int16        // guarded by mu
	heard  []int16        // guarded by mu
	base   uint32         // guarded by mu; timestamp of heard[0]
	any    bool           // guarded by mu
	gone   bool           // guarded by mu
}

type key struct {
	digit byte
	sent  chan struct{}
}

func newSound(conn Conn, alaw bool) *sound {
	return &sound{
		conn: conn, addr: netip.MustParseAddrPort(conn.LocalAddr().String()), alaw: alaw,
		stop: make(chan struct{}), keys: make(chan key),
	}
}

func (s *sound) setRemote(a netip.AddrPort, pt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remote = a
	if pt == 0 || pt == 8 {
		s.alaw = pt == 8
	}
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

func (s *sound) all() []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int16(nil), s.heard...)
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

func (s *sound) read() {
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(b[:n]) != nil || p.PayloadType != 0 && p.PayloadType != 8 {
			continue
		}
		decode := g711.DecodeUlawFrame
		if p.PayloadType == 8 {
			decode = g711.DecodeAlawFrame
		}
		s.mu.Lock()
		if !s.any {
			s.any, s.base = true, p.Timestamp
		}
		at := int(int32(p.Timestamp - s.base))
		if at >= 0 && at+len(p.Payload) <= maxHeard {
			for len(s.heard) < at+len(p.Payload) {
				s.heard = append(s.heard, 0)
			}
			for i, c := range p.Payload {
				s.heard[at+i] = decode(c)
			}
		}
		s.mu.Unlock()
	}
}

// send is the phone's own clock. A key takes five packets and three ends.
func (s *sound) send() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	h := rtp.Header{Version: 2, SSRC: uint32(s.addr.Port())<<8 | 0x55, SequenceNumber: 1000, Timestamp: 8000}
	var pressed *key
	var steps int
	var began uint32
	for {
		select {
		case <-s.stop:
			if pressed != nil {
				close(pressed.sent)
			}
			return
		case <-tick.C:
		}
		if pressed == nil {
			select {
			case k := <-s.keys:
				pressed, steps, began = &k, 0, h.Timestamp
			default:
			}
		}
		if pressed == nil || steps >= 8 {
			s.voice(&h)
			if pressed != nil {
				if steps++; steps == 13 {
					close(pressed.sent)
					pressed = nil
				}
			}
		} else {
			s.event(&h, pressed.digit, steps, began)
			steps++
		}
		h.Timestamp += frame
	}
}

func (s *sound) voice(h *rtp.Header) {
	s.mu.Lock()
	pcm := make([]int16, frame)
	n := copy(pcm, s.out)
	s.out = s.out[n:]
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

func (s *sound) event(h *rtp.Header, digit byte, step int, began uint32) {
	e := *h
	e.PayloadType, e.Timestamp, e.Marker = 101, began, step == 0
	end := byte(0)
	if step >= 5 {
		end = 0x80
	}
	dur := min(step+1, 6) * frame
	s.packet(&e, []byte{byte(strings.IndexByte("0123456789*#ABCD", digit)), end | 10, byte(dur >> 8), byte(dur)})
	h.SequenceNumber = e.SequenceNumber
}

func (s *sound) packet(h *rtp.Header, payload []byte) {
	s.mu.Lock()
	to := s.remote
	s.mu.Unlock()
	if to.IsValid() && to.Port() != 0 {
		p := rtp.Packet{Header: *h, Payload: payload}
		if b, err := p.Marshal(); err == nil {
			_, _ = s.conn.WriteToUDPAddrPort(b, to) // the socket may be closed already
		}
	}
	h.SequenceNumber++
}
