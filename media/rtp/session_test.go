package rtp

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

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
		if st := w.leg.Stats(); st.SilenceMS < 81_000 || st.VoiceMS > 40 { // its two packets at most
			t.Errorf("silent for %d ms, heard for %d ms", st.SilenceMS, st.VoiceMS)
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

// TestReportsAreSignsOfLife: a peer that says nothing (DTX) but reports is there; what comes after a timeout is told.
func TestReportsAreSignsOfLife(t *testing.T) {
	inBubble(t, Config{MediaTimeout: 7 * time.Second}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		report := func() {
			_, _ = p.rtcp.WriteToUDPAddrPort(appendReport(nil, p.ssrc, nil, nil), netip.AddrPortFrom(p.to.Addr(), p.to.Port()+1))
		}
		p.send(1)
		for range 20 {
			time.Sleep(5 * time.Second)
			report()
		}
		if k := w.kinds(EventMediaTimeout); len(k) != 0 {
			t.Errorf("told although there are reports: %v", k)
		}
		time.Sleep(20 * time.Second)
		report()
		time.Sleep(time.Second)
		p.send(1)
		if k := w.kinds(EventMediaTimeout, EventMediaResume); !slices.Equal(k, []string{EventMediaTimeout, EventMediaResume}) {
			t.Errorf("events %v", k)
		}
	})
}
