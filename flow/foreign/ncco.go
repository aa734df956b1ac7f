package foreign

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// ReadNCCO makes actions of an NCCO, as ReadTwiML does of TwiML.
func ReadNCCO(data []byte, o Options) (actions json.RawMessage, findings []flow.Finding) {
	n := &ncco{newBuilder(data, o)}
	n.format = action.FormatVonage
	if len(data) > flow.MaxSize {
		return n.fail(0, "the document has more than %d bytes", flow.MaxSize)
	}
	tree, problems := action.ParseJSON(data)
	if tree == nil {
		at, text := 0, "not JSON"
		if len(problems) > 0 {
			at, text = problems[0].Offset, problems[0].Message
		}
		return n.fail(at, "%s", text)
	}
	if tree.Kind != action.Array {
		return n.fail(tree.Start, "an NCCO is a list of actions")
	}
	for i, e := range tree.Elems {
		x := &nccoAction{e, "/" + strconv.Itoa(i)}
		name := x.text("action")
		read, ok := nccoActions[name]
		if !ok {
			n.left(x, "action", "action %.40q cannot be expressed", name)
			continue
		}
		read(n, x)
	}
	return n.done()
}

// ncco reads one document.
type ncco struct{ *builder }

type nccoAction struct {
	*action.Node
	pointer string
}

// text is a string or number of the action.
func (x *nccoAction) text(key string) string {
	if m := x.Member(key); m != nil && (m.Kind == action.String || m.Kind == action.Number || m.Kind == action.Bool) {
		return m.Text
	}
	return ""
}

// first is a string, or the first one of a list, as URLs are written.
func (x *nccoAction) first(key string) string {
	if m := x.Member(key); m != nil && m.Kind == action.Array && len(m.Elems) > 0 {
		return m.Elems[0].Text
	}
	return x.text(key)
}

func (x *nccoAction) number(key string, otherwise int) int {
	if v, err := strconv.ParseFloat(x.text(key), 64); err == nil && v >= 0 && v < 1e6 {
		return int(v)
	}
	return otherwise
}

func (n *ncco) left(x *nccoAction, key, format string, args ...any) {
	at, pointer := x.Start, x.pointer
	for _, m := range x.Members {
		if m.Key == key {
			at, pointer = m.Start, x.pointer+"/"+key
		}
	}
	n.find(flow.SeverityError, RuleForeign, at, pointer, format, args...)
}

// keys tells of those that are left out.
func (n *ncco) keys(x *nccoAction, known ...string) {
	for _, m := range x.Members {
		if m.Key != "action" && !slices.Contains(known, m.Key) {
			n.left(x, m.Key, "%s of %s cannot be expressed", m.Key, x.text("action"))
		}
	}
}

// goOn asks the event URL, whose answer takes the place of the document; an event that is only taken lets it go on.
func (n *ncco) goOn(x *nccoAction, id string) {
	uri, err := n.url(x.first("eventUrl"))
	if err != nil {
		n.left(x, "eventUrl", "eventUrl of %s cannot be used: %v", x.text("action"), err)
		return
	}
	n.add("fetch", n.fetch(uri, x.text("eventMethod"), x.text("action"), id))
}

// nccoActions do what an action says.
var nccoActions = map[string]func(n *ncco, x *nccoAction){
	"talk": (*ncco).talk, "stream": (*ncco).stream, "input": (*ncco).input, "connect": (*ncco).connect,
	"conversation": (*ncco).conversation, "record": (*ncco).record, "notify": (*ncco).notify,
}

// again is the loop of talk and stream: 0 is for ever.
func (n *ncco) again(x *nccoAction, typ string, o opts) {
	switch loop := x.number("loop", 1); loop {
	case 1:
		n.add(typ, o)
	default:
		id := n.id(x.text("action"))
		n.put(step{ID: id, Type: typ, Option: o})
		if loop == 0 {
			loop = 1000
		}
		n.add("goto", opts{"target_id": id, "loop_count": loop - 1})
	}
}

func (n *ncco) talk(x *nccoAction) {
	n.keys(x, "text", "language", "loop", "bargeIn")
	o := opts{"text": x.text("text")}
	if l := x.text("language"); l != "" {
		o["language"] = l
	}
	if x.text("bargeIn") == "true" {
		o["digits_handle"] = "next"
	}
	n.again(x, "talk", o)
	n.answered = true
}

func (n *ncco) stream(x *nccoAction) {
	n.keys(x, "streamUrl", "loop")
	uri, err := n.url(x.first("streamUrl"))
	if err != nil {
		n.left(x, "streamUrl", "streamUrl of stream cannot be used: %v", err)
		return
	}
	n.answer()
	n.again(x, "play", opts{"stream_urls": []any{uri}})
}

