package rtp

import (
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

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
