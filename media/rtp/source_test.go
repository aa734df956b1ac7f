package rtp

import (
	"math"
	"testing"
	"time"
)

func TestSourceCounts(t *testing.T) {
	var s source
	take := func(ssrc uint32, seq uint16, want verdict) {
		t.Helper()
		if got := s.take(ssrc, seq, time.Second); got != want {
			t.Errorf("ssrc %d seq %d: verdict %d, want %d", ssrc, seq, got, want)
		}
	}
	take(1, 65534, began)
	take(1, 65535, accepted)
	take(1, 1, accepted) // around, one missing
	take(1, 1, duplicate)
	take(1, 0, accepted) // overtaken
	take(1, 0, duplicate)
	take(1, 65535, duplicate)
	take(1, 65533, refused) // before the first
	take(1, 5, accepted)    // 2, 3, 4 missing
	if s.lost() != 3 || s.duplicates != 3 || s.reordered != 1 || s.expected() != 8 {
		t.Errorf("lost %d, duplicates %d, reordered %d, expected %d", s.lost(), s.duplicates, s.reordered, s.expected())
	}
	b := s.report()
	if b.lost != 3 || b.fraction != 3*256/8 || b.highest != 1<<16+5 {
		t.Errorf("report %+v", b)
	}
	if b = s.report(); b.fraction != 0 {
		t.Errorf("second report %+v", b)
	}
	take(1, 30000, refused) // a jump has to be confirmed
	take(1, 30001, began)
	take(2, 7, refused) // so has another SSRC while this one is alive
	take(1, 30002, accepted)
	take(2, 8, refused)
	take(2, 9, began)
	if s.lost() != 3 || s.restarts != 2 {
		t.Errorf("lost %d after %d restarts", s.lost(), s.restarts)
	}
	if got := s.take(3, 1, 2*time.Second); got != began {
		t.Errorf("another SSRC after silence: %d", got)
	}
}

// RFC 3550 A.8 with a constant |D| of 10 ms converges to 80 units of 8 kHz.
func TestJitterOfRFC3550(t *testing.T) {
	var s source
	for i := range 500 {
		s.measure(int64(160*i+80*(i%2)), uint32(160*i)-40000)
	}
	if math.Abs(s.jitter-80) > 0.5 {
		t.Errorf("jitter %v", s.jitter)
	}
}

func TestMOS(t *testing.T) {
	for _, tc := range []struct {
		loss     float64
		delay    time.Duration
		min, max float64
	}{
		{0, 20 * time.Millisecond, 4.39, 4.42}, // R = 93.2: the best of narrow band
		{0.01, 50 * time.Millisecond, 4.2, 4.35},
		{0.05, 50 * time.Millisecond, 3.6, 4.0},
		{0, 400 * time.Millisecond, 3.0, 3.8},
		{0.5, time.Second, 1, 1.3},
	} {
		if got := mos(tc.loss, tc.delay); got < tc.min || got > tc.max {
			t.Errorf("loss %v delay %v: %.2f, want %v to %v", tc.loss, tc.delay, got, tc.min, tc.max)
		}
	}
}
