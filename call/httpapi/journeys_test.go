package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// TestJourneyIsTold: what became of a caller, as JSON, text, a chart, one leg's course, and as it stood at a moment.
func TestJourneyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": short})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		var rec string
		var id string
		for x := range h.Calls() {
			rec, id = x.Record().JourneyID, x.ID()
		}
		middle := time.Now().Add(50 * time.Millisecond)
		c.WaitEnd(t)
		time.Sleep(time.Second) // it is stored
		r := h.do(t, "GET", "/journeys/"+rec, "")
		var j call.Journey
		if err := json.Unmarshal([]byte(r.text), &j); r.code != 200 || err != nil || j.ID != rec || len(j.Nodes) < 2 || len(j.Edges) < 2 {
			t.Fatalf("%d %s, %v", r.code, r.text, err)
		}
		if r := h.do(t, "GET", "/journeys/"+rec+"/mermaid", ""); !strings.HasPrefix(r.text, "flowchart LR\n") || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
			t.Errorf("chart: %s", r.text)
		}
		plain, masked := h.do(t, "GET", "/journeys/"+rec+"/text", ""), h.do(t, "GET", "/journeys/"+rec+"/text?mask=true", "")
		if !strings.Contains(plain.text, "answers") || masked.text == plain.text {
			t.Errorf("text: %s\nmasked: %s", plain.text, masked.text)
		}
		then := h.ok(t, "GET", "/journeys/"+rec+"/state?at="+middle.UTC().Format(time.RFC3339Nano), "")
		if legs, _ := then["legs"].([]any); len(legs) != 1 || legs[0].(map[string]any)["status"] != "progressing" {
			t.Errorf("in the middle: %v", then)
		}
		if now := h.ok(t, "GET", "/journeys/"+rec+"/state", ""); len(now["legs"].([]any)) != 0 {
			t.Errorf("now: %v", now)
		}
		var what []string
		at := ""
		for _, x := range h.ok(t, "GET", "/timelines/calls/"+id+"/events", "")["result"].([]any) {
			e := x.(map[string]any)
			if what = append(what, e["what"].(string)); e["at"].(string) < at {
				t.Errorf("%v comes after %s", e, at)
			}
			at = e["at"].(string)
		}
		if got := strings.Join(what, " "); !strings.HasPrefix(got, "called") || !strings.Contains(got, "answered") || !strings.Contains(got, "step") || !strings.HasSuffix(got, "hangup") && !strings.HasSuffix(got, "hung_up") {
			t.Errorf("timeline: %s", got)
		}
		for _, path := range []string{"/journeys/x", "/journeys/x/text", "/journeys/x/state", "/timelines/calls/x/events"} {
			if r := h.do(t, "GET", path, ""); r.code != 404 {
				t.Errorf("%s: %d %s", path, r.code, r.text)
			}
		}
	})
}
