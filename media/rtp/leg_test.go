package rtp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media/sdp"
)

// everywhere runs f in a bubble, on epoll and on portable real sockets.
func everywhere(t *testing.T, f func(w *world)) {
	t.Run("bubble", func(t *testing.T) { inBubble(t, Config{}, f) })
	t.Run("epoll", func(t *testing.T) { onLoopback(t, false, f) })
	t.Run("portable", func(t *testing.T) { onLoopback(t, true, f) })
}

func TestEchoReturnsPacketsUntouched(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		open := p.mustHear() // the packet that opens the NAT
		if open.from != p.to || open.payloadType != 0 || !bytes.Equal(open.payload, bytes.Repeat([]byte{0xff}, 160)) {
			t.Errorf("first packet %+v from %v", open.header, open.from)
		}
		w.leg.Port().Echo(true)
		w.leg.Stats() // Echo is in effect
		for i := range byte(50) {
			p.send(i)
			g := p.mustHear()
			if g.payload[0] != i || len(g.payload) != 160 || g.ssrc != open.ssrc || g.payloadType != 0 {
				t.Fatalf("packet %d: %+v, payload %v", i, g.header, g.payload[0])
			}
			if g.seq != open.seq+1+uint16(i) || g.marker != (i == 0) {
				t.Errorf("packet %d: seq %d after %d, marker %v", i, g.seq, open.seq, g.marker)
			}
			if d := int32(g.time - open.time); d <= 0 || i > 0 && d != 160 {
				t.Errorf("packet %d: timestamp went on by %d", i, d)
			}
			open.time = g.time
		}
		st := w.leg.Stats()
		if st.PacketsIn != 50 || st.PacketsOut != 51 || st.BytesIn != 8000 || st.Lost != 0 || !st.Latched || st.Remote != p.at.String() || st.Codec != "PCMU" || st.FirstPacket == nil {
			t.Errorf("%+v", st)
		}
		if k := w.kinds(); !slices.Equal(k, []string{EventLatched}) {
			t.Errorf("events %v", k)
		}
	})
}

func TestEchoReflectsNothingElse(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		w.leg.Port().Echo(true)
		w.leg.Stats()
		p.send(1)
		p.mustHear()
		for _, junk := range [][]byte{
			{}, {0}, []byte("\r\n\r\n"), bytes.Repeat([]byte{0x80}, 11),
			appendReport(nil, 1, nil, nil),                                           // RTCP at the RTP port
			append([]byte{0x40}, make([]byte, 171)...),                               // version 1
			append([]byte{0x80, 33}, make([]byte, 170)...),                           // a payload type that was not agreed
			append([]byte{0x80, 0}, make([]byte, 1600)...),                           // larger than any packet
			append([]byte{0x80, 0}, make([]byte, 170)...),                            // another SSRC that is not confirmed
			{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // STUN
		} {
			p.raw(junk)
		}
		p.event('5', 5000, false, 160)
		p.event('5', 5000, true, 320)
		p.seq -= 3
		p.send(0) // a duplicate
		p.seq += 2
		p.send(2)
		g := p.mustHear()
		if g.payload[0] != 2 {
			t.Errorf("came back: %+v", g)
		}
		if st := w.leg.Stats(); st.Invalid < 7 || st.Duplicates != 1 || st.Digits != 1 {
			t.Errorf("%+v", st)
		}
		if k := w.kinds(EventDigit, EventDigitEnd); !slices.Equal(k, []string{"digit:5", "digit_end:5"}) {
			t.Errorf("events %v", k)
		}
	})
}

// Digits are taken out of the echo without a hole in its numbers.
func TestEchoNumbersHaveNoHoleForDigits(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		w.leg.Port().Echo(true)
		p.send(1)
		a := p.mustHear()
		p.event('1', 9999, false, 160)
		p.event('1', 9999, true, 320)
		p.send(2)
		if b := p.mustHear(); b.seq != a.seq+1 || b.time != a.time+160 {
			t.Errorf("%+v after %+v", b.header, a.header)
		}
		p.seq += 2 // lost on the way to us: stays visible
		p.send(3)
		if b := p.mustHear(); b.seq != a.seq+4 {
			t.Errorf("%+v after %+v and a loss", b.header, a.header)
		}
	})
}

