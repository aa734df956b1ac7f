package foreign

import (
	"strings"

	"github.com/callbin/callbin/action"
)

func (t *twiml) dial(e *element) bool {
	t.attributes(e, []string{"action", "method", "timeout", "timeLimit", "callerId", "record", "hangupOnStar", "answerOnBridge", "sequential"}, map[string]string{
		"trim": "a recording is kept as it is", "ringTone": "the caller hears the engine's ringing", "referUrl": "nobody is asked", "referMethod": "nobody is asked",
		"recordingStatusCallback": "nobody but the action URL is told of it", "recordingStatusCallbackMethod": "nobody but the action URL is told of it",
		"recordingStatusCallbackEvent": "nobody but the action URL is told of it", "recordingTrack": "both sides are recorded",
	})
	t.children(e, "Number", "Sip", "Client", "Conference")
	for _, c := range e.children {
		if c.name == "Conference" {
			return t.conference(e, c)
		}
	}
	o := opts{}
	var to []any
	if text := strings.TrimSpace(e.text); text != "" {
		to = t.number164(e, to, text)
	}
	screen := ""
	for _, c := range e.children {
		to = t.noun(e, c, to, &screen)
	}
	if len(to) == 0 {
		t.left(e, "", "<Dial> calls nobody")
		return false
	}
	o["destinations"] = to
	if screen != "" {
		o["screen_actions"] = []any{map[string]any{"type": "fetch", "option": map[string]any{"event_url": literal(screen), "format": t.format, "account": literal(t.o.Account), "timeout": 15000}}}
	}
	o["timeout"] = 1000 * t.number(e, "timeout", 30, 1)
	if n := t.number(e, "timeLimit", 0, 1); n > 0 {
		o["max_duration"] = 1000 * n
	}
	if from, _ := e.attr("callerId"); from != "" {
		o["source"] = source(from)
	}
	if t.truth(e, "hangupOnStar", false) {
		o["hangup_key"] = "*"
	}
	if t.truth(e, "sequential", false) {
		o["ring_method"] = "linear"
	}
	bridge := t.truth(e, "answerOnBridge", false)
	records, _ := e.attr("record")
	records = strings.ToLower(records)
	record := records != "" && records != "false" && records != "do-not-record"
	if record && bridge && !t.answered {
		t.left(e, "record", "record of <Dial> cannot be expressed with answerOnBridge: only an answered call is recorded")
		record = false
	}
	if !bridge {
		t.answer()
	}
	if record {
		if !strings.HasPrefix(records, "record-from-ringing") {
			t.warn(e, "record", RuleForeign, "the recording of <Dial> begins with the ringing")
		}
		t.add("recording_start", nil)
	}
	id := t.id("dial")
	t.put(step{ID: id, Type: "connect", Option: o})
	if record {
		t.add("recording_stop", nil)
	}
	if _, ok := e.attr("action"); ok {
		t.goOn(e, id)
		return true
	}
	return false
}

// source is who a callerId shows.
func source(from string) map[string]any {
	switch {
	case strings.HasPrefix(from, "client:"):
		return map[string]any{"type": "extension", "target": strings.TrimPrefix(from, "client:")}
	case strings.HasPrefix(from, "sip:"):
		return map[string]any{"type": "sip", "target": strings.TrimPrefix(from, "sip:")}
	default:
		return map[string]any{"type": "tel", "target": from}
	}
}

