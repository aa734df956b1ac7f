package rtp

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

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
