package rtp

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// seqDecoder makes 20 ms of samples that all are the number in the payload, and -1
// for what it conceals.
type seqDecoder struct{}

func (seqDecoder) Decode(dst []int16, payload []byte) (int, error) {
	v := int16(binary.BigEndian.Uint16(payload))
	for i := range dst[:160] {
		dst[i] = v
	}
	return 160, nil
}

func (seqDecoder) Conceal(dst []int16) int {
	for i := range dst {
		dst[i] = -1
	}
	return len(dst)
}

// arrival is packet n (from 1) at a time after its stream began.
type arrival struct {
	n  int
	at time.Duration
}

// stream is n packets without any disturbance.
func stream(n int) []arrival {
	var out []arrival
	for i := range n {
		out = append(out, arrival{i + 1, time.Duration(i) * 20 * time.Millisecond})
	}
	return out
}

// heard is the result of a simulation: for each tick what was heard in most of the frame.
type heard struct {
	at    time.Duration
	n     int           // packet, -1 concealed, 0 silence
	delay time.Duration // since the packet left
}

type simulation struct {
	seq0  uint16
	ts0   uint32
	phase time.Duration // of ticks
	stall [2]time.Duration
	skew  float64 // of the sender's clock
	tsOf  func(n int) uint32
}

func (sim simulation) run(t *testing.T, arrivals []arrival) (*jitterBuffer, []heard) {
	t.Helper()
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.at - b.at) })
	b := newJitterBuffer(20*time.Millisecond, 120*time.Millisecond)
	const start = 5 * time.Second
	var out []heard
	end := arrivals[len(arrivals)-1].at + 100*time.Millisecond
	dst := make([]int16, 160)
	i := 0
	for tick := sim.phase; tick < end; tick += 20 * time.Millisecond {
		if tick >= sim.stall[0] && tick < sim.stall[1] {
			continue // nobody reads and nobody ticks
		}
		for ; i < len(arrivals) && arrivals[i].at <= tick; i++ {
			a := arrivals[i]
			now := a.at
			if now >= sim.stall[0] && now < sim.stall[1] {
				now = sim.stall[1]
			}
			ts := sim.ts0 + uint32(160*(a.n-1))
			if sim.tsOf != nil {
				ts = sim.tsOf(a.n)
			}
			var payload [160]byte
			binary.BigEndian.PutUint16(payload[:], uint16(a.n))
			b.put(sim.seq0+uint16(a.n), ts, payload[:], "", seqDecoder{}, start+now)
			clear(payload[:]) // the buffer has a copy
		}
		h := heard{at: tick}
		if n := b.get(dst, seqDecoder{}, start+tick); n > 0 {
			h.n = int(dst[80])
		}
		if h.n > 0 {
			left := time.Duration(float64(h.n-1) * 20e6 * (1 + sim.skew))
			h.delay = tick - left
		}
		out = append(out, h)
	}
	return b, out
}

// summary counts packets that were heard, checks their order, and returns the largest
// delay in a span of time.
func summary(t *testing.T, out []heard, from, to time.Duration) (packets, concealed int, worst time.Duration) {
	t.Helper()
	last := 0
	for _, h := range out {
		if h.at < from || h.at >= to {
			continue
		}
		switch {
		case h.n == -1:
			concealed++
		case h.n > 0:
			if h.n < last {
				t.Errorf("at %v packet %d after %d", h.at, h.n, last)
			}
			if h.n != last {
				packets++
			}
			last = h.n
			worst = max(worst, h.delay)
		}
	}
	return packets, concealed, worst
}

func TestSteadyStreamIsHeardWhole(t *testing.T) {
	for phase := time.Duration(0); phase < 20*time.Millisecond; phase += 3 * time.Millisecond {
		b, out := simulation{seq0: 65500, ts0: 0xffffff00, phase: phase}.run(t, stream(500))
		packets, concealed, worst := summary(t, out, 0, 9900*time.Millisecond)
		if packets < 494 || concealed > 1 || worst > 40*time.Millisecond || b.late > 0 {
			t.Errorf("phase %v: %d packets, %d concealed, delay %v, %d late", phase, packets, concealed, worst, b.late)
		}
	}
}

