package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestMustHave13Chain: one call makes others, which run flows of their own; those that are chained end with it, also those of those.
func TestMustHave13Chain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},
			{"type":"call","option":{"chained":true,"destinations":[{"type":"sip","target":"b1@10.0.1.1"},{"type":"sip","target":"b2@10.0.1.2"}],
				"actions":[{"type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"sleep","option":{"duration":60000}}]}},
			{"type":"call","option":{"destinations":[{"type":"sip","target":"b3@10.0.1.3"}],"actions":[{"type":"sleep","option":{"duration":20000}}]}},
			{"type":"sleep","option":{"duration":60000}}]`}, outbound)
		var legs []*calltest.PhoneCall
		phones := []*calltest.Phone{callee(t, h, 1), callee(t, h, 2), callee(t, h, 3), callee(t, h, 4)}
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		for _, p := range phones[:3] {
			b := p.WaitCall(t)
			b.Answer()
			legs = append(legs, b)
		}
		time.Sleep(2 * time.Second)
		var first *call.Call
		for c := range h.Calls() {
			if r := c.Record(); r.Destination.Target == "b1@10.0.1.1" {
				first = c
			}
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b4@10.0.1.4"), MasterCallID: first.ID(), Flow: (&stay{}).program()}); err != nil {
			t.Fatal(err)
		}
		below := phones[3].WaitCall(t)
		below.Answer()
		time.Sleep(time.Second)
		a.Hangup(t)
		begun := time.Now()
		for _, c := range []*calltest.PhoneCall{legs[0], legs[1], below} {
			c.WaitEnd(t)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the chain ended %v later", took)
		}
		legs[2].WaitEnd(t)
		if took := time.Since(begun); took < 10*time.Second {
			t.Errorf("the call that is not chained ended %v later", took)
		}
		if !calltest.Hears(legs[0].Heard(), 700) || !calltest.Hears(legs[1].Heard(), 700) {
			t.Error("the new calls do not run their flow")
		}
		in, out := byDirection(t, h)
		byID := map[string]store.Call{in.ID: in}
		for _, r := range out {
			byID[r.ID] = r
		}
		if len(in.ChainedCallIDs) != 2 || byID[in.ChainedCallIDs[0]].MasterCallID != in.ID || byID[in.ChainedCallIDs[1]].Code != call.CodeMasterEnded {
			t.Errorf("%+v\n%+v", in, out)
		}
	})
}
