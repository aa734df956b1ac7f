package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

func TestFlowsAreStoredChangedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		made := h.do(t, "POST", "/flows", `{"name":"greeting","detail":"says hello","actions":[{"type":"answer"},{"type":"beep"}],"on_complete_flow_id":"later"}`)
		id, _ := made.body["id"].(string)
		if made.code != 200 || id == "" || made.body["name"] != "greeting" || made.body["rev"] != 1.0 || made.header.Get("ETag") != `"1"` || made.body["tm_create"] == nil {
			t.Fatalf("%d %s", made.code, made.text)
		}
		got := h.do(t, "GET", "/flows/"+id, "")
		if got.header.Get("ETag") != `"1"` || got.body["on_complete_flow_id"] != "later" || len(got.body["actions"].([]any)) != 2 {
			t.Errorf("%d %s", got.code, got.text)
		}
		if same := h.do(t, "GET", "/flows/"+id, "", `If-None-Match: W/"1"`); same.code != 304 || same.text != "" {
			t.Errorf("what has not changed: %d %q", same.code, same.text)
		}
		if stale := h.do(t, "PUT", "/flows/"+id, `{"actions":[]}`, `If-Match: "7"`); stale.code != 412 {
			t.Errorf("a change of another version: %d %s", stale.code, stale.text)
		}
		changed := h.do(t, "PUT", "/flows/"+id, `{"name":"short","actions":[{"type":"answer"}]}`, `If-Match: "1"`)
		if changed.code != 200 || changed.header.Get("ETag") != `"2"` || changed.body["name"] != "short" || changed.body["detail"] != nil {
			t.Errorf("%d %s", changed.code, changed.text)
		}
		if l := h.ok(t, "GET", "/flows?name=short", ""); len(l["result"].([]any)) != 1 || l["next_page_token"] != "" {
			t.Errorf("listed: %v", l)
		}
		if stale := h.do(t, "DELETE", "/flows/"+id, "", `If-Match: "1"`); stale.code != 412 {
			t.Errorf("an old version deleted: %d", stale.code)
		}
		if gone := h.do(t, "DELETE", "/flows/"+id, "", `If-Match: "2"`); gone.code != 200 || gone.body["id"] != id {
			t.Errorf("%d %s", gone.code, gone.text)
		}
		for _, method := range []string{"GET", "DELETE"} {
			if r := h.do(t, method, "/flows/"+id, ""); r.code != 404 {
				t.Errorf("%s of what is gone: %d %s", method, r.code, r.text)
			}
		}
	})
}

func TestWhatIsWrongWithAFlowIsToldWithItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		body := `{"name": "menu",
 "actions": [
  {"type": "anser"},
  {"type": "goto", "option": {"target_id": "nowhere"}}
 ]}`
		r := h.do(t, "POST", "/flows", body)
		status, reason, details := r.fault()
		want := []httpapi.Detail{
			{Field: "/actions/0/type", Line: 3, Column: 12, Message: `action "action-1": type "anser" is unknown, did you mean "answer"?`},
			{Field: "/actions/1/option/target_id", Line: 4, Column: 44, Message: `action "action-2": target_id: there is no action with the id "nowhere"; no action has one`},
		}
		if d := cmp.Diff(want, details); r.code != 400 || status != "INVALID_ARGUMENT" || reason != "flow" || d != "" {
			t.Errorf("%d %s (-want +got):\n%s", r.code, r.text, d)
		}
		// The same within another body: places are those in that body.
		r = h.do(t, "POST", "/calls", "{\"destinations\": [{\"type\": \"sip\", \"target\": \"a@10.0.0.3\"}],\n \"actions\": [\n  {\"type\": \"anser\"}]}")
		_, reason, details = r.fault()
		want = []httpapi.Detail{{Field: "/actions/0/type", Line: 3, Column: 12, Message: `action "action-1": type "anser" is unknown, did you mean "answer"?`}}
		if d := cmp.Diff(want, details); r.code != 400 || reason != "flow" || d != "" {
			t.Errorf("%d %s (-want +got):\n%s", r.code, r.text, d)
		}
	})
}

// posts keeps the bodies of requests, and answers them with 200.
type posts struct {
	mu     sync.Mutex
	bodies []string // guarded by mu
}

func (p *posts) Do(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies = append(p.bodies, string(b))
	return &http.Response{StatusCode: 200, Body: http.NoBody}, err
}

func (p *posts) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.bodies)
}

// TestStoredFlowsRun: by flow_id of a call, by fetch_flow, and after the call.
func TestStoredFlowsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &posts{}
		h := open(t, nil, func(c *call.Config, _ *httpapi.Config) { c.Deps.HTTP = w })
		after := h.ok(t, "POST", "/flows", `{"name":"after","actions":[{"type":"webhook_send","option":{"sync":true,"uri":"http://x/","method":"POST","data":"${voipbin.call.code}"}}]}`)["id"]
		inner := h.ok(t, "POST", "/flows", `{"name":"inner","actions":[{"type":"beep"}]}`)["id"]
		outer := h.ok(t, "POST", "/flows", fmt.Sprintf(`{"name":"outer","on_complete_flow_id":%q,"actions":[{"type":"fetch_flow","option":{"flow_id":%q}},{"type":"sleep","option":{"duration":1000}}]}`, after, inner))["id"]
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		made := h.ok(t, "POST", "/calls", fmt.Sprintf(`{"flow_id":%q,"destinations":[{"type":"sip","target":"bob@10.0.0.3"}]}`, outer))
		id := made["calls"].([]any)[0].(map[string]any)["id"].(string)
		b := bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
		time.Sleep(time.Second)
		if !calltest.Hears(b.Heard(), 1000) {
			t.Error("bob does not hear the beep of the inner flow")
		}
		if got := w.all(); !slices.Equal(got, []string{"flow_ended"}) {
			t.Errorf("the flow after the call has sent %q", got)
		}
		rec := h.ok(t, "GET", "/calls/"+id, "")
		if rec["flow_id"] != outer || rec["status"] != "hangup" || rec["code"] != "flow_ended" {
			t.Errorf("%v", rec)
		}
		if r := h.do(t, "POST", "/calls", `{"flow_id":"none","destinations":[{"type":"sip","target":"bob@10.0.0.3"}]}`); r.code != 400 {
			t.Errorf("a flow that is not there: %d %s", r.code, r.text)
		}
	})
}
