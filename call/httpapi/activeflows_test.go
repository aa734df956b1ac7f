package httpapi_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

// TestFlowRunsWithoutACall: it places one, is listed with those of calls, and forgotten.
func TestFlowRunsWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting}, withSounds)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		after := h.ok(t, "POST", "/flows", `{"actions":[{"type":"call","option":{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"actions":[{"type":"beep"}]}}]}`)["id"].(string)
		stored := h.ok(t, "POST", "/flows", fmt.Sprintf(`{"name":"caller","on_complete_flow_id":%q,"actions":[
			{"id":"ring","type":"call","option":{"destinations":[{"type":"sip","target":"${who}"}],"actions":[{"type":"sleep","option":{"duration":1000}}]}},
			{"id":"wait","type":"sleep","option":{"duration":60000}}]}`, after))["id"].(string)
		run := h.ok(t, "POST", "/activeflows", fmt.Sprintf(`{"id":"mine","flow_id":%q,"variables":{"who":"bob@10.0.0.3"}}`, stored))
		if run["id"] != "mine" || run["flow_id"] != stored || run["status"] != "running" || run["reference_type"] != "api" {
			t.Errorf("%v", run)
		}
		if r := h.do(t, "POST", "/activeflows", fmt.Sprintf(`{"id":"mine","flow_id":%q}`, stored)); r.code != 409 {
			t.Errorf("the id again: %d %s", r.code, r.text)
		}
		b := bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
		got := h.ok(t, "GET", "/activeflows/mine", "")
		if steps := got["executed_actions"].([]any); len(steps) != 1 || got["current_action"].(map[string]any)["id"] != "wait" {
			t.Errorf("%v", got)
		}
		c, id := h.dialled(t)
		rec := h.ok(t, "GET", "/calls/"+id, "")
		var refs []string
		for path := "/activeflows?page_size=1"; path != ""; {
			l := h.ok(t, "GET", path, "")
			for _, x := range l["result"].([]any) {
				refs = append(refs, x.(map[string]any)["reference_type"].(string))
			}
			if path = ""; l["next_page_token"] != "" {
				path = "/activeflows?page_size=1&page_token=" + l["next_page_token"].(string)
			}
		}
		if want := []string{"api", "call", "call"}; !slices.Equal(slices.Sorted(slices.Values(refs)), want) { // two of them are of the same moment
			t.Errorf("listed: %v", refs)
		}
		flowID := rec["activeflow_id"].(string)
		if got := h.ok(t, "GET", "/activeflows/"+flowID, ""); got["reference_id"] != id || got["current_action"].(map[string]any)["id"] != "wait" {
			t.Errorf("%v", got)
		}
		if got := h.ok(t, "POST", "/activeflows/"+flowID+"/stop", ""); got["status"] != "ended" || got["reference_id"] != id {
			t.Errorf("%v", got)
		}
		c.WaitEnd(t)
		if got := h.ok(t, "GET", "/calls?activeflow_id="+flowID, ""); len(got["result"].([]any)) != 1 {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Minute) // the flow is over, and the other one follows
		b = bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
		if got := h.ok(t, "GET", "/activeflows/mine", ""); got["status"] != "ended" || len(got["executed_actions"].([]any)) != 2 {
			t.Errorf("%v", got)
		}
		if r := h.do(t, "DELETE", "/activeflows/mine", ""); r.code != 204 || r.text != "" {
			t.Errorf("%d %q", r.code, r.text)
		}
		for _, x := range []string{"GET /activeflows/mine", "POST /activeflows/mine/stop", "DELETE /activeflows/mine", "GET /activeflows/none"} {
			var method, path string
			fmt.Sscan(x, &method, &path)
			if r := h.do(t, method, path, ""); r.code != 404 {
				t.Errorf("%s: %d %s", x, r.code, r.text)
			}
		}
		// One that is stopped has no successor.
		h.ok(t, "POST", "/activeflows", fmt.Sprintf(`{"id":"again","flow_id":%q,"variables":{"who":"bob@10.0.0.3"}}`, stored))
		bob.WaitCall(t).Refuse(486)
		if got := h.ok(t, "POST", "/activeflows/again/stop", ""); got["status"] != "ended" {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Second)
		for range h.Calls() {
			t.Error("the flow that is to follow has placed a call")
		}
	})
}

func TestWhatNeedsACallDoesNotRunWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, withSounds)
		r := h.do(t, "POST", "/activeflows", "{\"actions\": [{\"type\":\"sleep\",\"option\":{\"duration\":1}},\n  {\"type\":\"answer\"}]}")
		_, reason, details := r.fault()
		if d := cmp.Diff([]httpapi.Detail{{Field: "/actions/1", Line: 2, Column: 3, Message: `action "action-2": needs a leg with action.Answerer, which there is not`}}, details); r.code != 400 || reason != "flow" || d != "" {
			t.Errorf("%d %s\n%s", r.code, r.text, d)
		}
		id := h.ok(t, "POST", "/flows", `{"actions":[{"type":"answer"}]}`)["id"]
		if r := h.do(t, "POST", "/activeflows", fmt.Sprintf(`{"flow_id":%q}`, id)); r.code != 400 {
			t.Errorf("%d %s", r.code, r.text)
		}
		if r := h.do(t, "POST", "/activeflows", `{}`); r.code != 400 {
			t.Errorf("no flow: %d %s", r.code, r.text)
		}
	})
}
