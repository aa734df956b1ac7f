package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestMustHave07IVR: the keys of a caller are collected in voipbin.call.digits, a branch goes by them, and digits are sent back.
func TestMustHave07IVR(t *testing.T) {
	ivr := `[{"type":"answer"},{"id":"menu","type":"digits_receive","option":{"duration":5000,"length":2,"key":"#"}},
		{"type":"variable_set","option":{"key":"typed","value":"${voipbin.call.digits}"}},
		{"type":"branch","option":{"target_ids":{"12":"sales","3#":"support"},"default_target_id":"menu"}},
		{"id":"sales","type":"digits_send","option":{"digits":"${typed}9*","duration":100,"interval":100},"next_id":"end"},
		{"id":"support","type":"play","option":{"stream_urls":["http://tone/700"]}},
		{"id":"end","type":"stop"}]`
	for keys, want := range map[string]string{"12": "129*", "4412": "129*", "3#": ""} {
		t.Run(keys, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": ivr})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(time.Second)
				c.Press(keys)
				c.WaitEnd(t)
				if got := c.Pressed(); got != want {
					t.Errorf("the phone gets the digits %q, want %q", got, want)
				}
				if calltest.Hears(c.Heard(), 700) != (want == "") {
					t.Error("the branch goes elsewhere")
				}
			})
		})
	}
}
