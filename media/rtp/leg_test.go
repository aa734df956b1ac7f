package rtp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
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

func TestIntruderDoesNotTakeOver(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		w.leg.Port().Echo(true)
		w.leg.Stats()
		intruder := w.newPeer(3)
		intruder.to = p.to
		for i := range byte(20) {
			p.send(i)
			if g := p.mustHear(); g.payload[0] != i {
				t.Fatalf("got %d, want %d", g.payload[0], i)
			}
			intruder.send(200)
			intruder.ssrc = p.ssrc // even with stolen numbers
			intruder.seq, intruder.ts = p.seq, p.ts
		}
		intruder.silent(20 * time.Millisecond)
		// The peer falls silent: after two seconds the one who sends is believed.
		start := time.Now()
		intruder.ssrc = 77
		for {
			intruder.send(201)
			if _, ok := intruder.hear(50 * time.Millisecond); ok {
				break
			}
			if time.Since(start) > 5*time.Second {
				t.Fatal("a new address is never believed")
			}
		}
		if took := time.Since(start); took < 1900*time.Millisecond || took > 2500*time.Millisecond {
			t.Errorf("taken over after %v of silence", took)
		}
	})
}

func TestLatchingBehindNAT(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2)
		behind := w.newPeer(4) // where the peer's packets really come from
		p.call()
		p.mustHear()
		behind.to = p.to
		w.leg.Port().Echo(true)
		w.leg.Stats()
		behind.send(5)
		if g := behind.mustHear(); g.payload[0] != 5 {
			t.Errorf("got %+v", g)
		}
		// But the address of the SDP is believed more, while the other one is young.
		p.send(6)
		if g := p.mustHear(); g.payload[0] != 6 {
			t.Errorf("got %+v", g)
		}
		behind.send(7)
		behind.silent(20 * time.Millisecond)
		if k := w.kinds(EventLatched); len(k) != 2 {
			t.Errorf("events %v", k)
		}
		if st := w.leg.Stats(); st.Foreign == 0 && !w.leg.s.latch.connected {
			t.Errorf("%+v", st)
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

func TestPlaybackIsWhatWasPlayed(t *testing.T) {
	pcm := make([]int16, 8000/2+80) // not a whole number of frames
	for i := range pcm {
		pcm[i] = int16(i*37%16000 - 8000)
	}
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		last := p.mustHear()
		played := make(chan error, 1)
		go func() { played <- w.leg.Port().Play(context.Background(), media.NewClip(8000, pcm).Source()) }()
		enc := codec.PCMU.NewEncoder()
		for i := range 26 {
			g := p.mustHear()
			frame := make([]int16, 160)
			copy(frame, pcm[160*i:])
			var want [160]byte
			_, _ = enc.Encode(want[:], frame)
			if !bytes.Equal(g.payload, want[:]) {
				t.Fatalf("frame %d differs", i)
			}
			if g.marker != (i == 0) || g.seq != last.seq+1 || i > 0 && g.time != last.time+160 {
				t.Errorf("frame %d: %+v after %+v", i, g.header, last.header)
			}
			last = g
		}
		if err := <-played; err != nil {
			t.Error(err)
		}
	})
}

func TestTimestampsRunOnBetweenTalkspurts(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		play := func() got {
			t.Helper()
			if err := w.leg.Port().Play(t.Context(), media.Silence(20*time.Millisecond, 8000)); err != nil {
				t.Fatal(err)
			}
			return p.mustHear()
		}
		a := play()
		time.Sleep(3 * time.Second)
		b := play()
		if d := b.time - a.time; d < 24000 || d > 24320 || !b.marker || b.seq != a.seq+1 {
			t.Errorf("%d units, %+v", d, b.header)
		}
	})
}

