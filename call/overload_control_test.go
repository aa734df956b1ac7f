package call

import (
	"testing"
	"time"
)

// TestOverloadTakesWhatCanBeDone plays a machine that does 1,000 set-ups a second and is offered 2,000: the share that is
// taken settles where the delay stays short, and all is taken again when the load has gone.
func TestOverloadTakesWhatCanBeDone(t *testing.T) {
	o := newOverload(Overload{})
	now := time.Unix(1000, 0)
	backlog := time.Duration(0) // of work
	worst := time.Duration(0)
	offer := func(perSecond int, d time.Duration) (taken, refused int) {
		step := time.Second / time.Duration(perSecond)
		for end := now.Add(d); now.Before(end); now = now.Add(step) {
			backlog = max(backlog-step, 0)
			worst = max(worst, backlog)
			ok, after := o.take(now, backlog)
			if !ok {
				if after < DefaultRetryAfter || after >= 2*DefaultRetryAfter {
					t.Fatalf("Retry-After is %v", after)
				}
				backlog += 20 * time.Microsecond
				refused++
				continue
			}
			taken++
			o.begin(now, backlog)
			o.end()
			backlog += time.Millisecond
		}
		return taken, refused
	}
	if _, refused := offer(900, 10*time.Second); refused != 0 {
		t.Errorf("%d calls are refused without need", refused)
	}
	worst = 0
	taken, refused := offer(2000, 10*time.Second)
	if taken < 8500 || taken > 10200 || worst > 300*time.Millisecond {
		t.Errorf("in ten seconds of twice the load %d are taken and %d refused, the longest wait is %v", taken, refused, worst)
	}
	if s := o.stats(); s.Refused != uint64(refused) || s.Share >= 1 {
		t.Errorf("%+v", s)
	}
	worst = 0
	if taken, _ := offer(10000, 10*time.Second); taken < 6000 || worst > 600*time.Millisecond {
		t.Errorf("of ten times the load %d are taken, the longest wait is %v", taken, worst)
	}
	offer(500, 3*time.Second)
	if _, refused := offer(900, 10*time.Second); refused != 0 {
		t.Errorf("%d calls are refused after the load has gone", refused)
	}
}

// TestOverloadForgivesStalls: one stall, as of a garbage collection, refuses nobody; neither do few calls that are late.
func TestOverloadForgivesStalls(t *testing.T) {
	o := newOverload(Overload{})
	now := time.Unix(1000, 0)
	for i := range 10000 {
		now = now.Add(time.Millisecond)
		waited := time.Duration(0)
		if i%500 < 60 { // 60 ms of 500
			waited = 80 * time.Millisecond
		}
		if ok, _ := o.take(now, waited); !ok {
			t.Fatalf("call %d is refused", i)
		}
	}
	off := newOverload(Overload{MaxDelay: -1, MaxSetups: -1})
	for range 10000 {
		now = now.Add(time.Millisecond)
		if ok, _ := off.take(now, time.Hour); !ok {
			t.Fatal("refused, though nothing matters")
		}
		off.begin(now, time.Hour)
	}
}
