package httpapi_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// listed is the result of a list.
func (h *house) listed(t *testing.T, path string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, x := range h.ok(t, "GET", path, "")["result"].([]any) {
		all = append(all, x.(map[string]any))
	}
	return all
}

// TestQueueMadeByRESTIsServed: agents, a queue, a flow and a number are made, callers wait, are moved up, kicked and served, and the agent's status is changed.
func TestQueueMadeByRESTIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, withSounds, inDirectory(t, store.Memory()))
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		queue := h.made(t, "/queues", `{"name":"Sales","tag_ids":["sales"]}`)
		agent := h.made(t, "/agents", `{"name":"Bob","addresses":[{"type":"sip","target":"bob@10.0.0.3"}]}`)
		flow := h.made(t, "/flows", `{"actions":[{"type":"answer"},{"type":"queue_join","option":{"queue_id":"`+queue+`"}},{"type":"play","option":{"stream_urls":["https://tones.example/440"]}}]}`)
		h.made(t, "/numbers", `{"number":"100","call_flow_id":"`+flow+`"}`)
		caller := func(n byte) *calltest.PhoneCall {
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: fmt.Sprint("+1212555100", n), Addr: netip.AddrFrom4([4]byte{10, 0, 2, n})}).Dial(t, "100")
			time.Sleep(time.Second)
			return c
		}
		ann, ben, carl := caller(1), caller(2), caller(3)
		waiting := h.listed(t, "/queuecalls?status=waiting&queue_id="+queue)
		if len(waiting) != 3 {
			t.Fatalf("%d wait: %v", len(waiting), waiting)
		}
		bens, carls := waiting[1], waiting[0] // the newest first
		if got := h.ok(t, "PUT", "/queuecalls/"+carls["id"].(string)+"/priority", `{"priority":5}`); got["priority"] != 5.0 {
			t.Errorf("moved up: %v", got)
		}
		if got := h.ok(t, "GET", "/queues/"+queue, "")["wait_queue_call_ids"]; got != nil && len(got.([]any)) != 3 {
			t.Errorf("the queue: %v", got)
		}
		if r := h.do(t, "POST", "/queuecalls/reference_id/"+bens["reference_id"].(string)+"/kick", ""); r.code != 200 {
			t.Errorf("kick: %d %s", r.code, r.text)
		}
		ben.WaitEnd(t)
		only(t, "who is kicked", ben.Heard(), 440)
		if got := h.ok(t, "GET", "/queuecalls/"+bens["id"].(string), ""); got["status"] != "abandoned" || got["code"] != "kicked" {
			t.Errorf("kicked: %v", got)
		}

		// Nobody serves it: the agent has no tag of it, and is offline.
		if got := h.ok(t, "PUT", "/agents/"+agent+"/tag_ids", `{"tag_ids":["sales","fr"]}`); len(got["tag_ids"].([]any)) != 2 {
			t.Errorf("tags: %v", got)
		}
		if r := h.do(t, "PUT", "/agents/"+agent+"/status", `{"status":"asleep"}`); r.code != 400 {
			t.Errorf("a status that there is not: %d %s", r.code, r.text)
		}
		h.ok(t, "PUT", "/agents/"+agent+"/status", `{"status":"available"}`)
		leg := bob.WaitCall(t)
		if got := h.ok(t, "GET", "/agents/"+agent, "")["status"]; got != "ringing" {
			t.Errorf("the agent that rings is %v", got)
		}
		leg.Answer()
		time.Sleep(time.Second)
		served := h.ok(t, "GET", "/queuecalls/"+carls["id"].(string), "")
		if served["status"] != "service" || served["service_agent_id"] != agent {
			t.Errorf("who was moved up: %v", served)
		}
		r := h.do(t, "DELETE", "/queuecalls/"+carls["id"].(string), "")
		if _, reason, _ := r.fault(); r.code != 409 || reason != "served" {
			t.Errorf("kick who talks: %d %s", r.code, r.text)
		}
		if got := h.listed(t, "/agents?status=busy"); len(got) != 1 || got[0]["id"] != agent {
			t.Errorf("busy: %v", got)
		}
		h.ok(t, "PUT", "/agents/"+agent+"/status", `{"status":"away"}`)
		leg.Hangup(t)
		carl.WaitEnd(t)
		if got := h.ok(t, "GET", "/queuecalls/"+carls["id"].(string), ""); got["status"] != "done" {
			t.Errorf("after it: %v", got)
		}
		h.ok(t, "DELETE", "/queuecalls/"+carls["id"].(string), "")
		if r := h.do(t, "GET", "/queuecalls/"+carls["id"].(string), ""); r.code != 404 {
			t.Errorf("a record that is deleted: %d %s", r.code, r.text)
		}
		h.ok(t, "PUT", "/queues/"+queue+"/routing_method", `{"routing_method":"ring_all"}`)
		h.ok(t, "PUT", "/queues/"+queue+"/tag_ids", `{"tag_ids":[]}`)
		if got := h.ok(t, "GET", "/queues/"+queue, ""); got["routing_method"] != "ring_all" || got["tag_ids"] != nil && len(got["tag_ids"].([]any)) != 0 || got["rev"] != 3.0 {
			t.Errorf("changed: %v", got)
		}
		h.ok(t, "DELETE", "/queues/"+queue, "")
		ann.WaitEnd(t)
		only(t, "whose queue is deleted", ann.Heard(), 440)
		if n := len(h.listed(t, "/queuecalls?queue_id="+queue)); n != 2 {
			t.Errorf("%d records are left", n)
		}
	})
}