func TestKeepaliveAndReports(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		first := p.mustHear()
		start := time.Now()
		for i := range 4 {
			g, ok := p.hear(5100 * time.Millisecond)
			if !ok || time.Since(start) != time.Duration(i+1)*5*time.Second {
				t.Fatalf("keepalive %d after %v, %v", i, time.Since(start), ok)
			}
			if g.seq != first.seq+uint16(i)+1 || g.time != first.time+uint32(i+1)*40000 || g.marker {
				t.Errorf("keepalive %d: %+v after %+v", i, g.header, first.header)
			}
		}
		for i := range 4 {
			b, _, ok := p.recv(p.rtcp, time.Millisecond)
			r, valid := parseRTCP(b, 0)
			if !ok || !valid || !r.sr || r.ssrc != first.ssrc {
				t.Fatalf("report %d: %+v %v %v", i, r, ok, valid)
			}
		}
	})
}

func TestRoundTripAndPeerReports(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		if st := w.leg.Stats(); st.RTTMS != nil || st.MOS != nil || st.PeerLost != nil {
			t.Errorf("measured before anything came: %+v", st)
		}
		for i := range 120 {
			if i != 50 { // one is lost
				p.send(1)
			} else {
				p.seq++
				p.ts += 160
			}
			time.Sleep(20 * time.Millisecond)
		}
		b, from, ok := p.recv(p.rtcp, 10*time.Second)
		r, valid := parseRTCP(b, p.ssrc)
		if !ok || !valid || !r.about || r.block.lost != 1 || r.block.highest != 219 {
			t.Fatalf("%+v %v %v", r, ok, valid)
		}
		time.Sleep(40 * time.Millisecond) // on its way here
		sent := ntpMiddle(r.ntp)
		time.Sleep(100 * time.Millisecond)
		back := appendReport(nil, p.ssrc, &senderInfo{ntp: ntpTime(time.Now())}, &reportBlock{ssrc: r.ssrc, lost: 7, jitter: 80, lastSR: sent, delay: 100 * 65536 / 1000})
		time.Sleep(40 * time.Millisecond) // and back
		_, _ = p.rtcp.WriteToUDPAddrPort(back, from)
		time.Sleep(time.Millisecond)
		st := w.leg.Stats()
		if st.RTTMS == nil || *st.RTTMS < 79 || *st.RTTMS > 81 || st.PeerLost == nil || *st.PeerLost != 7 || *st.PeerJitterMS != 10 {
			t.Errorf("%+v", st)
		}
		if st.MOS == nil || *st.MOS < 4.2 || st.Lost != 1 || st.PacketsIn != 119 || st.JitterMS > 0.1 {
			t.Errorf("MOS %v, %+v", *st.MOS, st)
		}
		if _, err := json.Marshal(st); err != nil {
			t.Error(err)
		}
		_, _ = w.newPeer(9).rtcp.WriteToUDPAddrPort(appendReport(nil, 1, nil, &reportBlock{ssrc: r.ssrc, lost: 1000}), from)
		time.Sleep(time.Millisecond)
		if st := w.leg.Stats(); *st.PeerLost != 7 || st.Foreign != 1 {
			t.Errorf("a stranger's report counts: %+v", st)
		}
		for range 2 { // the last of them says goodbye
			w.leg.Close()
		}
		var last rtcpReport
		for {
			b, _, ok := p.recv(p.rtcp, time.Millisecond)
			if !ok {
				break
			}
			last, _ = parseRTCP(b, 0)
		}
		if !last.goodby {
			t.Error("no BYE at the end")
		}
		if st := w.leg.Stats(); st.PacketsIn != 119 {
			t.Errorf("sums after Close: %+v", st)
		}
	})
}

func TestMediaTimeoutIsToldOnce(t *testing.T) {
	inBubble(t, Config{MediaTimeout: 7 * time.Second}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		time.Sleep(6900 * time.Millisecond)
		p.send(1)
		time.Sleep(6900 * time.Millisecond)
		if k := w.kinds(EventMediaTimeout); len(k) != 0 {
			t.Errorf("told early: %v", k)
		}
		time.Sleep(time.Minute)
		if k := w.kinds(EventMediaTimeout); len(k) != 1 {
			t.Errorf("told: %v", k)
		}
		p.send(1)
		time.Sleep(8 * time.Second)
		if k := w.kinds(EventMediaTimeout); len(k) != 2 {
			t.Errorf("not told again: %v", k)
		}
		if st := w.leg.Stats(); st.SilenceMS != 8000 {
			t.Errorf("silent for %d ms", st.SilenceMS)
		}
	})
}

