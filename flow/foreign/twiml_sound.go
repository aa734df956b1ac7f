package foreign

import (
	"strings"

	"github.com/callbin/callbin/action"
)

// speech are the options of what a Say says; nil: nothing.
func (t *twiml) speech(e *element) opts {
	t.attributes(e, []string{"voice", "language", "loop"}, nil)
	o := opts{}
	text := strings.Join(strings.Fields(e.text), " ")
	if len(e.children) > 0 { // SSML: it is what the document says, as it is written
		inner := string(t.data[e.tagEnd:e.innerEnd])
		if text = "<speak>" + strings.TrimSpace(inner) + "</speak>"; e.children[0].name == "speak" {
			text = strings.TrimSpace(inner)
		}
	}
	if text == "" {
		t.warn(e, "", action.RuleRequired, "<Say> has no text")
		return nil
	}
	o["text"] = text
	if l, _ := e.attr("language"); l != "" {
		o["language"] = l
	}
	switch v, _ := e.attr("voice"); strings.ToLower(v) {
	case "":
	case "man":
		o["gender"] = "male"
	case "woman", "alice":
		o["gender"] = "female"
	default:
		t.warn(e, "voice", RuleForeign, "voice %.40q is one of another speech engine: the text is spoken by the voice of its language", v)
	}
	return o
}

func (t *twiml) say(e *element) bool {
	if o := t.speech(e); o != nil {
		t.again(e, "talk", o)
		t.answered = true
	}
	return false
}

// sound is the URL that a Play plays; "": none.
func (t *twiml) sound(e *element) string {
	t.attributes(e, []string{"loop", "digits"}, nil)
	t.children(e)
	ref := strings.TrimSpace(e.text)
	if ref == "" {
		if _, ok := e.attr("digits"); !ok {
			t.warn(e, "", action.RuleRequired, "<Play> has no URL")
		}
		return ""
	}
	uri, _ := t.link(e, "", ref)
	return uri
}

func (t *twiml) play(e *element) bool {
	t.answer()
	if uri := t.sound(e); uri != "" {
		t.again(e, "play", opts{"stream_urls": []any{uri}})
	}
	digits, _ := e.attr("digits")
	for i, run := range strings.FieldsFunc(strings.ToUpper(digits), func(r rune) bool { return r == 'W' }) {
		if bad := strings.Trim(run, "0123456789ABCD*#"); bad != "" {
			t.left(e, "digits", "digits of <Play> must be made of 0-9 A-D * # and w, not %.40q", digits)
			break
		}
		if i > 0 || strings.HasPrefix(strings.ToUpper(digits), "W") {
			t.add("sleep", opts{"duration": 500})
		}
		t.add("digits_send", opts{"digits": run})
	}
	return false
}

func (t *twiml) pause(e *element) bool {
	t.attributes(e, []string{"length"}, nil)
	t.add("sleep", opts{"duration": 1000 * t.number(e, "length", 1, 0)})
	return false
}

func (t *twiml) redirect(e *element) bool {
	t.attributes(e, []string{"method"}, nil)
	uri, ok := t.link(e, "", e.text)
	if ok {
		method, _ := e.attr("method")
		t.add("fetch", t.fetch(uri, method, "", ""))
	}
	return ok
}

func (t *twiml) hangup(e *element) bool {
	t.attributes(e, nil, nil)
	t.add("hangup", nil)
	return true
}

func (t *twiml) reject(e *element) bool {
	t.attributes(e, []string{"reason"}, nil)
	reason := "failed"
	switch r, _ := e.attr("reason"); r {
	case "busy":
		reason = "busy"
	case "", "rejected":
	default:
		t.warn(e, "reason", action.RuleBadValue, "reason of <Reject> is rejected or busy, not %.40q", r)
	}
	t.add("hangup", opts{"reason": reason})
	return true
}

func (t *twiml) enqueue(e *element) bool {
	t.attributes(e, []string{"action", "method"}, map[string]string{
		"waitUrl": "what who waits hears is the queue's own", "waitUrlMethod": "what who waits hears is the queue's own", "workflowSid": "there is no TaskRouter",
	})
	t.children(e)
	name := strings.TrimSpace(e.text)
	if name == "" {
		t.left(e, "", "<Enqueue> names no queue")
		return false
	}
	id := t.id("enqueue")
	t.put(step{ID: id, Type: "queue_join", Option: opts{"queue_id": name}})
	t.answered = true
	if _, ok := e.attr("action"); ok {
		t.goOn(e, id)
		return true
	}
	return false
}

func (t *twiml) connect(e *element) bool { return t.stream(e, true) }
func (t *twiml) start(e *element) bool   { return t.stream(e, false) }

func (t *twiml) stop(e *element) bool {
	t.children(e, "Stream")
	if len(e.children) > 0 {
		t.add("external_media_stop", nil)
	}
	return false
}

// stream is a Connect, which waits for the end of its stream, or a Start, which does not.
func (t *twiml) stream(e *element, wait bool) bool {
	t.attributes(e, []string{"action", "method"}, nil)
	t.children(e, "Stream")
	for _, s := range e.children {
		if s.name != "Stream" {
			continue
		}
		t.attributes(s, []string{"url", "track", "name"}, map[string]string{
			"statusCallback": "nobody is told of the stream", "statusCallbackMethod": "nobody is told of the stream", "connectorName": "there are no connectors",
		})
		t.children(s, "Parameter")
		uri, _ := s.attr("url")
		if !strings.HasPrefix(uri, "wss://") && !strings.HasPrefix(uri, "ws://") {
			t.left(s, "url", "url of <Stream> must be a wss: URL, not %.80q", uri)
			continue
		}
		parameters := map[string]any{}
		for _, p := range s.children {
			if name, _ := p.attr("name"); p.name == "Parameter" && name != "" {
				value, _ := p.attr("value")
				parameters[name] = value
			}
		}
		track, _ := s.attr("track")
		t.answer()
		t.put(step{ID: t.id("stream"), Type: "external_media_start", Option: mediaOptions(uri, track, parameters, wait)})
	}
	if _, ok := e.attr("action"); ok {
		t.goOn(e, "")
		return true
	}
	return false
}

// mediaOptions are those of external_media_start for a stream of Twilio's protocol: one that the flow waits for is heard, and hears the caller
// alone; others only listen.
func mediaOptions(uri, track string, parameters map[string]any, wait bool) opts {
	o := opts{"protocol": "twilio", "url": uri, "wait": wait, "direction_listen": "in"}
	switch {
	case wait:
		o["direction_speak"] = "out"
	case track == "outbound_track":
		o["direction_listen"] = "out"
	case track == "both_tracks":
		o["direction_listen"] = "both"
	}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	return o
}
