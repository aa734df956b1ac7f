package rtp

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/tone"
)

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