func TestHoldStopsOurAudio(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		p.negotiate(p.offer("0 101", "a=sendonly\r\n"))
		if err := w.leg.Port().Play(t.Context(), media.Silence(time.Second, 8000)); err != nil {
			t.Error(err)
		}
		p.silent(time.Minute)
		p.negotiate(p.offer("0 101", "a=sendrecv\r\n"))
		if err := w.leg.Port().Play(t.Context(), media.Silence(40*time.Millisecond, 8000)); err != nil {
			t.Error(err)
		}
		p.mustHear()
		if k := w.kinds(EventHold, EventResume, EventDirection, EventMediaTimeout); !slices.Equal(k, []string{EventHold, EventDirection, EventResume, EventDirection}) {
			t.Errorf("events %v", k)
		}
	})
}

func TestDigitWithoutEndIsEndedByTime(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.send(1)
		for i := range uint16(5) {
			p.event('#', 4000, false, 160*(i+1))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		p.event('#', 40000, true, 800)
		time.Sleep(time.Millisecond)
		if k := w.kinds(EventDigit, EventDigitEnd); !slices.Equal(k, []string{"digit:#", "digit_end:#", "digit:#", "digit_end:#"}) {
			t.Errorf("events %v", k)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.events {
			if e.Kind == EventDigitEnd && e.DurationMS != 100 {
				t.Errorf("%+v", e)
			}
		}
	})
}

// tapRecorder keeps the first sample of each direction.
type tapRecorder struct{ in, out []int16 }

func (r *tapRecorder) Tick(_ uint64, in, out []int16) {
	first := func(pcm []int16) int16 {
		if pcm == nil {
			return 0
		}
		return pcm[len(pcm)/2]
	}
	r.in, r.out = append(r.in, first(in)), append(r.out, first(out))
}

func TestTappedEchoGoesThroughTheJitterBuffer(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		rec := &tapRecorder{}
		remove := w.leg.Port().Tap(rec)
		w.leg.Port().Echo(true)
		w.leg.Stats()
		for range 30 {
			p.send(0x10) // a loud level
			_, _ = p.hear(20 * time.Millisecond)
		}
		g := p.mustHear()
		for g.payload[80] != 0x10 {
			g = p.mustHear()
		}
		remove()
		dec := codec.PCMU.NewDecoder()
		var pcm [160]int16
		_, _ = dec.Decode(pcm[:], g.payload)
		heard := 0
		for i, v := range rec.in {
			if v == pcm[80] {
				heard++
			}
			if rec.out[i] != v {
				t.Errorf("tick %d: in %d, out %d", i, v, rec.out[i])
			}
		}
		if heard < 15 {
			t.Errorf("heard in %d of %d ticks: %v", heard, len(rec.in), rec.in)
		}
	})
}

// A media thread that stood still for 300 ms: a second later the echo is as quick as before.
func TestStalledShardLeavesNoDelayInTheEcho(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		start := time.Now()
		remove := w.leg.Port().Tap(stallTap{start})
		w.leg.Port().Echo(true)
		stop := make(chan struct{})
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := 0; ; i++ {
				p.send(byte(1 + i%100)) // comes round after two seconds
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		worst := [2]time.Duration{} // before, and from a second after the stall on
		for time.Since(start) < 6*time.Second {
			g, ok := p.hear(time.Second)
			if !ok {
				t.Fatal("the echo ended")
			}
			at := time.Since(start)
			n := int(g.payload[80]) - 1
			if n < 0 || n >= 100 {
				continue
			}
			delay := (at - time.Duration(n)*20*time.Millisecond) % (2 * time.Second)
			switch {
			case at > time.Second && at < 2*time.Second:
				worst[0] = max(worst[0], delay)
			case at > 3300*time.Millisecond:
				worst[1] = max(worst[1], delay)
			}
		}
		close(stop)
		<-sent
		remove()
		if worst[0] == 0 || worst[0] > 60*time.Millisecond || worst[1] == 0 || worst[1] > worst[0]+20*time.Millisecond {
			t.Errorf("delay up to %v before and %v after", worst[0], worst[1])
		}
		if st := w.shards.Lateness(); st.Rebases != 1 {
			t.Errorf("there was no stall: %+v", st)
		}
	})
}

