package rtp

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

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
			step := g.time - last.time
			// Where a real machine is held up, the clock leaves frames out, and a talkspurt begins.
			skipped := w.net == nil && i > 0 && step > 160 && step%160 == 0
			if g.marker != (i == 0 || skipped) || g.seq != last.seq+1 || i > 0 && step != 160 && !skipped {
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
