package main_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestWhatIsMadeByCurlIsThereAfterARestart: an extension, a flow and a number are made by REST; the phone of the extension registers with its password
// and calls the number before and after the server is started again, and is refused when the extension is deleted.
func TestWhatIsMadeByCurlIsThereAfterARestart(t *testing.T) {
	s := start(t, serverOptions{config: loopbackOnly})
	extension := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/extensions", "--header", asJSON, "--data", `{
    "name": "test domain", "detail": "test domain creation", "extension": "300", "password": "27a4d0f2-5f3f"}`)
	flow := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/flows", "--header", asJSON, "--data", `{
    "name": "tone", "actions": [{"type": "answer"}, {"type": "beep"}, {"type": "sleep", "option": {"duration": 60000}}]}`)
	number := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/numbers", "--header", asJSON, "--data", fmt.Sprintf(`{
    "number": "+821021656521", "call_flow_id": %q, "name": "test number"}`, flow["id"]))
	queue := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/queues", "--header", asJSON, "--data", `{
    "name": "test queue", "routing_method": "random", "tag_ids": [], "wait_timeout": 100000, "service_timeout": 10000000}`)
	agent := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/agents", "--header", asJSON, "--data", `{
    "name": "ann", "addresses": [{"type": "extension", "target": "300"}]}`)
	conference := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/conferences", "--header", asJSON, "--data", `{"name": "standup"}`)

	// phone is one of the extension.
	phone := func(s *server) *calltest.Phone {
		at := calltest.FreePort(t)
		return calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{
			Addr: at.Addr(), Port: at.Port(), User: "300", Password: "27a4d0f2-5f3f", Server: netip.AddrPortFrom(at.Addr(), uint16(s.port)),
		})
	}
	calls := func(s *server) {
		t.Helper()
		p := phone(s)
		if status, _ := p.Register(t, time.Hour); status != 200 {
			t.Fatalf("REGISTER: %d", status)
		}
		c := p.Dial(t, "+821021656521")
		until(t, "the flow of the number answers, and beeps", func() bool { return len(c.Heard()) > 8000 })
		c.Hangup(t)
		c.WaitEnd(t)
	}
	calls(s)
	s.stop(t)
	s = start(t, serverOptions{config: loopbackOnly, data: s.data})
	for path, was := range map[string]map[string]any{"extensions": extension, "numbers": number, "queues": queue, "agents": agent, "conferences": conference} {
		got := object(t, s, "https://api.voipbin.net/v1.0/"+path+"/"+was["id"].(string))
		if got["name"] != was["name"] || got["tm_create"] != was["tm_create"] {
			t.Errorf("%s after the restart: %v, were %v", path, got, was)
		}
	}
	calls(s)
	if got := object(t, s, "https://api.voipbin.net/v1.0/extensions/"+extension["id"].(string)+"/registrations"); len(got["result"].([]any)) == 0 {
		t.Errorf("phones: %v", got)
	}
	for path, was := range map[string]map[string]any{"extensions": extension, "numbers": number, "queues": queue, "agents": agent} {
		object(t, s, "--request", "DELETE", "https://api.voipbin.net/v1.0/"+path+"/"+was["id"].(string))
		if code, _ := curl(t, s, "https://api.voipbin.net/v1.0/"+path+"/"+was["id"].(string)); code != 404 {
			t.Errorf("%s of what is deleted: %d", path, code)
		}
	}
	if status, _ := phone(s).Register(t, time.Hour); status == 200 {
		t.Error("a phone of an extension that was deleted registers")
	}
}