func TestReinviteMovesTheAudioAndItsCodec(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		first := p.mustHear()
		w.leg.Port().Echo(true)
		w.leg.Stats()
		p.send(1)
		p.mustHear()
		// A refused offer leaves all as it was.
		if _, err := w.leg.Answer([]byte(p.offer("18", ""))); !errors.Is(err, sdp.ErrNotAcceptable) {
			t.Fatalf("G.729 only: %v", err)
		}
		p.send(2)
		if g := p.mustHear(); g.payload[0] != 2 {
			t.Errorf("after a refused offer: %+v", g)
		}
		q := w.newPeer(5)
		q.pt = 8
		q.negotiate(q.offer("8 101", ""))
		q.mustHear()
		q.send(0x55)
		g := q.mustHear()
		if g.payloadType != 8 || g.payload[0] != 0x55 || g.ssrc != first.ssrc {
			t.Errorf("in the new place: %+v", g)
		}
		if st := w.leg.Stats(); st.Codec != "PCMA" || st.Remote != q.at.String() {
			t.Errorf("%+v", st)
		}
		p.send(9)
		p.silent(20 * time.Millisecond)
	})
}

func TestEchoOverIPv6(t *testing.T) {
	probe, err := listenUDP(netip.MustParseAddrPort("[::1]:0"))
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = probe.Close()
	for _, portable := range []bool{false, true} {
		cfg := Config{Ports: [2]uint16{21000, 21999}, Addrs: []Addr{{Bind: netip.MustParseAddr("127.0.0.1")}, {Bind: netip.IPv6Loopback()}}}
		(&world{t: t}).run(cfg, portable, func(w *world) {
			l, err := w.factory.NewLeg(LegConfig{V6: true})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c, err := listenUDP(netip.MustParseAddrPort("[::1]:0"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			p := &peer{w: w, rtp: c, at: netip.MustParseAddrPort(c.LocalAddr().String()), ssrc: 1, to: netip.AddrPortFrom(netip.IPv6Loopback(), l.number)}
			offer := strings.ReplaceAll(p.offer("0", ""), "IP4", "IP6")
			if _, err := l.Answer([]byte(offer)); err != nil {
				t.Fatal(err)
			}
			p.mustHear()
			l.Port().Echo(true)
			l.port.Do(func() {}) // Echo does not wait, and the packet must not come first
			for i := range byte(5) {
				p.send(i)
				if g := p.mustHear(); g.payload[0] != i || g.from != p.to {
					t.Errorf("%+v from %v", g.header, g.from)
				}
			}
			if st := l.Stats(); st.Remote != p.at.String() || st.Foreign+st.Invalid+st.SendErrors > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestOutgoingOffer(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		if err := w.leg.TakeAnswer([]byte("v=0\r\n")); !errors.Is(err, ErrNoOffer) {
			t.Errorf("answer without offer: %v", err)
		}
		offer, err := w.leg.Offer()
		if err != nil {
			t.Fatal(err)
		}
		p := w.newPeer(2)
		p.to = netip.AddrPortFrom(w.factory.v4.Bind, w.leg.number)
		if !bytes.Contains(offer, []byte("telephone-event")) {
			t.Errorf("offer %s", offer)
		}
		if err := w.leg.TakeAnswer([]byte("nonsense")); err == nil {
			t.Error("nonsense accepted")
		}
		if err := w.leg.TakeAnswer([]byte(p.offer("8 0 101", ""))); err != nil {
			t.Fatal(err)
		}
		if g := p.mustHear(); g.payloadType != 8 {
			t.Errorf("%+v", g.header)
		}
		w.leg.Port().Echo(true)
		p.send(0xff) // PCMU, which the answer allows too: back in the other law
		if g := p.mustHear(); g.payloadType != 8 || g.payload[0] != 0xd5 {
			t.Errorf("%+v", g)
		}
		again, err := w.leg.Offer()
		if err != nil || !bytes.Equal(again, offer) {
			t.Errorf("second offer: %v\n%s\n%s", err, offer, again)
		}
	})
}
