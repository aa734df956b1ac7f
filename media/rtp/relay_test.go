package rtp

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

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