func TestJitterIsAbsorbed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, spread := range []int{10, 30, 60, 90} {
		in := stream(3000)
		for i := range in {
			in[i].at += time.Duration(rng.IntN(spread*1000)) * time.Microsecond
		}
		b, out := simulation{phase: 7 * time.Millisecond}.run(t, in)
		packets, concealed, worst := summary(t, out, time.Second, time.Hour)
		limit := time.Duration(spread)*time.Millisecond + 60*time.Millisecond
		if packets < 2850 || concealed > 60 || worst > limit {
			t.Errorf("0 to %d ms: %d packets heard, %d concealed, %d late, delay up to %v (limit %v)", spread, packets, concealed, b.late, worst, limit)
		}
	}
}

func TestLossIsConcealedAndOrderRestored(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var in []arrival
	lost := 0
	for _, a := range stream(2000) {
		switch r := rng.IntN(100); {
		case r < 5:
			lost++
			continue
		case r < 10:
			in = append(in, a) // twice
		case r < 20:
			a.at += 25 * time.Millisecond // overtaken
		}
		in = append(in, a)
	}
	b, out := simulation{phase: 3 * time.Millisecond}.run(t, in)
	packets, concealed, worst := summary(t, out, 0, time.Hour)
	if packets < 2000-lost-20 || concealed < lost-20 || concealed > lost+40 || worst > 90*time.Millisecond {
		t.Errorf("%d lost: %d heard, %d concealed, delay %v, %d late, %d twice", lost, packets, concealed, worst, b.late, b.duplicate)
	}
}

// Whether the network or this machine stood still for 300 ms: a second later nothing is left of it.
func TestStallLeavesNoDelay(t *testing.T) {
	network := stream(500)
	for i := range network {
		if at := network[i].at; at >= 3*time.Second && at < 3300*time.Millisecond {
			network[i].at = 3300*time.Millisecond + time.Duration(i)*time.Microsecond
		}
	}
	for name, run := range map[string]func() (*jitterBuffer, []heard){
		"network": func() (*jitterBuffer, []heard) { return simulation{}.run(t, network) },
		"machine": func() (*jitterBuffer, []heard) {
			return simulation{stall: [2]time.Duration{3 * time.Second, 3300 * time.Millisecond}}.run(t, stream(500))
		},
	} {
		_, out := run()
		_, _, before := summary(t, out, 0, 3*time.Second)
		packets, _, after := summary(t, out, 3400*time.Millisecond, time.Hour)
		if after > before+10*time.Millisecond || after > 40*time.Millisecond || packets < 325 {
			t.Errorf("%s: delay %v before, %v after the stall, %d packets", name, before, after, packets)
		}
	}
}

func TestChangeOfPathIsFollowed(t *testing.T) {
	for _, by := range []time.Duration{80 * time.Millisecond, 250 * time.Millisecond, 3 * time.Second} {
		in := stream(1000)
		for i := range in {
			if i >= 250 && i < 700 {
				in[i].at += by
			}
		}
		_, out := simulation{phase: time.Millisecond}.run(t, in)
		packets, _, worst := summary(t, out, 10*time.Second, 14*time.Second)
		if packets < 190 && by < time.Second || worst > by+40*time.Millisecond {
			t.Errorf("longer by %v: %d packets in 4 s, delay %v", by, packets, worst)
		}
		packets, _, worst = summary(t, out, 18*time.Second, 20*time.Second)
		if packets < 98 || worst > 40*time.Millisecond {
			t.Errorf("back from %v: %d packets in 2 s, delay %v", by, packets, worst)
		}
	}
}

