package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

// TestAgentIsRungAsAGroupcall: a destination that stands for several is a groupcall, one of its own beside the calls.
func TestAgentIsRungAsAGroupcall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config, _ *httpapi.Config) {
			c.Agents = call.ListAgents(call.Agent{ID: "ann", Addresses: []address.Address{{Type: address.TypeSIP, Target: "bob@10.0.0.3"}}})
		})
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		got := h.ok(t, "POST", "/calls", `{"actions":[{"type":"sleep","option":{"duration":1000}}],"variables":{"x":"y"},"destinations":[{"type":"agent","target":"ann"}]}`)
		groups := got["groupcalls"].([]any)
		if len(groups) != 1 || len(got["calls"].([]any)) != 0 || groups[0].(map[string]any)["id"] == "" || groups[0].(map[string]any)["answer_method"] != store.AnswerHangupOthers {
			t.Fatalf("%v", got)
		}
		b := bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
	})
}

// TestOptionsOfACallAreTaken: who is shown, how long it rings, and what it is found by.
func TestOptionsOfACallAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		got := h.ok(t, "POST", "/calls", `{"source":{"type":"sip","target":"alice@example.com","name":"Alice"},"ring_timeout":5000,"journey_id":"way",
			"metadata":{"team":"a"},"destinations":[{"type":"sip","target":"bob@10.0.0.3"}]}`)
		id := got["calls"].([]any)[0].(map[string]any)["id"].(string)
		c := bob.WaitCall(t)
		if from := c.Invite().Header("From"); !strings.Contains(from, "Alice") {
			t.Errorf("From: %s", from)
		}
		begun := time.Now()
		c.Ring()
		c.WaitEnd(t)
		time.Sleep(time.Second)
		rec := h.ok(t, "GET", "/calls/"+id, "")
		if took := time.Since(begun); took > 7*time.Second || rec["journey_id"] != "way" || rec["hangup_reason"] != "dialout" && rec["hangup_reason"] != "noanswer" || rec["metadata"].(map[string]any)["team"] != "a" {
			t.Errorf("after %v: %v", took, rec)
		}
		if l := h.ok(t, "GET", "/calls?journey_id=way&status=hangup", ""); len(l["result"].([]any)) != 1 {
			t.Errorf("%v", l)
		}
	})
}

// TestWhatNobodyCouldKeepIsRefused: options beyond the limits, and what would be passed over in silence.
func TestWhatNobodyCouldKeepIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		many := &strings.Builder{}
		for i := range 101 {
			fmt.Fprintf(many, `"v%d":"",`, i)
		}
		const to = `"destinations":[{"type":"sip","target":"bob@10.0.0.3"}]`
		for body, field := range map[string]string{
			`{` + to + `,"variables":{` + strings.TrimSuffix(many.String(), ",") + `}}`:           "/variables",
			`{` + to + `,"variables":{"a/b":"` + strings.Repeat("x", 33<<10) + `"}}`:              "/variables/a~1b",
			`{` + to + `,"metadata":{"":"x"}}`:                                                    "/metadata/",
			`{` + to + `,"metadata":{` + strings.TrimSuffix(many.String(), ",") + `}}`:            "/metadata",
			`{"destinations":[{"type":"extension","target":"200"}],"account":"a"}`:                "/account",
			`{"destinations":[{"type":"agent","target":"x"}],"max_duration":1000}`:                "/max_duration",
			`{"destinations":[` + strings.Repeat(`{"type":"sip","target":"x@y"},`, 1000) + `{}]}`: "/destinations",
		} {
			r := h.do(t, "POST", "/calls", body)
			if _, _, details := r.fault(); r.code != 400 || !slices.ContainsFunc(details, func(d httpapi.Detail) bool { return d.Field == field && d.Line == 1 }) {
				t.Errorf("%.80s: %d %.300s", body, r.code, r.text)
			}
		}
		if r := h.do(t, "POST", "/calls", `{`+to+`,"journey_id":"`+strings.Repeat("x", 300)+`"}`); r.code != 400 {
			t.Errorf("a journey's id: %d %s", r.code, r.text)
		}
		for range h.Calls() {
			t.Error("a call was placed")
		}
	})
}

// TestWhatTheEngineCannotDoIsTold: there is no speaker, a stored flow does not parse any more, all destinations are refused.
func TestWhatTheEngineCannotDoIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting})
		c, id := h.dialled(t)
		if r := h.do(t, "POST", "/calls/"+id+"/talk", `{"text":"x"}`); r.code != 501 {
			t.Errorf("%d %s", r.code, r.text)
		}
		if r := h.do(t, "POST", "/calls/"+id+"/play", `{"stream_urls":["http://x/"]}`); r.code != 501 {
			t.Errorf("%d %s", r.code, r.text)
		}
		if r := h.do(t, "POST", "/calls/"+id+"/digits", `{"digits":"`+strings.Repeat("1", 100)+`","duration":500}`); r.code != 400 {
			t.Errorf("%d %s", r.code, r.text)
		}
		if _, err := h.store.PutFlow(t.Context(), store.Flow{ID: "old", Body: []byte(`[{"type":"anser"}]`)}); err != nil {
			t.Fatal(err)
		}
		if r := h.do(t, "POST", "/calls/"+id+"/redirect", `{"flow_id":"old"}`); r.code != 409 || !strings.Contains(r.text, "anser") {
			t.Errorf("%d %s", r.code, r.text)
		}
		if got := h.ok(t, "GET", "/flows/old", ""); len(got["actions"].([]any)) != 1 {
			t.Errorf("%v", got)
		}
		r := h.do(t, "POST", "/calls", `{"destinations":[{"type":"sip","target":"a@192.0.2.1"},{"type":"tel","target":"+16062067563"}]}`)
		if status, reason, details := r.fault(); r.code != 403 || status != "PERMISSION_DENIED" || reason == "" || len(details) != 2 || details[1].Field != "/destinations/1" {
			t.Errorf("%d %s", r.code, r.text)
		}
		h.ok(t, "POST", "/calls/"+id+"/hangup", "")
		c.WaitEnd(t)
	})
}
