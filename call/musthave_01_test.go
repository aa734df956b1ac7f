package call_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// statuses are those that each call went through, as its events tell.
func (h *house) statuses() map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string][]string{}
	for _, e := range h.events {
		if c, ok := e.Data.(store.Call); ok {
			if s := all[c.ID]; len(s) == 0 || s[len(s)-1] != c.Status {
				all[c.ID] = append(s, c.Status)
			}
		}
	}
	return all
}

// TestMustHave01CallIsALeg: A to B are two calls, each with its own ends, statuses and reason.
func TestMustHave01CallIsALeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+16062067563"}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Ring()
		time.Sleep(time.Second)
		b.Answer()
		a.WaitAnswer(t)
		time.Sleep(time.Second)
		b.Hangup(t)
		a.WaitEnd(t)
		in, out := byDirection(t, h)
		if len(out) != 1 {
			t.Fatalf("%d outgoing calls", len(out))
		}
		b1 := out[0]
		if in.ID == b1.ID || in.Source != (address.Address{Type: address.TypeTel, Target: "+16062067563"}) || !strings.HasPrefix(in.Destination.Target, "100") ||
			b1.Destination.Target != "b1@10.0.1.1" || b1.Source.Target != "+16062067563" {
			t.Errorf("ends: %+v\n%+v", in, b1)
		}
		if b1.HangupBy != "remote" || b1.HangupReason != "normal" || in.HangupBy != "local" || in.HangupReason != "normal" {
			t.Errorf("B ended by %s %s, A by %s %s", b1.HangupBy, b1.HangupReason, in.HangupBy, in.HangupReason)
		}
		got := h.statuses()
		if want := []string{"dialing", "ringing", "progressing", "terminating", "hangup"}; !slices.Equal(got[in.ID], want) {
			t.Errorf("A went through %v", got[in.ID])
		}
		if want := []string{"dialing", "ringing", "progressing", "hangup"}; !slices.Equal(got[b1.ID], want) {
			t.Errorf("B went through %v", got[b1.ID])
		}
	})
}

// TestMustHave01GivenUp: an attempt that we give up is canceling, and its reason cancel.
func TestMustHave01GivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound)
		callee(t, h, 1, ringing())
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		time.Sleep(time.Second)
		a.Cancel()
		a.WaitEnd(t)
		_, out := byDirection(t, h)
		if want := []string{"dialing", "ringing", "canceling", "hangup"}; !slices.Equal(h.statuses()[out[0].ID], want) || out[0].HangupReason != "cancel" || out[0].HangupBy != "local" {
			t.Errorf("%v, %s by %s", h.statuses()[out[0].ID], out[0].HangupReason, out[0].HangupBy)
		}
	})
}
