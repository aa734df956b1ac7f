package rtp

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/tone"
)

// caller is a peer with a leg of its own that says stamped frames, and a log of what it hears.
type caller struct {
	*peer
	leg   *Leg
	law   codec.Codec
	said  int
	heard []got
	stop  chan struct{}
	done  chan struct{}
}

// newCaller makes a leg on the n-th shard or so, and its peer.
func (w *world) newCaller(last byte, format string) *caller {
	w.t.Helper()
	return w.newCallerWith(last, format, "")
}

func (w *world) newCallerWith(last byte, formats, extra string) *caller {
	w.t.Helper()
	c := &caller{peer: w.newPeer(last), law: codec.PCMU}
	c.leg = w.newLeg()
	w.ends = append(w.ends, func() { c.end(); c.leg.Close() })
	if formats[0] == '8' {
		c.pt, c.law = 8, codec.PCMA
	}
	if _, err := c.leg.Answer([]byte(c.offer(formats, extra))); err != nil {
		w.t.Fatal(err)
	}
	c.to = netip.AddrPortFrom(w.factory.v4.Bind, c.leg.number)
	c.mustHear()
	return c
}

// talk sends the frames of source each 20 ms until end.
func (c *caller) talk(frame func(n int) []int16) {
	c.stop, c.done = make(chan struct{}), make(chan struct{})
	enc := c.law.NewEncoder()
	go func() {
		defer close(c.done)
		b := make([]byte, headerLen+160)
		for {
			if pcm := frame(c.said); pcm != nil {
				_, _ = enc.Encode(b[headerLen:], pcm)
				c.packet(c.pt, c.ts, b)
			} else {
				c.seq++ // lost on the way
			}
			c.said++
			c.ts += 160
			select {
			case <-c.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
}

func (c *caller) end() {
	if c.stop != nil {
		close(c.stop)
		<-c.done
		c.stop = nil
	}
}

// listen takes what has come in, without waiting.
func (c *caller) listen() {
	for {
		g, ok := c.hear(time.Nanosecond)
		if !ok {
			return
		}
		c.heard = append(c.heard, g)
	}
}

// stamps is how many frames of a caller differ.
const stamps = 512

// stamped is a frame that tells its number in any law: three blocks of one of eight levels each.
func stamped(n int) []int16 {
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = 200 << (n >> (3 * (i / 54)) % 8)
	}
	return pcm
}

// numbers reads stamps; -1 for a frame that is none.
func (c *caller) numbers() (out []int) {
	dec := c.law.NewDecoder()
	var pcm [480]int16
	for _, g := range c.heard {
		if g.payloadType != c.pt {
			continue
		}
		n, _ := dec.Decode(pcm[:], g.payload)
		for at := 0; at < n; at += 160 {
			number := 0
			for block := range 3 {
				v := float64(pcm[at+54*block+20])
				k := int(math.Round(math.Log2(max(1, v) / 200)))
				if k < 0 {
					number = -1
					break
				}
				number |= k << (3 * block)
			}
			out = append(out, number)
		}
	}
	return out
}

// checkStream fails unless numbers have no hole and timestamps go on by whole packets. marks is
// how many talkspurts may begin.
func (c *caller) checkStream(what string, marks int) {
	c.w.t.Helper()
	n := 0
	for i, g := range c.heard {
		if i == 0 {
			continue
		}
		last := c.heard[i-1]
		if g.seq != last.seq+1 || g.ssrc != last.ssrc {
			c.w.t.Errorf("%s: packet %d has seq %d ssrc %x after %d %x", what, i, g.seq, g.ssrc, last.seq, last.ssrc)
		}
		if g.payloadType != c.pt || last.payloadType != c.pt {
			continue
		}
		if g.marker {
			n++
			continue
		}
		if d := g.time - last.time; d != uint32(len(last.payload)) {
			c.w.t.Errorf("%s: packet %d is %d units after one of %d", what, i, d, len(last.payload))
		}
	}
	if n > marks {
		c.w.t.Errorf("%s: %d talkspurts began, want %d at most", what, n, marks)
	}
}

// checkNumbers fails unless frames follow each other, with silence in at most gaps places, lost
// frames at most there, and none twice.
func (c *caller) checkNumbers(what string, lost int) {
	c.w.t.Helper()
	last := -1
	missing := 0
	for i, n := range c.numbers() {
		if n < 0 {
			continue
		}
		if last >= 0 {
			switch d := (n - last + stamps) % stamps; {
			case d == 0:
				c.w.t.Errorf("%s: frame %d, number %d, came twice", what, i, n)
			case d > stamps/2:
				c.w.t.Errorf("%s: frame %d, number %d, after %d", what, i, n, last)
			default:
				missing += d - 1
			}
		}
		last = n
	}
	if missing > lost || last < 0 {
		c.w.t.Errorf("%s: %d frames are missing, want %d at most; %v", what, missing, lost, c.numbers())
	}
}

// pair makes a bridge of two callers.
func (w *world) pair(a, b string) (*media.Bridge, *caller, *caller) {
	w.t.Helper()
	br := media.NewBridge(media.BridgeOptions{Digits: true})
	w.ends = append(w.ends, br.Close)
	x, y := w.newCaller(11, a), w.newCaller(12, b)
	for _, c := range []*caller{x, y} {
		if err := br.Join(c.leg.Port()); err != nil {
			w.t.Fatal(err)
		}
	}
	if x.leg.Port().Shard() != y.leg.Port().Shard() {
		w.t.Error("the two legs live on two shards")
	}
	return br, x, y
}

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

func TestDigitsCrossTheBridge(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		inBubble(t, Config{}, func(w *world) {
			t := w.t
			br, a, b := w.pair("0 101", "8 97")
			_ = br
			// b's telephone-event has another number.
			if _, err := b.leg.Answer([]byte(b.offer("8 97", "a=rtpmap:97 telephone-event/8000\r\n"))); err != nil {
				t.Fatal(err)
			}
			if mixed {
				b.leg.Port().Mute(media.Out, true)
			}
			a.talk(stamped)
			time.Sleep(200 * time.Millisecond)
			b.listen()
			b.heard = nil
			a.end()
			ts := a.ts
			for i := range uint16(5) {
				a.event('7', ts, i == 4, 160*(i+1))
				time.Sleep(20 * time.Millisecond)
			}
			a.event('7', ts, true, 800)
			a.event('7', ts, true, 800)
			a.ts += 800
			a.talk(stamped)
			time.Sleep(200 * time.Millisecond)
			a.end()
			b.listen()
			a.listen()
			a.heard = slices.DeleteFunc(a.heard, func(g got) bool { return g.payloadType == 0 })
			if len(a.heard) > 0 {
				t.Errorf("the sender got %+v", a.heard[0].header)
			}
			var events []got
			for _, g := range b.heard {
				if g.payloadType == 97 {
					events = append(events, g)
				}
			}
			if len(events) != 7 {
				t.Fatalf("mixed %v: %d events crossed", mixed, len(events))
			}
			for i, e := range events {
				if e.payload[0] != 7 || e.payload[1] != []byte{10, 0x8a}[min(1, i/4)] || binary.BigEndian.Uint16(e.payload[2:]) != uint16(160*min(5, i+1)) || e.marker != (i == 0) || e.time != events[0].time {
					t.Errorf("mixed %v: event packet %d: %+v % x", mixed, i, e.header, e.payload)
				}
			}
			b.checkStream("b", 1)
			if k := w.kinds(EventDigit, EventDigitEnd); !slices.Equal(k, []string{"digit:7", "digit_end:7"}) {
				t.Errorf("events %v", k)
			}
			if !a.leg.Events() {
				t.Error("a takes no events")
			}
		})
	}
}

func TestDigitsEndWhereThereAreNoEvents(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		_, a, b := w.pair("0 101", "0")
		if b.leg.Events() {
			t.Error("b takes events")
		}
		a.send(1)
		x := b.mustHear()
		a.event('7', a.ts, true, 800)
		a.send(2)
		if y := b.mustHear(); y.seq != x.seq+1 || y.payload[0] != 2 {
			t.Errorf("%+v after %+v", y.header, x.header)
		}
		if err := b.leg.SendDigits(t.Context(), "1", 0, 0); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	})
}

