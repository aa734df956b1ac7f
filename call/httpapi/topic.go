package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/call"
)

// maxTopics is how many topics one connection has.
const maxTopics = 100

// changeTopics is what have becomes by m.
func changeTopics(have []string, m socketMessage) ([]string, error) {
	out := slices.Clone(have)
	for _, t := range m.Topics {
		i := slices.Index(out, t)
		switch {
		case m.Type == "subscribe" && i < 0:
			out = append(out, t)
		case m.Type == "unsubscribe" && i < 0:
			return nil, fmt.Errorf("topic %.80q is not subscribed to", t)
		case m.Type == "unsubscribe":
			out = slices.Delete(out, i, i+1)
		}
	}
	if len(out) > maxTopics {
		return nil, fmt.Errorf("there would be %d topics, more than %d", len(out), maxTopics)
	}
	return out, nil
}

// resources are those of VoIPBIN's topics: what the types of their events begin with.
var resources = []string{"activeflow", "agent", "call", "conference", "conferencecall", "confbridge", "groupcall", "queue", "queuecall", "recording", "transcribe", "transcript", "transfer"}

// topicFilter reads a topic: see socketDoc.
func topicFilter(topic string) (call.EventFilter, error) {
	parts := strings.Split(topic, ":")
	if slices.Contains(parts, "") {
		return call.EventFilter{}, fmt.Errorf("topic %.80q: a part of it is empty", topic)
	}
	var f call.EventFilter
	scope, rest := parts[0], parts[1:]
	switch scope {
	case "*":
	case "type":
		if len(rest) != 1 {
			return f, fmt.Errorf("topic %.80q is not type:TYPE", topic)
		}
	case "call", "journey", "conference":
		if len(rest) == 0 {
			return f, fmt.Errorf("topic %.80q has no id: %s:ID", topic, scope)
		}
		*map[string]*string{"call": &f.CallID, "journey": &f.JourneyID, "conference": &f.ConferenceID}[scope] = rest[0]
		rest = rest[1:]
	case "customer_id":
		return voipbinTopic(topic, rest)
	default:
		return f, fmt.Errorf("topic %.80q: there are *, type, call, journey, conference and customer_id", topic)
	}
	if len(rest) > 1 {
		return f, fmt.Errorf("topic %.80q: there is something behind the type", topic)
	}
	f.Types = rest
	return f, nil
}

// voipbinTopic reads what stands behind customer_id: the id of a customer, of whom there is one, a resource, and its id.
func voipbinTopic(topic string, rest []string) (f call.EventFilter, err error) {
	switch {
	case len(rest) == 0 || len(rest) > 3:
		return f, fmt.Errorf("topic %.80q is not customer_id:ID:RESOURCE:ID", topic)
	case len(rest) == 1:
		return f, nil
	case !slices.Contains(resources, rest[1]):
		return f, fmt.Errorf("topic %.80q: the resources are %s", topic, strings.Join(resources, ", "))
	}
	f.Types = []string{rest[1] + "_*"}
	if len(rest) == 3 {
		switch rest[1] {
		case "call":
			f.CallID = rest[2]
		case "conference":
			f.ConferenceID = rest[2]
		default:
			err = errors.New("events of one " + rest[1] + " cannot be chosen: those of one call, journey or conference can")
		}
	}
	return f, err
}
