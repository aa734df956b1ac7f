package rtp

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

// pressed is what a peer heard of one key.
type pressed struct {
	event    byte
	packets  int
	ends     int
	duration uint16
	marks    int
}

// presses reads the key presses in what a caller heard, and checks their form.
func (c *caller) presses() (out []pressed) {
	c.w.t.Helper()
	var last uint32
	for _, g := range c.heard {
		if g.payloadType != 101 {
			continue
		}
		if len(out) == 0 || g.time != last {
			out = append(out, pressed{event: g.payload[0]})
			last = g.time
		}
		p := &out[len(out)-1]
		p.packets++
		d := binary.BigEndian.Uint16(g.payload[2:])
		if d < p.duration || g.payload[0] != p.event {
			c.w.t.Errorf("key %d lasts %d after %d of key %d", g.payload[0], d, p.duration, p.event)
		}
		p.duration = d
		if g.payload[1]&0x80 != 0 {
			p.ends++
		}
		if g.marker {
			p.marks++
		}
	}
	return out
}

func TestSendDigits(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		_, a, b := w.pair("0 101", "0 101")
		a.talk(stamped)
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		if err := b.leg.SendDigits(t.Context(), "1D*#", 100*time.Millisecond, 60*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 580*time.Millisecond {
			t.Errorf("four keys took %v", took)
		}
		time.Sleep(100 * time.Millisecond)
		a.end()
		b.listen()
		b.checkStream("b", 6)
		got := b.presses()
		if len(got) != 4 {
			t.Fatalf("pressed %+v", got)
		}
		for i, p := range got {
			if p.event != []byte{1, 15, 10, 11}[i] || p.ends != 3 || p.duration != 800 || p.packets != 8 || p.marks != 1 {
				t.Errorf("key %d: %+v", i, p)
			}
		}
		for i, g := range b.heard {
			if i > 0 && g.payloadType == 0 && b.heard[i-1].payloadType == 101 && b.heard[i-1].payload[1]&0x80 == 0 {
				t.Error("sound was sent while a key was down")
			}
		}
	})
}

func TestSendDigitsEnds(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		_, _, b := w.pair("0 101", "0 101")
		why := errors.New("no more")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(70*time.Millisecond, func() { cancel(why) })
		first := make(chan error, 1)
		go func() { first <- b.leg.SendDigits(ctx, "123", 50*time.Millisecond, 0) }()
		time.Sleep(time.Millisecond)
		if err := b.leg.SendDigits(t.Context(), "4", 0, 0); err != nil {
			t.Errorf("after another one: %v", err)
		}
		if err := <-first; !errors.Is(err, why) {
			t.Errorf("canceled: %v", err)
		}
		b.listen()
		if p := b.presses(); len(p) != 2 || p[0].event != 1 || p[1].event != 4 || p[0].ends != 3 || p[1].ends != 3 || p[1].duration != 320 {
			t.Errorf("pressed %+v", p)
		}
		if err := b.leg.SendDigits(t.Context(), "1x", 0, 0); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("no key: %v", err)
		}
		go func() { first <- b.leg.SendDigits(t.Context(), "5", time.Hour, 0) }()
		time.Sleep(100 * time.Millisecond)
		b.leg.Close()
		if err := <-first; !errors.Is(err, media.ErrClosed) {
			t.Errorf("closed while a key is down: %v", err)
		}
		if err := b.leg.SendDigits(t.Context(), "5", 0, 0); !errors.Is(err, media.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A key that is down stays so while its leg moves to another shard.
func TestKeyIsHeldOverAMove(t *testing.T) {
	inThreads(t, 2, func(w *world) {
		t := w.t
		a, b := w.newCaller(11, "0 101"), w.newCaller(12, "0 101")
		done := make(chan error, 1)
		go func() { done <- b.leg.SendDigits(t.Context(), "9", 400*time.Millisecond, 0) }()
		time.Sleep(105 * time.Millisecond)
		br := media.NewBridge(media.BridgeOptions{})
		defer br.Close()
		for _, c := range []*caller{a, b} {
			if err := br.Join(c.leg.Port()); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.listen()
		if p := b.presses(); len(p) != 1 || p[0].ends != 3 || p[0].duration != 3200 || p[0].packets != 23 {
			t.Errorf("pressed %+v", p)
		}
	})
}
