package call_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestMustHave14Groupcall: ring_all rings all at once, linear one after the other, and the first answer wins.
func TestMustHave14Groupcall(t *testing.T) {
	for _, method := range []string{store.RingAll, store.RingLinear} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, outbound)
				rung := make(chan time.Duration, 3)
				begun := time.Now()
				legs := make(chan *calltest.PhoneCall, 3)
				for n := range 3 {
					callee(t, h, byte(n+1), accepting(func(c *calltest.PhoneCall) {
						rung <- time.Since(begun)
						c.Ring()
						if legs <- c; n == 1 {
							time.Sleep(time.Second)
							c.Answer()
						}
					}))
				}
				var s stay
				g, err := h.Groupcall(t.Context(), call.GroupcallOptions{
					Destinations: phones(1, 2, 3), Flow: s.program(), RingMethod: method, AnswerMethod: store.AnswerHangupOthers, RingTimeout: 3 * time.Second,
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				r := g.Record()
				if r.AnswerCallID != r.CallIDs[1] || !slices.Equal(s.ran(), []string{r.AnswerCallID}) || r.CallCount != 1 {
					t.Errorf("%+v, ran on %v", r, s.ran())
				}
				first, second := <-rung, <-rung
				want := 3
				if method == store.RingLinear {
					want = 2 // the third is never dialled
				}
				if together := second-first < 100*time.Millisecond; together != (method == store.RingAll) || len(r.CallIDs) != want {
					t.Errorf("rung after %v and %v, %d calls", first, second, len(r.CallIDs))
				}
				if _, cancelled := (<-legs).Cancelled(); method == store.RingLinear && !cancelled {
					t.Error("who does not answer is not given up")
				}
				g.Hangup()
				<-g.Done()
				if stored, err := h.store.Groupcall(t.Context(), g.ID()); err != nil || stored.Status != store.GroupcallHangup || stored.RingMethod != method {
					t.Errorf("%+v, %v", stored, err)
				}
			})
		})
	}
}
