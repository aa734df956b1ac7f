package call_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// ringer is one destination of a ring-all, with a script by chance.
type ringer struct {
	calls []*calltest.PhoneCall
	mu    sync.Mutex
}

func (r *ringer) add(c *calltest.PhoneCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// TestRingAllFirstAnswerWins rings four phones in 100 random orders of ringing, answering, refusing and saying nothing,
// half of them deaf to CANCEL so that their 200 crosses it: the caller talks to exactly one, the others get
// a CANCEL that says why, or are acknowledged and hung up, and nothing is left ringing.
func TestRingAllFirstAnswerWins(t *testing.T) {
	orders := 100
	if testing.Short() {
		orders = 10
	}
	for seed := range orders {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(seed), 7))
				h := open(t, map[string]string{"100": connectTo(`,"timeout":8000`, "", 1, 2, 3, 4)}, outbound)
				h.net.SetFaults(calltest.Faults{Delay: time.Duration(rnd.IntN(30)) * time.Millisecond})
				var rings ringer
				for n := range 4 {
					// Coarse steps make them meet.
					ring, act := time.Duration(rnd.IntN(4))*20*time.Millisecond, time.Duration(rnd.IntN(5))*20*time.Millisecond
					what := rnd.IntN(8)
					deaf := rnd.IntN(2) == 0
					callee(t, h, byte(n+1), func(p *calltest.PhoneConfig) {
						p.IgnoreCancel = deaf
						p.Accept = func(c *calltest.PhoneCall) {
							rings.add(c)
							time.Sleep(ring)
							c.Ring()
							time.Sleep(act)
							switch {
							case what == 0:
								c.Refuse(486)
							case what == 1: // rings for ever
							default:
								c.Answer()
							}
						}
					})
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				answered := false
				select {
				case <-a.Done():
				case <-time.After(2 * time.Second):
					answered = len(a.Answers()) > 0
				}
				up := 0
				rings.mu.Lock()
				defer rings.mu.Unlock()
				for _, c := range rings.calls {
					select {
					case <-c.Done():
						if reason, cancelled := c.Cancelled(); cancelled && !strings.Contains(reason, "cause=200") && !strings.Contains(reason, "SIP;cause=200") && answered {
							t.Errorf("a CANCEL without its reason: %q", reason)
						}
					default:
						up++
						c.Say(calltest.Tone(700, time.Second))
					}
				}
				switch {
				case answered && up == 1:
					time.Sleep(time.Second)
					if !calltest.Hears(a.Heard(), 700) {
						t.Error("the caller does not hear who answered")
					}
					a.Hangup(t)
				case answered:
					t.Fatalf("%d legs are up beside an answered caller", up)
				}
				a.WaitEnd(t)
				time.Sleep(40 * time.Second)
				for i, c := range rings.calls {
					select {
					case <-c.Done():
					default:
						t.Errorf("phone %d of %d is left in its call", i, len(rings.calls))
					}
				}
				in, out := byDirection(t, h)
				won := 0
				for _, r := range out {
					if r.Status != "hangup" {
						t.Errorf("a leg is left %s", r.Status)
					}
					if r.Code == call.CodeMasterEnded || r.Code == call.CodeFlowEnded {
						won++
					}
				}
				if answered != (won == 1) || len(out) != 4 || len(in.ChainedCallIDs) != 4 {
					t.Errorf("%d of %d legs were connected, the caller answered: %v", won, len(out), answered)
				}
			})
		})
	}
}