// stallTap holds its shard up once, 2 s after a start, for 300 ms.
type stallTap struct{ start time.Time }

func (s stallTap) Tick(uint64, []int16, []int16) {
	if d := time.Since(s.start); d >= 2*time.Second && d < 2020*time.Millisecond {
		time.Sleep(300 * time.Millisecond)
	}
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

// While a prompt is played packets are read at the tick: digits come through, and
// afterwards packets are read on arrival again.
func TestDigitsDuringPlayback(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		digit := make(chan string, 10)
		w.leg.Close()
		var err error
		w.leg, err = w.factory.NewLeg(LegConfig{OnEvent: func(e Event) {
			if e.Kind == EventDigit {
				digit <- e.Digit
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		p := w.newPeer(2).call()
		p.mustHear()
		ctx, cancel := context.WithCancelCause(t.Context())
		played := make(chan error, 1)
		go func() { played <- w.leg.Port().Play(ctx, media.Silence(time.Minute, 8000)) }()
		p.mustHear()
		barge := errors.New("barge-in")
		for i, key := range "12#" {
			start := time.Now()
			for range 3 {
				p.event(byte(key), uint32(2000*i), false, 160)
			}
			p.event(byte(key), uint32(2000*i), true, 320)
			if got := <-digit; got != string(key) {
				t.Errorf("got %s, want %c", got, key)
			}
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("told after %v", took)
			}
		}
		cancel(barge)
		if err := <-played; !errors.Is(err, barge) {
			t.Errorf("Play: %v", err)
		}
		w.leg.Port().Echo(true)
		w.leg.Stats()
		for i := range byte(5) {
			p.send(i + 1)
			for {
				if g := p.mustHear(); g.payload[0] == i+1 {
					break
				} else if g.payload[0] != 0xff {
					t.Fatalf("got %+v", g.header)
				}
			}
		}
		if len(digit) > 0 {
			t.Errorf("%s was told again", <-digit)
		}
	})
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

func TestMuxedRTCP(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2)
		p.negotiate(p.offer("0 101", "a=rtcp-mux\r\n"))
		p.mustHear()
		b, _, ok := p.recv(p.rtp, 6*time.Second)
		if !ok || !isRTCP(b) {
			t.Errorf("% x, %v", b, ok)
		}
		p.raw(appendReport(nil, 2, nil, &reportBlock{ssrc: w.leg.Stats().SSRC, lost: 3}))
		time.Sleep(time.Millisecond)
		if st := w.leg.Stats(); st.PeerLost == nil || *st.PeerLost != 3 {
			t.Errorf("%+v", st)
		}
	})
}

func TestLongPackets(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2)
		p.negotiate(p.offer("0 101", "a=ptime:60\r\n"))
		p.mustHear()
		if err := w.leg.Port().Play(t.Context(), media.Silence(140*time.Millisecond, 8000)); err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for {
			g, ok := p.hear(200 * time.Millisecond)
			if !ok {
				break
			}
			sizes = append(sizes, len(g.payload))
		}
		if !slices.Equal(sizes, []int{480, 480, 160}) {
			t.Errorf("7 frames were sent as %v", sizes)
		}
	})
}

