package call_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/calltest"
)

// TestMustHave12Fetch: a web server says what a call does, a flow runs another one, and both return to behind where they stood.
func TestMustHave12Fetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{body: `[{"type":"variable_set","option":{"key":"from","value":"web"}},{"type":"fetch_flow","option":{"flow_id":"inner"}},
			{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w, Prompts: tonePrompts{}}, map[string]string{
			"start": `[{"type":"answer"},{"id":"f","type":"fetch","option":{"event_url":"http://x/actions","event_method":"POST"}},
				{"type":"condition_variable","option":{"variable":"${from}","condition":"==","value_type":"string","value_string":"web inner","false_target_id":"end"}},
				{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"id":"end","type":"hangup"}]`,
			"inner": `[{"type":"variable_set","option":{"key":"from","value":"${from} inner"}}]`,
		}))
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.WaitEnd(t)
		if !calltest.Hears(c.Heard(), 700) || !calltest.Hears(c.Heard(), 400) {
			t.Error("the fetched actions do not run, or the flow does not go on behind them")
		}
		r := h.records(t)[0]
		if all := w.all(); len(all) != 1 || !strings.Contains(all[0], `"reference_id":"`+r.ID+`"`) || !strings.Contains(all[0], `"activeflow_id":"`+r.ActiveflowID+`"`) {
			t.Errorf("the server gets %q", all)
		}
	})
}