// TestGroupcallIsPlacedAndHungUp: two ring, one answers, the other is told; it is listed, hung up and forgotten.
func TestGroupcallIsPlacedAndHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		eve := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.0.4"), Port: 5060})
		id := h.made(t, "/groupcalls", `{"destinations":[{"type":"sip","target":"bob@10.0.0.3"},{"type":"sip","target":"eve@10.0.0.4"}],"answer_method":"hangup_others",
			"metadata":{"team":"a"},"actions":[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]}`)
		b, e := bob.WaitCall(t), eve.WaitCall(t)
		b.Ring()
		e.Ring()
		time.Sleep(time.Second)
		if got := h.ok(t, "GET", "/groupcalls/"+id, ""); got["call_count"] != 2.0 || got["status"] != "progressing" {
			t.Errorf("while it rings: %v", got)
		}
		b.Answer()
		e.WaitEnd(t)
		if got := h.ok(t, "GET", "/groupcalls/"+id, ""); got["answer_call_id"] == nil || got["metadata"].(map[string]any)["team"] != "a" {
			t.Errorf("answered: %v", got)
		}
		if got := h.listed(t, "/groupcalls?status=progressing"); len(got) != 1 || got[0]["id"] != id {
			t.Errorf("listed: %v", got)
		}
		h.ok(t, "POST", "/groupcalls/"+id+"/hangup", "")
		b.WaitEnd(t)
		time.Sleep(time.Second)
		r := h.do(t, "POST", "/groupcalls/"+id+"/hangup", "")
		if _, reason, _ := r.fault(); r.code != 409 || reason != "ended" {
			t.Errorf("hung up twice: %d %s", r.code, r.text)
		}
		if got := h.ok(t, "GET", "/groupcalls/"+id, ""); got["status"] != "hangup" {
			t.Errorf("over: %v", got)
		}
		h.ok(t, "DELETE", "/groupcalls/"+id, "")
		if r := h.do(t, "GET", "/groupcalls/"+id, ""); r.code != 404 {
			t.Errorf("deleted: %d %s", r.code, r.text)
		}
		outside := h.made(t, "/groupcalls", `{"destinations":[{"type":"sip","target":"bob@192.0.2.1"}]}`)
		time.Sleep(time.Second)
		if got := h.ok(t, "GET", "/groupcalls/"+outside, ""); got["status"] != "hangup" || got["code"] != "nobody_answered" {
			t.Errorf("a destination that may not be dialled: %v", got)
		}
		for body, code := range map[string]int{
			`{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"master_call_id":"none"}`:       400,
			`{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"flow_id":"none"}`:              400,
			`{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"answer_method":"hang_others"}`: 400,
		} {
			if r := h.do(t, "POST", "/groupcalls", body); r.code != code {
				t.Errorf("%s: %d %s, want %d", body, r.code, r.text, code)
			}
		}
	})
}
