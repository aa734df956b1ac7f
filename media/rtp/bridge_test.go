package rtp

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

func TestBridgePassesPacketsUntouched(t *testing.T) {
	everywhere(t, func(w *world) {
		t := w.t
		br, a, b := w.pair("0 101", "8 101")
		for i := range 50 {
			a.send(byte(i))
			g := b.mustHear()
			back := [1]byte{byte(i)}
			tab, _ := codec.Table(codec.PCMU, codec.PCMA)
			codec.Translate(back[:], back[:], tab)
			if g.payload[0] != back[0] || g.payloadType != 8 || len(g.payload) != 160 {
				t.Fatalf("packet %d: %+v %x", i, g.header, g.payload[0])
			}
			b.heard = append(b.heard, g)
			b.send(byte(i))
			a.heard = append(a.heard, a.mustHear())
		}
		a.checkStream("a", 1)
		b.checkStream("b", 1)
		if st := br.Stats(); !st.Passing || st.Encodes != 0 || st.Members != 2 {
			t.Errorf("%+v", st)
		}
		br.Leave(a.leg.Port())
		a.send(1)
		b.silent(30 * time.Millisecond)
	})
}

// What comes and goes beside a bridged call is not seen in the streams of its phones.
func TestBridgeGoesOnWhileOthersComeAndGo(t *testing.T) {
	for _, laws := range [][2]string{{"0 101", "0 101"}, {"0 101", "8 101"}} {
		inBubble(t, Config{}, func(w *world) {
			t := w.t
			br, a, b := w.pair(laws[0], laws[1])
			a.talk(stamped)
			time.Sleep(7 * time.Millisecond)
			b.talk(stamped)
			quiet := w.newCaller(13, "0 101")
			played := func() {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				_ = quiet.leg.Port().Play(ctx, media.Silence(time.Minute, 8000))
			}
			step := func(what string, lost int, f func()) {
				t.Helper()
				time.Sleep(200 * time.Millisecond)
				for _, c := range []*caller{a, b} {
					c.listen()
					c.heard = nil
				}
				f()
				time.Sleep(200 * time.Millisecond)
				if !br.Stats().Passing {
					t.Errorf("%s: not passing any more", what)
				}
				for i, c := range []*caller{a, b} {
					c.listen()
					who := what + ", " + string(rune('a'+i))
					c.checkStream(who, 0)
					c.checkNumbers(who, lost)
				}
			}
			step("nothing", 0, func() {})
			step("a recorder", 0, func() {
				rec := &tapRecorder{}
				remove := a.leg.Port().Tap(rec)
				time.Sleep(500 * time.Millisecond)
				if !br.Stats().Passing {
					t.Error("a recorder ends the passing")
				}
				remove()
				n := 0
				for _, v := range rec.in {
					if v != 0 {
						n++
					}
				}
				for _, v := range rec.out {
					if v != 0 {
						n++
					}
				}
				if n < 2*len(rec.in)-8 {
					t.Errorf("the recorder saw %d frames in %d ticks both ways", n, len(rec.in))
				}
			})
			step("a recorder of the room", 0, func() {
				rec := &tapRecorder{}
				remove := br.Tap(rec)
				time.Sleep(300 * time.Millisecond)
				remove()
				if len(rec.in) < 14 || slices.Contains(rec.in[5:], 0) {
					t.Errorf("the recorder saw %v", rec.in)
				}
			})
			for range 5 {
				step("a silent third member", 0, func() {
					if err := br.Join(quiet.leg.Port()); err != nil {
						t.Fatal(err)
					}
					played()
					br.Leave(quiet.leg.Port())
				})
				step("a third member while recorded", 0, func() {
					defer a.leg.Port().Tap(&tapRecorder{})()
					time.Sleep(100 * time.Millisecond)
					if err := br.Join(quiet.leg.Port()); err != nil {
						t.Fatal(err)
					}
					played()
					br.Leave(quiet.leg.Port())
					time.Sleep(100 * time.Millisecond)
				})
				time.Sleep(3 * time.Millisecond)
			}
		})
	}
}

func TestPlayAndMuteConcernOneDirection(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		br, a, b := w.pair("0 101", "0 101")
		a.talk(stamped)
		b.talk(stamped)
		time.Sleep(200 * time.Millisecond)
		during := func(f func()) {
			a.listen()
			b.listen()
			a.heard, b.heard = nil, nil
			f()
			a.listen()
			b.listen()
		}
		during(func() {
			if err := a.leg.Port().Play(t.Context(), media.Silence(time.Second, 8000)); err != nil {
				t.Error(err)
			}
			if !br.Stats().Passing {
				t.Error("nothing passes while a is played to")
			}
			time.Sleep(200 * time.Millisecond)
		})
		b.checkStream("b beside a's play", 0)
		b.checkNumbers("b beside a's play", 0)
		a.checkStream("a", 0)
		silence := 0
		for _, n := range a.numbers() {
			if n < 0 {
				silence++
			}
		}
		if silence != 50 || len(a.numbers()) < 58 {
			t.Errorf("a heard %d frames of the play among %v", silence, a.numbers())
		}
		during(func() {
			a.leg.Port().Mute(media.In, true)
			time.Sleep(300 * time.Millisecond)
			a.leg.Port().Mute(media.In, false)
			time.Sleep(200 * time.Millisecond)
		})
		a.checkNumbers("a beside its mute", 0)
		b.checkStream("b beside a's mute", 0)
	})
}

