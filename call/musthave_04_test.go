package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestMustHave04Outgoing: dialled, rung, and only after the answer the flow runs; why a call fails is in its record.
func TestMustHave04Outgoing(t *testing.T) {
	for name, tc := range map[string]struct {
		accept func(*calltest.PhoneCall)
		reason string
		code   int
	}{
		"answered":    {func(c *calltest.PhoneCall) { c.Ring(); time.Sleep(3 * time.Second); c.Answer() }, "normal", 200},
		"busy":        {func(c *calltest.PhoneCall) { c.Ring(); c.Refuse(486) }, "busy", 486},
		"declined":    {func(c *calltest.PhoneCall) { c.Ring(); c.Refuse(603) }, "noanswer", 603},
		"not there":   {func(c *calltest.PhoneCall) { c.Refuse(480) }, "noanswer", 480},
		"unknown":     {func(c *calltest.PhoneCall) { c.Refuse(404) }, "failed", 404},
		"not in time": {func(c *calltest.PhoneCall) { c.Ring() }, "dialout", 487},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, outbound)
				callee(t, h, 1, accepting(tc.accept))
				var s stay
				c, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Flow: s.program(), RingTimeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if tc.code == 200 {
					if r := c.Record(); r.Status != store.StatusRinging || len(s.ran()) != 0 {
						t.Errorf("while it rings: %s, ran %v", r.Status, s.ran())
					}
					time.Sleep(2 * time.Second)
					if r := c.Record(); r.Status != store.StatusProgressing || len(s.ran()) != 1 {
						t.Errorf("after the answer: %s, ran %v", r.Status, s.ran())
					}
					c.StopFlow()
				}
				<-c.Done()
				r, err := h.store.Call(t.Context(), c.ID())
				if err != nil || r.HangupReason != tc.reason || r.SIPCode != tc.code || r.Code == "" || r.Sentence == "" {
					t.Errorf("%v, %+v", err, r)
				}
				if tc.code != 200 && len(s.ran()) != 0 {
					t.Error("the flow runs on a call that nobody answered")
				}
			})
		})
	}
}