func (n *ncco) input(x *nccoAction) {
	n.keys(x, "type", "dtmf", "eventUrl", "eventMethod", "mode")
	if m := x.Member("type"); m != nil && slices.ContainsFunc(m.Elems, func(e *action.Node) bool { return e.Text == "speech" }) {
		n.left(x, "type", "input of speech cannot be expressed: digits are listened for")
	}
	o := opts{"duration": longest, "keep_key": false, "length": 4}
	wait, key := 3, ""
	if m := x.Member("dtmf"); m != nil {
		d := &nccoAction{m, x.pointer + "/dtmf"}
		wait = d.number("timeOut", wait)
		if v := d.number("maxDigits", 4); v > 0 {
			o["length"] = v
		}
		if d.text("submitOnHash") == "true" {
			key = "#"
		}
	}
	if key != "" {
		o["key"] = key
	}
	o["first_timeout"], o["digit_timeout"] = max(1000*wait, 1), max(1000*wait, 1)
	n.answer()
	id := n.id("input")
	n.put(step{ID: id, Type: "digits_receive", Option: o})
	if x.Member("eventUrl") != nil {
		n.goOn(x, id)
	}
}

func (n *ncco) connect(x *nccoAction) {
	n.keys(x, "endpoint", "from", "timeout", "limit", "eventUrl", "eventMethod", "eventType")
	var to []any
	if m := x.Member("endpoint"); m != nil {
		for i, e := range m.Elems {
			p := &nccoAction{e, x.pointer + "/endpoint/" + strconv.Itoa(i)}
			switch p.text("type") {
			case "phone":
				to = append(to, map[string]any{"type": "tel", "target": "+" + strings.TrimPrefix(p.text("number"), "+")})
			case "sip":
				to = append(to, map[string]any{"type": "sip", "target": strings.TrimPrefix(p.text("uri"), "sip:")})
			case "app":
				to = append(to, map[string]any{"type": "extension", "target": p.text("user"), "target_name": p.text("user")})
			case "vbc":
				to = append(to, map[string]any{"type": "extension", "target": p.text("extension"), "target_name": p.text("extension")})
			case "websocket":
				parameters := map[string]any{}
				if h := e.Member("headers"); h != nil {
					for _, m := range h.Members {
						parameters[m.Key] = m.Value.Text
					}
				}
				n.answer()
				n.put(step{ID: n.id("stream"), Type: "external_media_start", Option: n.socket(p, parameters)})
				return
			default:
				n.left(p, "type", "an endpoint of type %.40q cannot be called", p.text("type"))
			}
		}
	}
	if len(to) == 0 {
		n.left(x, "endpoint", "connect calls nobody")
		return
	}
	o := opts{"destinations": to, "timeout": 1000 * x.number("timeout", 60)}
	if limit := x.number("limit", 0); limit > 0 {
		o["max_duration"] = 1000 * limit
	}
	if from := x.text("from"); from != "" {
		o["source"] = map[string]any{"type": "tel", "target": "+" + strings.TrimPrefix(from, "+")}
	}
	id := n.id("connect")
	n.put(step{ID: id, Type: "connect", Option: o})
	if x.text("eventType") == "synchronous" && x.Member("eventUrl") != nil {
		n.goOn(x, id)
		return
	}
	if x.Member("eventUrl") != nil {
		n.left(x, "eventUrl", "eventUrl of connect is asked where eventType is synchronous only")
	}
}

func (n *ncco) conversation(x *nccoAction) {
	n.keys(x, "name")
	name := x.text("name")
	if name == "" {
		n.left(x, "", "conversation has no name")
		return
	}
	n.add("conference_join", opts{"conference_id": name})
	n.answered = true
}

func (n *ncco) record(x *nccoAction) {
	n.keys(x, "endOnSilence", "endOnKey", "timeOut", "beepStart", "format", "split", "channels", "eventUrl", "eventMethod")
	o := opts{"beep_start": x.text("beepStart") == "true"}
	ends := false
	if s := x.number("endOnSilence", 0); s > 0 {
		o["end_of_silence"], ends = s, true
	}
	switch key := x.text("endOnKey"); key {
	case "":
	case "*", "#":
		o["end_of_key"], ends = key, true
	default:
		o["end_of_key"], ends = "any", true
		n.left(x, "endOnKey", "endOnKey of record is * or #: any key ends it")
	}
	if s := x.number("timeOut", 0); s > 0 {
		o["duration"], ends = s, true
	}
	n.answer()
	id := n.id("record")
	if ends { // else it records what follows
		o["wait"] = true
	}
	n.put(step{ID: id, Type: "recording_start", Option: o})
	if x.Member("eventUrl") != nil {
		if ends {
			n.goOn(x, id)
			return
		}
		n.left(x, "eventUrl", "eventUrl of a record that does not end by itself cannot be expressed")
	}
}

// notify tells, and goes on with what is answered.
func (n *ncco) notify(x *nccoAction) {
	n.keys(x, "eventUrl", "eventMethod")
	n.goOn(x, "")
}

// socket are the options of a WebSocket of Vonage's, which is protocol pcm.
func (n *ncco) socket(p *nccoAction, parameters map[string]any) opts {
	o := opts{"protocol": "pcm", "url": p.text("uri"), "direction_listen": "in", "direction_speak": "out", "wait": true, "sample_rate": 8000}
	switch kind := strings.ReplaceAll(p.text("content-type"), " ", ""); kind {
	case "audio/l16;rate=16000":
		o["sample_rate"] = 16000
	case "audio/l16;rate=24000":
		o["sample_rate"] = 24000
	case "audio/l16;rate=8000":
	default:
		n.left(p, "content-type", "content-type %.60q: the sound is audio/l16;rate=8000", kind)
	}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	return o
}
