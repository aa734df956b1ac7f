package foreign

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// ReadTwiML makes actions of a TwiML document, as the text of a flow. findings tell what of it was left out (errors) or is
// done in another way (warnings); actions is nil where it is no TwiML at all.
func ReadTwiML(data []byte, o Options) (actions json.RawMessage, findings []flow.Finding) {
	t := &twiml{newBuilder(data, o)}
	root, err := parseXML(data)
	if s, ok := errors.AsType[*syntaxError](err); ok {
		return t.fail(s.offset, "%s", s.text)
	}
	if root.name != "Response" {
		return t.fail(root.offset, "the document is a <%s>, not a <Response>", root.name)
	}
	t.attributes(root, nil, nil)
	for i, e := range root.children {
		verb, ok := verbs[e.name]
		if !ok {
			t.left(e, "", "<%s> %s", e.name, unknownVerb(e.name))
			continue
		}
		if over := verb(t, e); over {
			for _, rest := range root.children[i+1:] {
				t.warn(rest, "", flow.RuleUnreachable, "<%s> is never reached: the document ends with the <%s> before it", rest.name, e.name)
			}
			break
		}
	}
	return t.done()
}

// twiml reads one document.
type twiml struct{ *builder }

// verbs do what an element says; over: nothing behind it is reached.
var verbs = map[string]func(t *twiml, e *element) (over bool){
	"Say": (*twiml).say, "Play": (*twiml).play, "Pause": (*twiml).pause, "Gather": (*twiml).gather, "Dial": (*twiml).dial,
	"Record": (*twiml).record, "Redirect": (*twiml).redirect, "Hangup": (*twiml).hangup, "Reject": (*twiml).reject,
	"Enqueue": (*twiml).enqueue, "Connect": (*twiml).connect, "Start": (*twiml).start, "Stop": (*twiml).stop,
}

// inexpressible are the verbs of TwiML that there is nothing for.
var inexpressible = []string{"Leave", "Pay", "Prompt", "Refer", "Sms", "Message", "Echo", "Queue", "Siprec", "Transcription"}

func unknownVerb(name string) string {
	if slices.Contains(inexpressible, name) {
		return "cannot be expressed"
	}
	var known []string
	for v := range verbs {
		known = append(known, v)
	}
	slices.Sort(known)
	return "is no verb" + action.Suggest(name, known, "")
}

// at is the place of an attribute of e; "" is e itself.
func (t *twiml) at(e *element, attr string) (offset int, pointer string) {
	if attr == "" {
		return e.offset, e.pointer
	}
	return e.attrOffset(t.data, attr), e.pointer + "/@" + attr
}

// left tells that something is left out.
func (t *twiml) left(e *element, attr, format string, args ...any) {
	offset, pointer := t.at(e, attr)
	t.find(flow.SeverityError, RuleForeign, offset, pointer, format, args...)
}

func (t *twiml) warn(e *element, attr, rule, format string, args ...any) {
	offset, pointer := t.at(e, attr)
	t.find(flow.SeverityWarning, rule, offset, pointer, format, args...)
}

// defaults are values of attributes that change nothing.
var defaults = map[string]string{
	"startConferenceOnEnter": "true", "endConferenceOnExit": "false", "record": "do-not-record", "trim": "trim-silence", "jitterBufferSize": "medium",
}

// attributes tells of those of e that are neither known nor expressible; not says why some of TwiML's are not.
func (t *twiml) attributes(e *element, known []string, not map[string]string) {
	for _, a := range e.attrs {
		name := a.Name.Local
		switch why, is := not[name]; {
		case is && defaults[name] != "" && defaults[name] == a.Value:
		case a.Name.Space != "" || name == "xmlns" || slices.Contains(known, name):
		case is:
			t.left(e, name, "%s of <%s> cannot be expressed: %s", name, e.name, why)
		default:
			t.warn(e, name, action.RuleUnknownKey, "<%s> has no attribute %s%s", e.name, name, action.Suggest(name, known, ""))
		}
	}
}

// number reads an attribute that is a whole number from least.
func (t *twiml) number(e *element, name string, otherwise, least int) int {
	s, ok := e.attr(name)
	if !ok || s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > 1_000_000 {
		t.warn(e, name, action.RuleBadValue, "%s of <%s> must be a whole number from %d, not %.40q: it is taken for %d", name, e.name, least, s, otherwise)
		return otherwise
	}
	return n
}

// truth reads an attribute that is true or false.
func (t *twiml) truth(e *element, name string, otherwise bool) bool {
	switch s, _ := e.attr(name); strings.ToLower(s) {
	case "":
		return otherwise
	case "true":
		return true
	case "false":
		return false
	default:
		t.warn(e, name, action.RuleBadValue, "%s of <%s> must be true or false, not %.40q", name, e.name, s)
		return otherwise
	}
}

// children tells of elements that may not stand in e.
func (t *twiml) children(e *element, may ...string) {
	for _, c := range e.children {
		if !slices.Contains(may, c.name) {
			t.left(c, "", "<%s> in <%s> cannot be expressed", c.name, e.name)
		}
	}
}

// link resolves a URL of e; ok is false where there is none that works, which is told.
func (t *twiml) link(e *element, attr, ref string) (uri string, ok bool) {
	uri, err := t.url(ref)
	if err != nil {
		t.left(e, attr, "the URL of <%s> cannot be used: %v", e.name, err)
	}
	return uri, err == nil
}

// goOn adds the fetch of the action URL of e, whose result is that of the step id.
func (t *twiml) goOn(e *element, id string) {
	ref, _ := e.attr("action")
	if uri, ok := t.link(e, "action", ref); ok {
		method, has := e.attr("method")
		if !has && ref == "" {
			method = t.o.Method
		}
		t.add("fetch", t.fetch(uri, method, e.name, id))
	}
}

// again adds a step loop times.
func (t *twiml) again(e *element, typ string, o opts) {
	loop := t.number(e, "loop", 1, 0)
	if loop == 1 {
		t.add(typ, o)
		return
	}
	if loop == 0 { // until the caller hangs up; Twilio, too, stops at a thousand
		loop = 1000
	}
	id := t.id(strings.ToLower(e.name))
	t.put(step{ID: id, Type: typ, Option: o})
	t.add("goto", opts{"target_id": id, "loop_count": loop - 1})
}
