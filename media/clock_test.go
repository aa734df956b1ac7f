package media

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestTimersFireInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shards := NewShards(ShardsConfig{N: 1, Portable: true})
	sh := shards.Pick()
	var fired, want []time.Duration
	timers := make([]*Timer, 200)
	for i := range timers {
		tm := &Timer{}
		tm.Fire = func() { fired = append(fired, tm.at) }
		timers[i] = tm
		sh.SetTimer(tm, time.Duration(rng.IntN(1000)))
	}
	for i, tm := range timers {
		switch i % 3 {
		case 0:
			sh.StopTimer(tm)
			sh.StopTimer(tm)
		case 1:
			sh.SetTimer(tm, time.Duration(rng.IntN(1000)))
			want = append(want, tm.at)
		default:
			want = append(want, tm.at)
		}
	}
	slices.Sort(want)
	if got := sh.clock.next(); got != want[0] {
		t.Errorf("next %v, want %v", got, want[0])
	}
	sh.clock.run(499)
	sh.clock.run(2000)
	if !slices.Equal(fired, want) {
		t.Errorf("fired %v\nwant  %v", fired, want)
	}
	if got := sh.clock.next(); got >= 0 {
		t.Errorf("an empty clock wants to wake at %v", got)
	}
}

func TestPortsSpreadOverSlots(t *testing.T) {
	c := &clock{}
	var beats [40]beat
	for i := range beats {
		beats[i].slot = -1
		c.settle(&beats[i])
	}
	for slot, n := range c.settled {
		if n != 2 {
			t.Errorf("slot %d has %d of 40", slot, n)
		}
	}
	slot := beats[7].slot
	c.unsettle(&beats[7])
	if c.settle(&beats[7]); beats[7].slot != slot {
		t.Errorf("settled in %d, want %d, the only free one", beats[7].slot, slot)
	}
}

func TestLatenessQuantiles(t *testing.T) {
	var h lateness
	for us := range 10000 {
		h.add(time.Duration(us) * time.Microsecond)
	}
	st := h.stats()
	for _, q := range []struct {
		got  time.Duration
		want float64
	}{{st.P50, 5000}, {st.P99, 9900}} {
		if us := float64(q.got.Microseconds()); us < q.want*0.99 || us > q.want*1.13 {
			t.Errorf("quantile %v, want %v us and up to 13 %% more", q.got, q.want)
		}
	}
	if st.Max != 9999*time.Microsecond || st.Ticks != 10000 {
		t.Errorf("%+v", st)
	}
	h.add(-time.Second)
	h.add(1000 * time.Hour)
	for us := uint64(0); us < 1<<20; us = us*9/8 + 1 {
		if b := bucketOf(us); bucketTop(b) < time.Duration(us)*time.Microsecond || b > 0 && bucketTop(b-1) >= time.Duration(us)*time.Microsecond {
			t.Errorf("%d us is in bucket %d, which ends at %v", us, b, bucketTop(b))
		}
	}
}