// Rooms of real legs: each hears the tones of the others and not its own.
func TestConferenceOfPhones(t *testing.T) {
	for _, n := range []int{3, 20} {
		inBubble(t, Config{}, func(w *world) {
			t := w.t
			br := media.NewBridge(media.BridgeOptions{})
			defer br.Close()
			var all []*caller
			for i := range n {
				c := w.newCaller(byte(20+i), []string{"0 101", "8 101"}[i%2])
				hz := float64(300 + 150*i)
				c.talk(func(k int) []int16 {
					pcm := make([]int16, 160)
					for j := range pcm {
						pcm[j] = int16(1000 * math.Sin(2*math.Pi*hz*float64(160*k+j)/8000))
					}
					return pcm
				})
				all = append(all, c)
				if err := br.Join(c.leg.Port()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(300 * time.Millisecond)
			for _, c := range all {
				c.listen()
				c.heard = nil
			}
			time.Sleep(time.Second)
			for i, c := range all {
				c.listen()
				c.checkStream("member", 0)
				var pcm []int16
				dec := c.law.NewDecoder()
				for _, g := range c.heard {
					var f [160]int16
					_, _ = dec.Decode(f[:], g.payload)
					pcm = append(pcm, f[:]...)
				}
				for k := range all {
					got, want := tone.Goertzel(pcm, 8000, float64(300+150*k)), 1000.0/32768
					if i == k {
						want = 0
					}
					if math.Abs(got-want) > 0.15*1000/32768 {
						t.Errorf("member %d hears %d at %v, want %v", i, k, got, want)
					}
				}
			}
			for _, c := range all {
				c.end()
			}
		})
	}
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

// A stream that is listened to from the start, on a network of equal delays, is heard whole: the
// jitter buffer does not skip a frame because the first packet came late.
func TestNoFrameIsLostAtTheStart(t *testing.T) {
	for _, late := range []time.Duration{0, 5, 12, 18} {
		for _, phase := range []time.Duration{0, 3, 7, 11, 16} {
			inBubble(t, Config{}, func(w *world) {
				t := w.t
				a := w.newCaller(11, "0 101")
				rec := &frameRecorder{}
				defer a.leg.Port().Tap(rec)()
				time.Sleep(phase * time.Millisecond)
				time.Sleep(300 * time.Microsecond)
				enc := codec.PCMU.NewEncoder()
				b := make([]byte, headerLen+160)
				for n := range 100 {
					_, _ = enc.Encode(b[headerLen:], stamped(n))
					hold := time.Duration(0)
					if n == 0 {
						hold = late * time.Millisecond
					}
					time.Sleep(hold)
					a.packet(0, a.ts, b)
					a.ts += 160
					time.Sleep(20*time.Millisecond - hold)
				}
				time.Sleep(100 * time.Millisecond)
				var got []int
				a.leg.Port().Do(func() { got = rec.numbers() })
				for n := range 100 {
					if !slices.Contains(got, n) {
						t.Errorf("first packet %d ms late, phase %d: frame %d is missing", late, phase, n)
					}
				}
			})
		}
	}
}

// frameRecorder keeps what the peer says.
type frameRecorder struct{ pcm []int16 }

func (r *frameRecorder) Tick(_ uint64, in, _ []int16) { r.pcm = append(r.pcm, in...) }

// numbers reads the stamps of the frames, which are whole.
func (r *frameRecorder) numbers() (out []int) {
	c := &caller{law: codec.PCMU, peer: &peer{}}
	enc := codec.PCMU.NewEncoder()
	for at := 0; at+160 <= len(r.pcm); at += 160 {
		g := got{payload: make([]byte, 160)}
		_, _ = enc.Encode(g.payload, r.pcm[at:at+160])
		c.heard = append(c.heard, g)
	}
	return c.numbers()
}

// From a packet that comes in to one that goes out a room takes little more than the jitter buffer.
func TestRoomIsQuick(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		br := media.NewBridge(media.BridgeOptions{})
		defer br.Close()
		a, b, c := w.newCaller(11, "0 101"), w.newCaller(12, "8 101"), w.newCaller(13, "0 101")
		for _, c := range []*caller{a, b, c} {
			if err := br.Join(c.leg.Port()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		a.talk(stamped)
		for time.Since(start) < time.Second {
			b.heard = b.heard[:0]
			g, ok := b.hear(time.Second)
			if !ok {
				t.Fatal("nothing is heard")
			}
			b.heard = append(b.heard, g)
			n := b.numbers()[0]
			// Frame n was sent at n*20 ms, and began to be spoken 20 ms before.
			if delay := time.Since(start) - time.Duration(n)*20*time.Millisecond; n >= 0 && delay > 31*time.Millisecond {
				t.Errorf("frame %d is heard %v after it was sent", n, delay)
			}
		}
	})
}