func TestHoldAndResume(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		br, a, b := w.pair("0 101", "0 101")
		a.talk(stamped)
		b.talk(stamped)
		time.Sleep(200 * time.Millisecond)
		for _, dir := range []string{"sendonly", "inactive"} {
			if _, err := a.leg.Answer([]byte(a.offer("0 101", "a="+dir+"\r\n"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			a.listen()
			b.listen()
			a.heard, b.heard = nil, nil
			time.Sleep(time.Second)
			a.listen()
			b.listen()
			if len(a.heard) > 0 {
				t.Errorf("%s: %d packets were sent to who does not want them", dir, len(a.heard))
			}
			if n := len(b.heard); (dir == "sendonly") != (n >= 49) {
				t.Errorf("%s: b heard %d packets", dir, n)
			}
			if _, err := a.leg.Answer([]byte(a.offer("0 101", ""))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			a.listen()
			b.listen()
			a.checkStream(dir, 1)
			a.checkNumbers(dir, 0)
			if n := len(a.heard); n < 49 || !br.Stats().Passing {
				t.Errorf("%s: %d packets after resume", dir, n)
			}
		}
		a.heard, b.heard = nil, nil
	})
}

// A phone that wants 40 ms gets them, whatever the other one sends.
func TestPacketLengthsThatDiffer(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		br := media.NewBridge(media.BridgeOptions{})
		defer br.Close()
		a, b := w.newCaller(11, "0 101"), w.newCallerWith(12, "0 101", "a=ptime:40\r\n")
		for _, c := range []*caller{a, b} {
			if err := br.Join(c.leg.Port()); err != nil {
				t.Fatal(err)
			}
		}
		a.talk(stamped)
		b.talk(stamped)
		time.Sleep(time.Second)
		a.listen()
		b.listen()
		if br.Stats().Passing {
			t.Error("packets of 20 ms pass to a phone that wants 40")
		}
		b.heard = b.heard[2:]
		for i, g := range b.heard {
			if len(g.payload) != 320 {
				t.Errorf("packet %d has %d bytes", i, len(g.payload))
			}
		}
		b.checkStream("b", 0)
		a.heard = a.heard[5:]
		a.checkStream("a", 0)
		a.checkNumbers("a", 0)
		// Both want 40 ms, and both send 20: the lengths that come decide.
		c, d := w.newCallerWith(13, "0 101", "a=ptime:40\r\n"), w.newCallerWith(14, "0 101", "a=ptime:40\r\n")
		other := media.NewBridge(media.BridgeOptions{})
		defer other.Close()
		for _, c := range []*caller{c, d} {
			if err := other.Join(c.leg.Port()); err != nil {
				t.Fatal(err)
			}
		}
		if !other.Stats().Passing {
			t.Error("two phones that want 40 ms do not pass")
		}
		c.talk(stamped)
		time.Sleep(time.Second)
		d.listen()
		if n := len(d.heard[len(d.heard)-1].payload); n != 320 {
			t.Errorf("the last packet has %d bytes", n)
		}
		d.checkStream("d", 1)
		d.checkNumbers("d", 0)
	})
}

func TestBridgedPacketDoesNotAllocate(t *testing.T) {
	for _, portable := range []bool{false, true} {
		onLoopback(t, portable, func(w *world) {
			_, a, b := w.pair("0 101", "8 101")
			a.send(1)
			b.mustHear()
			round := crossRound(a, b)
			for range 100 {
				round()
			}
			if n := testing.AllocsPerRun(500, round); n != 0 {
				t.Errorf("portable %v: %v allocations a packet", portable, n)
			}
		})
	}
}

// crossRound sends a packet of a and waits until b hears it, without allocating.
func crossRound(a, b *caller) func() {
	from, to := a.rtp.(*net.UDPConn), b.rtp.(*net.UDPConn)
	out, in := make([]byte, headerLen+160), make([]byte, 2000)
	_ = to.SetReadDeadline(time.Now().Add(time.Minute))
	return func() {
		putHeader(out, false, 0, a.seq, a.ts, a.ssrc)
		a.seq++
		a.ts += 160
		if _, err := from.WriteToUDPAddrPort(out, a.to); err != nil {
			a.w.t.Fatal(err)
		}
		if _, _, err := to.ReadFromUDPAddrPort(in); err != nil {
			a.w.t.Fatal(err)
		}
	}
}
