package calltest

import (
	"fmt"
	"time"

	"github.com/callbin/callbin/flow/flowtest"
)

// leastHeard is how long a sound has to last before it is missed: what Hears listens to at once.
const leastHeard = 200 * time.Millisecond

// slack is how much later than it was played a sound may be heard, or earlier by the clock of the phone.
const slack = 150 * time.Millisecond

// unheard tells which sounds of events the phone did not hear when they were played. Each has tones of its own.
func (c *scripted) unheard(events []flowtest.Event) (missed []error) {
	packets := c.phone.Packets()
	pcm := c.phone.Heard()
	start := c.world.Start()
	for i, e := range events {
		if e.Kind != flowtest.KindSound || flowtest.IsOver(e.Text) {
			continue
		}
		end, ok := soundEnd(events[i+1:])
		if !ok || end-e.At < leastHeard {
			continue
		}
		part := pcm
		if len(packets) > 0 {
			first := packets[0].At.Sub(start)
			part = between(pcm, e.At-first-slack, end-first+slack)
		}
		for _, hz := range []float64{flowtest.PitchOf(e.Text).Low, flowtest.PitchOf(e.Text).High} {
			if !Hears(part, hz) {
				missed = append(missed, fmt.Errorf("calltest: %s was played from %s to %s, but the caller did not hear its %g Hz", e.Text, e.At, end, hz))
				break
			}
		}
	}
	return missed
}

// soundEnd is when the sound before events is over: at the next one's begin, or its own end.
func soundEnd(events []flowtest.Event) (time.Duration, bool) {
	for _, e := range events {
		if e.Kind == flowtest.KindSound {
			return e.At, true
		}
	}
	return 0, false
}

func between(pcm []int16, from, to time.Duration) []int16 {
	at := func(d time.Duration) int { return min(max(0, int(d.Milliseconds())*8), len(pcm)) }
	return pcm[at(from):at(to)]
}
