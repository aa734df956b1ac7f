package call_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

var dialogStates = regexp.MustCompile(`direction="(\w+)"><state>(\w+)</state>`)

// seen is what a NOTIFY says of the only dialog, "" of none.
func seen(n calltest.Notified) string {
	if m := dialogStates.FindStringSubmatch(n.Body); m != nil {
		return m[1] + " " + m[2]
	}
	return ""
}

func wantSeen(t *testing.T, s *calltest.Subscription, want string) calltest.Notified {
	t.Helper()
	n := s.Wait(t)
	if got := seen(n); got != want || !strings.HasPrefix(n.State, "active;expires=") {
		t.Fatalf("a watcher sees %q (%s), want %q\n%s", got, n.State, want, n.Body)
	}
	return n
}

// TestPhonesWatchEachOther has 203 watch 200, who is called by 201, and 201; then its time is over.
func TestPhonesWatchEachOther(t *testing.T) {
	for _, identities := range []bool{false, true} {
		t.Run(fmt.Sprint(identities), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, extensions, func(c *call.Config) { c.Watching.Identities = identities })
				called, two := extensionPhone(t, h, "200", 1), extensionPhone(t, h, "200", 2)
				register(t, called)
				register(t, two)
				watcher := extensionPhone(t, h, "203", 3)
				status, s := watcher.Subscribe(t, "dialog", "200", 10*time.Minute)
				status2, caller := watcher.Subscribe(t, "dialog", "201", 10*time.Minute)
				if status != 200 || status2 != 200 {
					t.Fatalf("SUBSCRIBE gets %d and %d", status, status2)
				}
				wantSeen(t, s, "")
				wantSeen(t, caller, "")
				time.Sleep(time.Second)
				a := extensionPhone(t, h, "201", 4).Start(t, "200")
				b, other := called.WaitCall(t), two.WaitCall(t)
				n := wantSeen(t, s, "recipient trying")
				if got := strings.Contains(n.Body, "sip:201@10.0.0.1"); got != identities {
					t.Errorf("the caller is seen: %v\n%s", got, n.Body)
				}
				time.Sleep(time.Second)
				b.Ring()
				wantSeen(t, s, "recipient early")
				time.Sleep(time.Second)
				other.Refuse(486)
				time.Sleep(time.Second)
				if s.Waiting() != 0 {
					t.Errorf("one phone of two is busy, and a watcher gets %+v", s.Wait(t))
				}
				b.Answer()
				a.WaitAnswer(t)
				wantSeen(t, s, "recipient confirmed")
				time.Sleep(time.Second)
				for caller.Waiting() > 1 {
					caller.Wait(t)
				}
				wantSeen(t, caller, "initiator confirmed")
				a.Hangup(t)
				b.WaitEnd(t)
				wantSeen(t, s, "recipient terminated")
				wantSeen(t, caller, "initiator terminated")
				if status := caller.Refresh(t, 0); status != 200 || caller.Wait(t).State != "terminated;reason=timeout" {
					t.Errorf("the end of a subscription gets %d", status)
				}
				time.Sleep(10 * time.Minute)
				if n := s.Wait(t); n.State != "terminated;reason=timeout" || seen(n) != "" {
					t.Errorf("%+v", n)
				}
				if status := s.Refresh(t, time.Minute); status != 481 {
					t.Errorf("a refresh that is late gets %d", status)
				}
			})
		})
	}
}

func TestWhoMayWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions, func(c *call.Config) {
			c.Watching.May = func(_ context.Context, watcher, watched string) bool { return watched != "204" }
			c.Watching.Limits.MaxPerUser = 2
		})
		p := extensionPhone(t, h, "200", 1)
		wrong := extensionPhone(t, h, "200", 2, func(c *calltest.PhoneConfig) { c.Password = "wrong" })
		for _, c := range []struct {
			p           *calltest.Phone
			event, user string
			expires     time.Duration
			status      int
		}{
			{wrong, "dialog", "201", time.Hour, 401},
			{p, "dialog", "204", time.Hour, 403},
			{p, "dialog", "999", time.Hour, 403},
			{p, "message-summary", "201", time.Hour, 403},
			{p, "presence", "201", time.Hour, 489},
			{p, "dialog", "201", time.Second, 423},
			{p, "dialog", "201", time.Hour, 200},
			{p, "message-summary", "200", time.Hour, 200},
			{p, "dialog", "202", time.Hour, 403}, // one too many
		} {
			if status, _ := c.p.Subscribe(t, c.event, c.user, c.expires); status != c.status {
				t.Errorf("%s of %s for %v gets %d, want %d", c.event, c.user, c.expires, status, c.status)
			}
		}
	})
}

// TestMessagesWait has the lamp of a phone go on, and the engine end.
func TestMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions)
		p := extensionPhone(t, h, "200", 1)
		if err := h.SetMessages("200", 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		status, s := p.Subscribe(t, "message-summary", "200", time.Hour)
		if n := s.Wait(t); status != 200 || !strings.Contains(n.Body, "Messages-Waiting: yes\r\n") || !strings.Contains(n.Body, "Voice-Message: 1/0 (0/0)\r\n") {
			t.Errorf("%d, %+v", status, n)
		}
		if err := h.SetMessages("200", 0, 1, 0, 1); err != nil {
			t.Fatal(err)
		}
		if n := s.Wait(t); !strings.Contains(n.Body, "Messages-Waiting: no\r\n") || !strings.Contains(n.Body, "Voice-Message: 0/1 (0/1)\r\n") {
			t.Errorf("%+v", n)
		}
		for _, bad := range [][4]int{{-1, 0, 0, 0}, {1, 0, 2, 0}, {0, 0, 0, 1}} {
			if h.SetMessages("200", bad[0], bad[1], bad[2], bad[3]) == nil {
				t.Errorf("%v messages are taken", bad)
			}
		}
		h.stop()
		if n := s.Wait(t); n.State != "terminated;reason=deactivated" {
			t.Errorf("%+v", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		if err := h.SetMessages("200", 1, 0, 0, 0); !errors.Is(err, call.ErrNoExtensions) {
			t.Errorf("%v", err)
		}
	})
}
