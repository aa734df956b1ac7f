package rtp

import (
	"fmt"
	"testing"
	"time"
)

type eventPacket struct {
	ts      uint32
	payload []byte
	at      time.Duration
}

// pressPackets is one key press: 6 updates each 20 ms, then the end three times.
func pressPackets(event byte, ts uint32, at time.Duration) []eventPacket {
	var out []eventPacket
	for i := 1; i <= 6; i++ {
		d := 160 * i
		out = append(out, eventPacket{ts, []byte{event, 10, byte(d >> 8), byte(d)}, at + time.Duration(i)*20*time.Millisecond})
	}
	for range 3 {
		out = append(out, eventPacket{ts, []byte{event, 0x80 | 10, 1120 >> 8, 1120 & 0xff}, at + 140*time.Millisecond})
	}
	return out
}

func feed(d *digits, packets []eventPacket) string {
	got := ""
	for _, p := range packets {
		if e, down, ok := d.packet(1, p.ts, p.payload, p.at); ok && down {
			got += digitNames[e : e+1]
		}
	}
	return got
}

// Every subset of the packets of a press but the empty one is the same press, also
// beside other presses of the same key.
func TestDigitSurvivesEveryLoss(t *testing.T) {
	for _, keys := range []string{"5", "55", "1*1", "##D0"} {
		n := len(pressPackets(0, 0, 0))
		for subset := 1; subset < 1<<n; subset++ {
			var packets []eventPacket
			for i, k := range []byte(keys) {
				at := time.Duration(i) * 200 * time.Millisecond
				for j, p := range pressPackets(byte(indexOf(k)), uint32(1600*i)-800, at) {
					if subset>>j&1 != 0 {
						packets = append(packets, p)
					}
				}
			}
			if got := feed(&digits{}, packets); got != keys {
				t.Fatalf("%s with packets %0*b of each press: got %q", keys, n, subset, got)
			}
		}
	}
}

func indexOf(key byte) int {
	for i := range digitNames {
		if digitNames[i] == key {
			return i
		}
	}
	panic(fmt.Sprintf("no key %q", key))
}

func TestDigitInAnyOrder(t *testing.T) {
	a, b := pressPackets(1, 0, 0), pressPackets(2, 1600, 200*time.Millisecond)
	mixed := append(append([]eventPacket{}, a[:5]...), b...)
	mixed = append(mixed, a[5:]...) // the end of 1 comes after 2
	if got := feed(&digits{}, mixed); got != "12" {
		t.Errorf("end overtaken: got %q", got)
	}
	d := &digits{}
	for i := range 20 {
		feed(d, pressPackets(3, uint32(1600*i), 0))
	}
	if got := feed(d, a); got != "" {
		t.Errorf("a straggler from long ago counts: %q", got)
	}
	if got := feed(d, []eventPacket{{1 << 20, []byte{16, 0, 0, 0}, 0}, {1 << 20, []byte{1, 0}, 0}, {1 << 20, nil, 0}}); got != "" {
		t.Errorf("flash or short payloads count: %q", got)
	}
}

func TestLongPressIsOnePress(t *testing.T) {
	var packets []eventPacket
	ts, d := uint32(1000), 0
	for at := time.Duration(0); at < 20*time.Second; at += 50 * time.Millisecond {
		if d += 400; d > 0xffff { // a new segment (RFC 4733 2.5.1.3)
			packets = append(packets, eventPacket{ts, []byte{9, 10, 0xff, 0xff}, at})
			ts, d = ts+0xffff, d-0xffff
		}
		packets = append(packets, eventPacket{ts, []byte{9, 10, byte(d >> 8), byte(d)}, at})
	}
	dg := &digits{}
	if got := feed(dg, packets); got != "9" {
		t.Errorf("got %q", got)
	}
	if got := dg.length(8000); got < 19900*time.Millisecond || got > 20*time.Second {
		t.Errorf("length %v", got)
	}
}

func FuzzDigits(f *testing.F) {
	f.Add([]byte{1, 0, 0, 160, 1, 0x80, 1, 0, 2, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &digits{}
		presses := map[press]bool{}
		for i := 0; i+4 <= len(b); i += 4 {
			p := press{1, uint32(b[i+1] & 3), b[i] & 0x1f} // few enough to be remembered
			if _, down, ok := d.packet(p.ssrc, p.time, b[i:i+4], 0); down {
				if !ok || b[i] >= 16 {
					t.Fatalf("event %d is a digit", b[i])
				}
				if len(presses) < 8 && presses[press{1, p.time, b[i]}] {
					t.Fatalf("%+v twice", p)
				}
				presses[press{1, p.time, b[i]}] = true
			}
		}
	})
}