// The peer's port is closed for a while: the system reports it as errors of our socket.
func TestUnreachablePeerDoesNotHurtTheLeg(t *testing.T) {
	for _, portable := range []bool{false, true} {
		onLoopback(t, portable, func(w *world) {
			t := w.t
			p := w.newPeer(2).call()
			p.mustHear()
			p.send(1)
			w.leg.Stats()
			_ = p.rtp.Close()
			if err := w.leg.Port().Play(t.Context(), media.Silence(200*time.Millisecond, 8000)); err != nil {
				t.Error(err)
			}
			var err error
			if p.rtp, err = listenUDP(p.at); err != nil {
				t.Fatal(err)
			}
			w.leg.Port().Echo(true)
			w.leg.Stats()
			p.send(7)
			for {
				if g := p.mustHear(); g.payload[0] == 7 {
					break
				}
			}
		})
	}
}

func TestPortsRunOut(t *testing.T) {
	inBubble(t, Config{Ports: [2]uint16{10000, 10003}}, func(w *world) {
		t := w.t
		l := w.newLeg()
		if _, err := w.factory.NewLeg(LegConfig{}); !errors.Is(err, ErrNoPorts) || !strings.Contains(err.Error(), "10000-10003") {
			t.Errorf("got %v", err)
		}
		if _, err := w.factory.NewLeg(LegConfig{V6: true}); err == nil {
			t.Error("IPv6 without an address")
		}
		l.Close()
		w.newLeg().Close()
		if _, err := l.Offer(); err == nil {
			t.Error("a closed leg makes offers")
		}
		if _, err := l.Answer([]byte(w.newPeer(2).offer("0", ""))); err == nil {
			t.Error("a closed leg answers")
		}
	})
}

func TestSnapshotAndRestore(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		first := p.mustHear()
		p.send(1)
		time.Sleep(time.Second)
		st := w.leg.Snapshot()
		b, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		w.leg.Close()
		var back LegState
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		l, err := w.factory.Restore(back, LegConfig{})
		if err != nil {
			t.Fatal(err)
		}
		w.leg = l
		g := p.mustHear()
		if g.ssrc != first.ssrc || g.seq != first.seq+1 || g.from != p.to {
			t.Errorf("%+v after %+v", g, first)
		}
		if d := g.time - first.time; d < 24000-320 || d > 24000+320 {
			t.Errorf("timestamps went on by %d in 3 s", d)
		}
		l.Port().Echo(true)
		p.send(2)
		p.mustHear()
		if _, err := w.factory.Restore(back, LegConfig{}); err == nil {
			t.Error("restored twice on one port")
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	shards := media.NewShards(media.ShardsConfig{N: 1, Portable: true})
	v4 := netip.MustParseAddr("127.0.0.1")
	for name, cfg := range map[string]Config{
		"no shards":         {},
		"two of IPv4":       {Shards: shards, Addrs: []Addr{{Bind: v4}, {Bind: v4}}},
		"no bind":           {Shards: shards, Addrs: []Addr{{Advertise: v4}}},
		"unspecified":       {Shards: shards, Addrs: []Addr{{Bind: netip.IPv4Unspecified()}}},
		"families mixed":    {Shards: shards, Addrs: []Addr{{Bind: v4, Advertise: netip.IPv6Loopback()}}},
		"ports":             {Shards: shards, Ports: [2]uint16{5, 5}},
		"jitter backwards":  {Shards: shards, MinWait: 2 * time.Second},
		"jitter of seconds": {Shards: shards, MaxWait: 2 * time.Second},
	} {
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "rtp: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := New(Config{Shards: shards, Addrs: []Addr{{Bind: netip.IPv4Unspecified(), Advertise: netip.MustParseAddr("192.0.2.1")}, {Bind: netip.IPv6Loopback()}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.NewLeg(LegConfig{V6: true})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	if b, err := l.Offer(); err != nil || !bytes.Contains(b, []byte("c=IN IP6 ::1")) {
		t.Errorf("%v\n%s", err, b)
	}
	l.Close()
}
