package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestVoIPBINsCurlExamplesOfConferences are those of its documentation, with the server's address: a conference is made, changed and recorded, two calls
// join it by the action of a flow and hear each other, one is muted, one is kicked, and the conference is deleted.
func TestVoIPBINsCurlExamplesOfConferences(t *testing.T) {
	s := start(t, serverOptions{config: loopbackOnly})
	made := object(t, s, "--location", "--request", "POST", "https://api.voipbin.net/v1.0/conferences", "--header", asJSON, "--data-raw", `{
    "type": "conference",
    "name": "test conference",
    "detail": "test conference for example",
    "timeout": 3600,
    "pre_flow_id": "00000000-0000-0000-0000-000000000000"
}`)
	id, _ := made["id"].(string)
	if id == "" || made["status"] != "progressing" || made["type"] != "conference" || made["timeout"] != 3600.0 {
		t.Fatalf("made: %v", made)
	}
	if got := object(t, s, "--request", "PUT", "https://api.voipbin.net/v1.0/conferences/"+id, "--header", asJSON, "--data", `{"name":"standup","data":{"team":"blue"}}`); got["name"] != "standup" || got["detail"] != "test conference for example" {
		t.Errorf("changed: %v", got)
	}

	join := func() (*calltest.PhoneCall, string) {
		p, target := bob(t)
		got := object(t, s, "--location", "--request", "POST", "https://api.voipbin.net/v1.0/calls", "--header", asJSON, "--data-raw", fmt.Sprintf(`{
    "source": {"type": "sip", "target": "alice@127.0.0.1"},
    "destinations": [{"type": "sip", "target": %q}],
    "actions": [
        {"type": "conference_join", "option": {"conference_id": %q}},
        {"type": "beep"},
        {"type": "sleep", "option": {"duration": 60000}}
    ]
}`, target, id))
		c := p.WaitCall(t)
		c.Answer()
		return c, got["calls"].([]any)[0].(map[string]any)["id"].(string)
	}
	// stay is that of a call in the conference, once it is there.
	stay := func(callID string) map[string]any {
		var found map[string]any
		until(t, "the call is in the conference", func() bool {
			all := object(t, s, "https://api.voipbin.net/v1.0/conferencecalls?page_size=10&conference_id="+id+"&reference_id="+callID)["result"].([]any)
			if len(all) == 1 {
				found = all[0].(map[string]any)
			}
			return found["status"] == "joined"
		})
		return found
	}
	ann, annID := join()
	annStay := stay(annID)
	ben, benID := join()
	benStay := stay(benID)
	if got := object(t, s, "https://api.voipbin.net/v1.0/conferences/"+id); len(got["conferencecall_ids"].([]any)) != 2 {
		t.Errorf("with two: %v", got)
	}
	if got := object(t, s, "https://api.voipbin.net/v1.0/conferences?page_size=10"); len(got["result"].([]any)) != 1 {
		t.Errorf("listed: %v", got)
	}

	got := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/conferences/"+id+"/recording_start", "--header", asJSON, "--data", `{
    "format": "wav", "duration": 600, "on_end_flow_id": "00000000-0000-0000-0000-000000000000"}`)
	recording, _ := got["recording_id"].(string)
	if recording == "" {
		t.Fatalf("recorded: %v", got)
	}
	// hears tells whether to hears from, of some seconds of speech.
	hears := func(from, to *calltest.PhoneCall) bool {
		from.Say(calltest.Tone(440, 1500*time.Millisecond))
		pauseFor(500 * time.Millisecond)
		before := len(to.Heard())
		pauseFor(800 * time.Millisecond)
		heard := to.Heard()[before:]
		pauseFor(500 * time.Millisecond)
		return calltest.Hears(heard, 440)
	}
	if !hears(ann, ben) || !hears(ben, ann) {
		t.Error("they do not hear each other")
	}
	if got := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/conferencecalls/"+annStay["id"].(string)+"/mute"); got["muted"] != true {
		t.Errorf("muted: %v", got)
	}
	if hears(ann, ben) {
		t.Error("who is muted is heard")
	}
	object(t, s, "--request", "DELETE", "https://api.voipbin.net/v1.0/conferencecalls/"+annStay["id"].(string)+"/mute")
	object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/conferences/"+id+"/recording_stop")
	if got := object(t, s, "https://api.voipbin.net/v1.0/recordings/"+recording); got["status"] != "ended" || got["reference_id"] != id {
		t.Errorf("recording: %v", got)
	}

	object(t, s, "--location", "--request", "DELETE", "https://api.voipbin.net/v1.0/conferencecalls/"+benStay["id"].(string))
	until(t, "it is out, and its flow goes on", func() bool {
		got := object(t, s, "https://api.voipbin.net/v1.0/conferencecalls/"+benStay["id"].(string))
		return got["status"] == "leaved" && got["code"] == "kicked"
	})
	if got := object(t, s, "https://api.voipbin.net/v1.0/calls/"+benID); got["status"] != "progressing" {
		t.Errorf("who is kicked: %v", got)
	}

	if got := object(t, s, "--location", "--request", "DELETE", "https://api.voipbin.net/v1.0/conferences/"+id); got["id"] != id {
		t.Errorf("deleted: %v", got)
	}
	until(t, "the conference is over", func() bool {
		code, text := curl(t, s, "https://api.voipbin.net/v1.0/conferences/"+id)
		return code == 200 && strings.Contains(text, `"status":"terminated"`)
	})
	until(t, "who was in it is out", func() bool {
		return object(t, s, "https://api.voipbin.net/v1.0/conferencecalls/"+annStay["id"].(string))["status"] == "leaved"
	})
	for _, callID := range []string{annID, benID} {
		object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls/"+callID+"/hangup")
	}
	ann.WaitEnd(t)
	ben.WaitEnd(t)
}