func TestDriftIsFollowed(t *testing.T) {
	for _, skew := range []float64{-300e-6, 300e-6} {
		in := stream(30000) // ten minutes, 180 ms apart at the end
		for i := range in {
			in[i].at = time.Duration(float64(i) * 20e6 * (1 + skew))
		}
		b, out := simulation{skew: skew}.run(t, in)
		packets, concealed, worst := summary(t, out, time.Second, time.Hour)
		if worst > 60*time.Millisecond || packets < 29900 || concealed > 40 {
			t.Errorf("skew %v: delay %v, %d packets, %d concealed, %d skipped, %d inserted, %d late", skew, worst, packets, concealed, b.skipped, b.inserted, b.late)
		}
	}
}

func TestTimestampJumpAndSilence(t *testing.T) {
	in := stream(500)
	_, out := simulation{tsOf: func(n int) uint32 {
		ts := uint32(160 * n)
		if n > 250 {
			ts += 1 << 30 // the peer's sound comes from elsewhere now
		}
		return ts
	}}.run(t, in)
	if packets, _, worst := summary(t, out, 0, time.Hour); packets < 495 || worst > 60*time.Millisecond {
		t.Errorf("jump: %d packets, delay %v", packets, worst)
	}
	// A peer that does not send in pauses.
	quietly := slices.DeleteFunc(stream(500), func(a arrival) bool { return a.n > 100 && a.n <= 400 })
	b, out := simulation{tsOf: func(n int) uint32 { return uint32(160 * n) }, seq0: 0}.run(t, quietly)
	packets, concealed, worst := summary(t, out, 0, 9900*time.Millisecond)
	if packets < 194 || concealed > concealFor || worst > 40*time.Millisecond {
		t.Errorf("pause: %d packets, %d concealed, delay %v, %d late", packets, concealed, worst, b.late)
	}
}

func TestJitterBufferDoesNotAllocate(t *testing.T) {
	b := newJitterBuffer(20*time.Millisecond, 120*time.Millisecond)
	payload, dst := make([]byte, 160), make([]int16, 160)
	var dec seqDecoder
	now, n := time.Second, 0
	if a := testing.AllocsPerRun(1000, func() {
		n++
		now += 20 * time.Millisecond
		b.put(uint16(n), uint32(160*n), payload, "", dec, now)
		b.get(dst, dec, now)
	}); a != 0 {
		t.Errorf("%v allocations a packet", a)
	}
}

// FuzzJitterBuffer compares with the simplest rules: only packets that came are heard,
// whole numbers in the order of the stream, and a frame is a frame.
func FuzzJitterBuffer(f *testing.F) {
	f.Add([]byte{1, 0, 10, 1, 2, 0, 10, 1, 3, 0, 200, 1})
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255, 128, 3, 1, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := newJitterBuffer(20*time.Millisecond, 120*time.Millisecond)
		came := map[int16]bool{-1: true, 0: true}
		now := 5 * time.Second
		dst := make([]int16, 160)
		for len(in) >= 4 {
			seq := uint16(in[0])<<(in[1]&7) + 1
			ts := 160 * uint32(seq)
			if in[1]&8 != 0 {
				ts += uint32(in[1]) << 20
			}
			n := int16(seq & 0x7fff)
			var payload [600]byte
			binary.BigEndian.PutUint16(payload[:], uint16(n))
			b.put(seq, ts, payload[:2+int(in[3])*2], "", seqDecoder{}, now)
			came[n] = true
			for range in[3] & 7 {
				if k := b.get(dst, seqDecoder{}, now); k != 0 && k != len(dst) {
					t.Fatalf("%d samples", k)
				} else if k > 0 {
					for _, v := range dst {
						if !came[v] {
							t.Fatalf("packet %d was never put", v)
						}
					}
				}
				now += time.Duration(in[2]) * time.Millisecond
			}
			in = in[4:]
			if b.held < 0 || b.held > jitterSlots {
				t.Fatalf("%d held", b.held)
			}
		}
	})
}
