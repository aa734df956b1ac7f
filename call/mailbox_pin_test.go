package call_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/sip"
)

// TestMailboxByPIN has strangers at the door of a mailbox, and looks for PINs in what is kept.
func TestMailboxByPIN(t *testing.T) {
	for name, tc := range map[string]struct {
		user, keys string
		opens      bool
	}{
		"right":                     {"alice", "200#432143#", true},
		"second try":                {"alice", "200#111711#200#432143#", true},
		"wrong":                     {"alice", "200#111711#200#222722#200#333733#", false},
		"of another mailbox":        {"alice", "200#987698#200#987698#201#432143#", false},
		"no such mailbox":           {"alice", "999#432143#999#432143#999#432143#", false},
		"no PIN":                    {"alice", "200##200##200##", false},
		"who only says that it is":  {"200", "200##200##200##", false},
		"another's extension knows": {"201", "200#432143#", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := openOffice(t, nil)
				o.leave(t, 500, 3*time.Second)
				var p *calltest.Phone
				if tc.user == "201" {
					p = extensionPhone(t, o.house, "201", 3)
					o.heard()
					c := p.Dial(t, "900") // its own is empty
					time.Sleep(time.Second)
					if got := o.heard(); !strings.HasPrefix(got, "New messages: 0. Saved messages: 0. There are no messages.") {
						t.Errorf("201 hears %q", got)
					}
					c.Hangup(t)
					p = calltest.NewPhone(t, o.net, calltest.PhoneConfig{User: "bob"})
				} else {
					p = calltest.NewPhone(t, o.net, calltest.PhoneConfig{User: tc.user})
				}
				o.heard()
				c := p.Dial(t, "900")
				for part := range strings.SplitAfterSeq(tc.keys, "#") {
					time.Sleep(time.Second)
					c.Press(part)
				}
				time.Sleep(2 * time.Second)
				got := o.heard()
				if strings.Contains(got, "New messages: 1") != tc.opens || calltest.Hears(c.Heard(), 500) != tc.opens {
					t.Errorf("said: %q", got)
				}
				if !tc.opens {
					if strings.Count(got, "That is not right.") != 3 || !strings.HasSuffix(got, "Good bye.") {
						t.Errorf("said: %q", got)
					}
					c.WaitEnd(t)
				} else {
					c.Hangup(t)
				}
				recs := o.records(t)
				b, err := o.store.Trace(t.Context(), recs[len(recs)-1].ID)
				if err != nil {
					t.Fatal(err)
				}
				o.mu.Lock()
				defer o.mu.Unlock()
				kept := string(b) + o.log.String()
				for _, secret := range []string{"432143", "987698", "111711", "222722", "333733"} {
					if strings.Contains(kept, secret) {
						t.Errorf("%q is in the trace or the log:\n%s", secret, kept)
					}
				}
				inputs, err := call.DecodeTrace(b)
				if err != nil {
					t.Fatal(err)
				}
				for _, in := range inputs {
					if in.Media != nil && in.Media.Digit != "" && strings.Contains("0123456789", in.Media.Digit) {
						t.Errorf("the trace holds the digit of input %d", in.Seq)
					}
				}
			})
		})
	}
}

// TestMailboxClosesAfterWrongPINs has somebody try many; then the right one is wrong, too, but for its own phone.
func TestMailboxClosesAfterWrongPINs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, map[string]string{"900": `[{"type":"voicemail_main","option":{"retries":9}}]`})
		p, _ := o.owner(t)
		try := func(pin string) (opens bool) {
			c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "900")
			defer c.Hangup(t)
			o.heard()
			time.Sleep(time.Second)
			c.Press("200#")
			time.Sleep(time.Second)
			c.Press(pin + "#")
			time.Sleep(time.Second)
			return strings.Contains(o.heard(), "New messages")
		}
		if !try("432143") {
			t.Fatal("the PIN is wrong from the start")
		}
		for range call.MaxPINFaults {
			if try("123456") {
				t.Fatal("a wrong PIN opens")
			}
		}
		if try("432143") {
			t.Error("a PIN opens after too many wrong ones")
		}
		o.heard()
		c := p.Dial(t, "900")
		time.Sleep(time.Second)
		if got := o.heard(); !strings.HasPrefix(got, "New messages") {
			t.Errorf("its own phone hears %q", got)
		}
		c.Hangup(t)
		time.Sleep(call.PINPause)
		if !try("432143") {
			t.Error("the mailbox stays closed")
		}
	})
}

// TestPINBySIPInfo has a phone that presses by SIP INFO: its digits are in no trace either, and reach who reads them.
func TestPINBySIPInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "900")
		for _, keys := range []string{"200#", "432143#"} {
			time.Sleep(time.Second)
			for _, k := range keys {
				if status := c.Info(t, "application/dtmf-relay", "Signal="+string(k)+"\r\nDuration=100\r\n"); status != 200 {
					t.Fatalf("INFO gets %d", status)
				}
			}
		}
		time.Sleep(time.Second)
		if got := o.heard(); !strings.Contains(got, "New messages: 0") {
			t.Errorf("said: %q", got)
		}
		c.Hangup(t)
		b, err := o.store.Trace(t.Context(), o.records(t)[0].ID)
		if err != nil || strings.Count(string(b), `"what":"mailbox_open"`) != 2 {
			t.Fatalf("%v\n%s", err, b)
		}
		inputs, err := call.DecodeTrace(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range inputs {
			if in.SIP != nil && in.SIP.Kind == sip.EventInfo && string(in.SIP.Body) != "Signal=?" && !strings.HasPrefix(string(in.SIP.Body), "Signal=#") {
				t.Errorf("the trace holds %q", in.SIP.Body)
			}
		}
	})
}

// TestMailboxDoesNotShowItsPIN, however it is printed.
func TestMailboxDoesNotShowItsPIN(t *testing.T) {
	m := call.Mailbox{ID: "200", PIN: "432143"}
	if text := fmt.Sprintf("%v %+v %#v", m, m, m) + m.LogValue().String(); strings.Contains(text, "432143") {
		t.Errorf("the PIN is shown: %s", text)
	}
}
