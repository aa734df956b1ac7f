package call_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
)

// TestRefer: the program moves a call away, and is told what becomes of it; the record says transferred when the peer has gone.
func TestRefer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`}, outbound)
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		c := h.up(t)
		var progress []int
		type result struct {
			got call.Referred
			err error
		}
		done := make(chan result, 1)
		go func() {
			got, err := c.Refer(t.Context(), call.ReferOptions{
				Destination: address.Address{Type: address.TypeSIP, Target: "carol@10.0.1.9"},
				OnProgress:  func(status int, _ string) { progress = append(progress, status) },
			})
			done <- result{got, err}
		}()
		time.Sleep(time.Second)
		if got := p.ReferredTo(); !slices.Equal(got, []string{"<sip:carol@10.0.1.9>"}) {
			t.Errorf("it is referred to %q", got)
		}
		for _, line := range []string{"100 Trying", "180 Ringing"} {
			if got := p.Notify(t, line, "active;expires=60"); got != 200 {
				t.Errorf("NOTIFY gets %d", got)
			}
		}
		if got := p.Notify(t, "200 OK", "terminated;reason=noresource"); got != 200 {
			t.Errorf("NOTIFY gets %d", got)
		}
		if r := <-done; r.err != nil || r.got.Status != 200 || r.got.Reason != "OK" {
			t.Errorf("%+v", r)
		}
		if got := p.Notify(t, "200 OK", "terminated"); got != 481 {
			t.Errorf("one NOTIFY more gets %d", got)
		}
		if !slices.Equal(progress, []int{202, 100, 180}) {
			t.Errorf("progress %v", progress)
		}
		p.Hangup(t)
		if r := h.records(t)[0]; r.Code != call.CodeTransferred || r.HangupBy != "remote" {
			t.Errorf("%+v", r)
		}
	})
}

// TestReferFails: a peer that refuses, what the policy does not let out, calls that are not up, a peer that hangs up in the middle.
func TestReferFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`, "101": `[{"type":"sleep","option":{"duration":60000}}]`}, outbound)
		carol := call.ReferOptions{Destination: address.Address{Type: address.TypeSIP, Target: "carol@10.0.1.9"}}
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Referred: 603}).Dial(t, "100")
		time.Sleep(time.Second)
		c := h.up(t)
		var refused *call.ReferError
		if _, err := c.Refer(t.Context(), carol); !errors.As(err, &refused) || refused.Status != 603 {
			t.Errorf("a peer that refuses: %v", err)
		}
		var policy *call.Refusal
		if _, err := c.Refer(t.Context(), call.ReferOptions{Destination: address.Address{Type: address.TypeSIP, Target: "carol@10.7.7.7"}}); !errors.As(err, &policy) || policy.Code != call.CodeOutboundDenied {
			t.Errorf("outside of the policy: %v", err)
		}
		if _, err := c.Refer(t.Context(), call.ReferOptions{With: c}); err == nil {
			t.Error("a call is referred to itself")
		}
		p.Hangup(t)
		<-c.Done()
		if _, err := c.Refer(t.Context(), carol); err == nil {
			t.Error("a call that is over is referred")
		}
		q := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "101")
		time.Sleep(time.Second)
		if _, err := h.up(t).Refer(t.Context(), carol); err == nil {
			t.Error("a call that rings is referred")
		}
		q.Cancel()
		q.WaitEnd(t)
		time.Sleep(time.Second)
		s := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		done := make(chan error, 1)
		go func() {
			_, err := h.up(t).Refer(t.Context(), carol)
			done <- err
		}()
		time.Sleep(time.Second)
		s.Hangup(t)
		if err := <-done; err == nil {
			t.Error("a call that has ended has a result")
		}
	})
}

// TestReferWith: an attended transfer out of the engine names the other call as its peer knows it.
func TestReferWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		first := h.up(t)
		q := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "bob"}).Dial(t, "100")
		time.Sleep(time.Second)
		var second *call.Call
		for c := range h.Calls() {
			if c != first {
				second = c
			}
		}
		go func() { _, _ = first.Refer(t.Context(), call.ReferOptions{With: second}) }() // the phone never tells
		time.Sleep(time.Second)
		got := p.ReferredTo()
		if len(got) != 1 {
			t.Fatalf("%q", got)
		}
		if want := q.Reference(); got[0] != want {
			t.Errorf("it is referred to %q, want %q", got[0], want)
		}
		p.Hangup(t)
		q.Hangup(t)
	})
}
