package httpapi

import (
	"reflect"
	"strings"
	"testing"

	"github.com/callbin/callbin/call"
)

func TestTopics(t *testing.T) {
	for topic, want := range map[string]call.EventFilter{
		"*":                         {},
		"*:call_*":                  {Types: []string{"call_*"}},
		"type:dtmf_received":        {Types: []string{"dtmf_received"}},
		"call:c1":                   {CallID: "c1"},
		"call:c1:call_hangup":       {CallID: "c1", Types: []string{"call_hangup"}},
		"journey:j1":                {JourneyID: "j1"},
		"conference:f1:conference*": {ConferenceID: "f1", Types: []string{"conference*"}},
		"customer_id:u1":            {},
		"customer_id:u1:call":       {Types: []string{"call_*"}},
		"customer_id:u1:call:c1":    {Types: []string{"call_*"}, CallID: "c1"},
		"customer_id:u1:conference:f": {
			Types: []string{"conference_*"}, ConferenceID: "f"},
	} {
		got, err := topicFilter(topic)
		if len(got.Types) == 0 {
			got.Types = nil
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
	for topic, want := range map[string]string{
		"": "empty", ":": "empty", "call": "no id", "call:": "empty", "call:a:b:c": "behind the type", "type": "not type:TYPE", "agent_id:1": "there are *",
		"customer_id": "not customer_id", "customer_id:1:door": "the resources are", "customer_id:1:queue:2": "one queue cannot be chosen", "customer_id:1:call:2:3": "not customer_id",
	} {
		if _, err := topicFilter(topic); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", topic, err, want)
		}
	}
}

// FuzzSocketMessage: whatever a client sends, it is refused, or each of its topics is a filter.
func FuzzSocketMessage(f *testing.F) {
	for _, s := range []string{
		`{"type":"subscribe","topics":["*","call:1","customer_id:1:call:2","type:a*"],"last_event_id":"x"}`, `{"type":"unsubscribe","topics":["*"]}`,
		`{"type":"subscribe","topics":[null]}`, `[]`, `{}{}`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readSocketMessage(text)
		if err != nil {
			return
		}
		topics, err := changeTopics(nil, m)
		if m.Type == "unsubscribe" && err == nil {
			t.Fatalf("%s: unsubscribed from nothing", text)
		}
		for _, topic := range topics {
			if _, err := topicFilter(topic); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
