package call_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestMustHave05FirstActions: answer, play, talk, sleep and stop, in that order.
func TestMustHave05FirstActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, map[string]string{"100": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/700"]},"on_error":"never"},
			{"type":"talk","option":{"text":"Hello."}},{"type":"sleep","option":{"duration":5000}},{"type":"stop"},{"id":"never","type":"play","option":{"stream_urls":["http://tone/400"]}}]`})
		begun := time.Now()
		c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
		why := c.WaitEnd(t)
		if took := time.Since(begun); took < 6300*time.Millisecond || took > 7*time.Second || !strings.HasPrefix(why, "BYE") {
			t.Errorf("it took %v and ended by %s", took, why)
		}
		if !calltest.Hears(c.Heard(), 700) || !calltest.Hears(c.Heard(), 900) || calltest.Hears(c.Heard(), 400) || o.heard() != "Hello." {
			t.Error("not heard as the flow says")
		}
	})
}

// TestMustHave05HangupReasons: the reason of hangup is the SIP code that an unanswered caller gets, and an answered one a BYE.
func TestMustHave05HangupReasons(t *testing.T) {
	for reason, status := range map[string]int{"busy": 486, "noanswer": 480, "dialout": 480, "failed": 408, "normal": 603, "": 603} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hangup := `{"type":"hangup","option":{"reason":"` + reason + `"}}]`
				h := open(t, map[string]string{"100": `[` + hangup, "101": `[{"type":"answer"},` + hangup})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				c.WaitEnd(t)
				all := c.Statuses()
				answered := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "101")
				if why := answered.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
					t.Errorf("an answered call ends by %s", why)
				}
				want := reason
				if want == "" {
					want = "normal"
				}
				for _, r := range h.records(t) {
					if r.HangupReason != want || r.HangupBy != "local" {
						t.Errorf("%+v", r)
					}
				}
				if got := all[len(all)-1]; got != status {
					t.Errorf("the caller gets %d, want %d", got, status)
				}
			})
		})
	}
}
