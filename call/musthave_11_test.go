package call_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/calltest"
)

// TestMustHave11Variables: those of the call and those of the user, conditions on them and on the time, and a loop that counts.
func TestMustHave11Variables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		send := func(id, data string) string {
			return `{"id":"` + id + `","type":"webhook_send","option":{"uri":"http://x/","sync":true,"data":"` + data + `"}},`
		}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w, Prompts: tonePrompts{}}, map[string]string{
			"start": `[{"type":"answer"},{"type":"variable_set","option":{"key":"n","value":"x"}},` +
				send("call", "${voipbin.call.source.target} ${voipbin.call.destination.target} ${voipbin.call.direction} ${voipbin.call.id}") +
				`{"id":"loop","type":"variable_set","option":{"key":"n","value":"${n}y"}},{"type":"goto","option":{"target_id":"loop","loop_count":3}},` +
				send("n", "${n}") +
				`{"type":"condition_variable","option":{"variable":"${n}","condition":"==","value_type":"string","value_string":"xyyyy","false_target_id":"wrong"}},
				{"type":"condition_variable","option":{"variable":"${n}","condition":"<","value_type":"length","value_length":5,"false_target_id":"right"}},` +
				send("wrong", "wrong") + send("right", "right") +
				`{"type":"condition_datetime","option":{"condition":"<","hour":23,"false_target_id":"late"}},` + send("early", "before 23") +
				`{"type":"condition_datetime","option":{"condition":"==","month":12,"false_target_id":"late"}},` + send("december", "december") +
				`{"id":"late","type":"stop"}]`,
		}))
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+16062067563"}).Dial(t, "100")
		c.WaitEnd(t)
		time.Sleep(time.Second)
		id := h.records(t)[0].ID
		got := w.all()
		if len(got) == 0 || !strings.HasPrefix(got[0], "+16062067563 100") || !strings.HasSuffix(got[0], " incoming "+id) {
			t.Errorf("variables of the call: %q", got)
		}
		if want := []string{"xyyyy", "right", "before 23"}; !slices.Equal(got[1:], want) { // a bubble begins at New Year of 2000
			t.Errorf("%q, want %q", got[1:], want)
		}
	})
}