// noun adds whom an element of a Dial calls. screen is the URL of what who answers hears first.
func (t *twiml) noun(dial, e *element, to []any, screen *string) []any {
	t.attributes(e, []string{"url", "method"}, map[string]string{
		"sendDigits": "nothing is pressed at who answers", "statusCallback": "nobody but the action URL is told", "statusCallbackEvent": "nobody but the action URL is told",
		"statusCallbackMethod": "nobody but the action URL is told", "byoc": "trunks are chosen by the engine", "username": "trunks have the credentials", "password": "trunks have the credentials",
	})
	if ref, ok := e.attr("url"); ok {
		if uri, ok := t.link(e, "url", ref); ok {
			if *screen != "" && *screen != uri {
				t.left(e, "url", "who answers is asked by one URL: a second one cannot be expressed")
			} else {
				*screen = uri
			}
		}
	}
	text := strings.TrimSpace(e.text)
	for _, c := range e.children {
		if e.name == "Client" && c.name == "Identity" {
			text = strings.TrimSpace(c.text)
		} else {
			t.left(c, "", "<%s> in <%s> cannot be expressed", c.name, e.name)
		}
	}
	switch {
	case e.name == "Conference" || e.name == "Queue": // told before
	case text == "":
		t.warn(e, "", action.RuleRequired, "<%s> is empty", e.name)
	case e.name == "Number":
		return t.number164(e, to, text)
	case e.name == "Client":
		return append(to, map[string]any{"type": "extension", "target": text, "target_name": text})
	case e.name == "Sip":
		uri, headers, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "sips:"), "sip:"), "?")
		if has {
			t.left(e, "", "headers of <Sip> cannot be expressed: %.80q", headers)
		}
		return append(to, map[string]any{"type": "sip", "target": uri})
	}
	return to
}

// number164 adds a number. One without + is of North America where it has its length, and else dialled as it is.
func (t *twiml) number164(e *element, to []any, text string) []any {
	if rest, ok := strings.CutPrefix(text, "sip:"); ok {
		return append(to, map[string]any{"type": "sip", "target": rest})
	}
	if rest, ok := strings.CutPrefix(text, "client:"); ok {
		return append(to, map[string]any{"type": "extension", "target": rest, "target_name": rest})
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	switch {
	case digits == "":
		t.left(e, "", "<%s> calls %.40q, which is no number", e.name, text)
		return to
	case strings.HasPrefix(text, "+"):
		digits = "+" + digits
	case len(digits) == 10:
		digits = "+1" + digits
		t.warn(e, "", RuleForeign, "%.40q has no country code: it is taken for %s", text, digits)
	case len(digits) == 11 && digits[0] == '1':
		digits = "+" + digits
		t.warn(e, "", RuleForeign, "%.40q has no +: it is taken for %s", text, digits)
	case len(digits) <= 6:
		t.warn(e, "", RuleForeign, "%.40q is no whole number: it is taken for the extension %s", text, digits)
		return append(to, map[string]any{"type": "extension", "target": digits, "target_name": digits})
	default:
		digits = "+" + digits
		t.warn(e, "", RuleForeign, "%.40q has no +: it is taken for %s", text, digits)
	}
	return append(to, map[string]any{"type": "tel", "target": digits})
}

// conference is a Dial with a room.
func (t *twiml) conference(dial, e *element) bool {
	room := "the room itself says so"
	t.attributes(e, []string{"muted"}, map[string]string{
		"beep": room, "startConferenceOnEnter": room, "endConferenceOnExit": room, "maxParticipants": room, "waitUrl": room, "waitMethod": room,
		"record": room, "region": "there is one", "trim": room, "coach": "a supervisor joins by the engine", "jitterBufferSize": "it is adaptive",
		"statusCallback": "webhooks of the engine tell", "statusCallbackEvent": "webhooks of the engine tell", "statusCallbackMethod": "webhooks of the engine tell",
		"recordingStatusCallback": "webhooks of the engine tell", "recordingStatusCallbackMethod": "webhooks of the engine tell",
		"recordingStatusCallbackEvent": "webhooks of the engine tell", "eventCallbackUrl": "webhooks of the engine tell", "participantLabel": "members are known by their call",
	})
	name := strings.TrimSpace(e.text)
	if name == "" {
		t.left(e, "", "<Conference> has no name")
		return false
	}
	o := opts{"conference_id": name}
	if t.truth(e, "muted", false) {
		o["role"] = "listener"
	}
	id := t.id("dial")
	t.put(step{ID: id, Type: "conference_join", Option: o})
	t.answered = true
	if _, ok := dial.attr("action"); ok {
		t.goOn(dial, id)
		return true
	}
	return false
}
