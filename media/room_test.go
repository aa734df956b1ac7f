package media

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// toneLine is the line of a peer that says one tone, and keeps what it hears.
type toneLine struct {
	shard *Shard
	port  *Port
	hz    float64 // 0: it sends silent frames; negative: none at all
	amp   float64
	rate  int
	at    int

	forward PacketWriter
	keys    KeyWriter
	heard   []int16
	frames  []uint64
	shared  int // payloads that were encoded elsewhere
	packets int
	pulled  bool
	listen  bool
}

func (l *toneLine) WritePacket(*Packet) { l.packets++ }

func (l *toneLine) WriteKey(*Key) bool { return true }

func (l *toneLine) ForwardKeys(w KeyWriter) { l.keys = w }

func (l *toneLine) Detach() { l.shard = nil }

func (l *toneLine) Attach(s *Shard) { l.shard = s }

func (l *toneLine) Forward(w PacketWriter, _ bool) { l.forward = w }

func (l *toneLine) Listen(on bool) { l.listen = on }

func (l *toneLine) Pull(on bool) { l.pulled = on }

func (l *toneLine) Receive() {}

func (l *toneLine) WriteFrame(n uint64, pcm []int16) { l.keep(n, pcm) }

func (l *toneLine) WriteEncoded(n uint64, pay []byte) { l.shared++; l.keep(n, decodeTest(pay)) }

func (l *toneLine) keep(n uint64, pcm []int16) {
	l.heard, l.frames = append(l.heard, pcm...), append(l.frames, n)
}

func (l *toneLine) ReadFrame(_ uint64, dst []int16) (int, bool) {
	if l.hz < 0 {
		return 0, false
	}
	for i := range dst {
		dst[i] = 0
		if l.hz > 0 {
			dst[i] = int16(l.amp * 32767 * math.Sin(2*math.Pi*l.hz*float64(l.at)/float64(l.rate)))
		}
		l.at++
	}
	return len(dst), false
}

// encodeTest is a codec that keeps 16 bits.
func encodeTest(dst []byte, pcm []int16) (int, error) {
	for i, v := range pcm {
		dst[2*i], dst[2*i+1] = byte(v>>8), byte(v)
	}
	return 2 * len(pcm), nil
}

func decodeTest(b []byte) []int16 {
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(b[2*i])<<8 | int16(b[2*i+1])
	}
	return pcm
}

// room is a bubble with shards and toneLines.
type room struct {
	t      *testing.T
	shards *Shards
	lines  []*toneLine
}

func inRoom(t *testing.T, shards int, f func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, shards: NewShards(ShardsConfig{N: shards, Portable: true, Logger: slog.New(slog.DiscardHandler)})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.shards.Run(ctx) }()
		time.Sleep(300 * time.Microsecond) // ticks are at whole milliseconds, what tests do is not
		f(r)
		for _, l := range r.lines {
			l.port.Close()
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// phone makes a line whose packets fit no other one.
func (r *room) phone(hz float64, rate int) *toneLine {
	sh := r.shards.all[len(r.lines)%len(r.shards.all)]
	l := &toneLine{shard: sh, hz: hz, amp: 0.02, rate: rate}
	l.port = NewPort(sh, l, rate)
	sh.Do(func() {
		l.port.SetFormat(&Format{Codec: "TEST", Rate: rate, Span: FrameDuration + time.Duration(len(r.lines)), Stateless: true, NewEncoder: func() EncodeFunc { return encodeTest }})
	})
	r.lines = append(r.lines, l)
	return l
}

func (r *room) join(b *Bridge, lines ...*toneLine) {
	r.t.Helper()
	for _, l := range lines {
		if err := b.Join(l.port); err != nil {
			r.t.Fatal(err)
		}
	}
}

// forget makes the lines forget what they heard until now.
func (r *room) forget() {
	for _, l := range r.lines {
		l.port.Do(func() { l.heard, l.frames, l.shared, l.packets = nil, nil, 0, 0 })
	}
}

// amplitude of a tone in what l heard.
func (l *toneLine) amplitude(hz float64) (amp float64) {
	l.port.Do(func() { amp = goertzel(l.heard, l.rate, hz) })
	return amp
}

// goertzel is media/tone's, which imports this package.
func goertzel(pcm []int16, rateHz int, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	c := 2 * math.Cos(2*math.Pi*hz/float64(rateHz))
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	return 2 * math.Sqrt(max(0, s1*s1+s2*s2-c*s1*s2)) / float64(len(pcm)) / 32768
}

// checkTones fails unless each line hears exactly those of hears.
func (r *room) checkTones(hears func(who, whom int) bool) {
	r.t.Helper()
	for i, l := range r.lines {
		for k, o := range r.lines {
			if o.hz <= 0 {
				continue
			}
			got, want := l.amplitude(o.hz), 0.0
			if hears(i, k) {
				want = o.amp
			}
			if math.Abs(got-want) > 0.1*o.amp {
				r.t.Errorf("line %d hears %v Hz of line %d at %.4f, want %.4f", i, o.hz, k, got, want)
			}
		}
	}
}

// checkFrames fails unless there are n frames that follow each other.
func checkFrames(t *testing.T, frames []uint64, n int) {
	t.Helper()
	if len(frames) != n {
		t.Errorf("%d frames, want %d", len(frames), n)
	}
	for i := 1; i < len(frames); i++ {
		if frames[i] != frames[i-1]+1 {
			t.Errorf("frame %d follows %d", frames[i], frames[i-1])
			return
		}
	}
}

func sine(hz float64, rate, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}
