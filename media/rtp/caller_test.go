package rtp

import (
	"math"
	"net/netip"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
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
