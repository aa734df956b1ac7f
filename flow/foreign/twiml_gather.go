package foreign

import (
	"strings"

	"github.com/callbin/callbin/action"
)

// maxGatherLoops bounds how often a nested Say or Play is said.
const maxGatherLoops = 20

// longest is how long all digits of a Gather may take together; its timeout is from one digit to the next.
const longest = 600_000

func (t *twiml) gather(e *element) bool {
	t.attributes(e, []string{"input", "numDigits", "timeout", "finishOnKey", "action", "method", "actionOnEmptyResult", "bargeIn"}, map[string]string{
		"language": "speech is not understood", "hints": "speech is not understood", "speechTimeout": "speech is not understood",
		"speechModel": "speech is not understood", "enhanced": "speech is not understood", "profanityFilter": "speech is not understood",
		"partialResultCallback": "speech is not understood", "partialResultCallbackMethod": "speech is not understood", "debug": "there is no debugger",
		"dtmfDetection": "digits are always listened for",
	})
	if input, _ := e.attr("input"); strings.Contains(input, "speech") {
		t.left(e, "input", "input %q of <Gather> cannot be expressed: speech is not understood, digits are", input)
	}
	t.answer()
	o := opts{"duration": longest, "keep_key": false, "clear": true}
	wait := 1000 * t.number(e, "timeout", 5, 0)
	o["first_timeout"], o["digit_timeout"] = max(wait, 1), max(wait, 1)
	if n := t.number(e, "numDigits", 0, 1); n > 0 {
		o["length"] = n
	}
	key, given := e.attr("finishOnKey")
	if !given || strings.Trim(key, "0123456789*#") != "" { // what is no key is taken for #, as Twilio does
		if given {
			t.warn(e, "finishOnKey", action.RuleBadValue, "finishOnKey of <Gather> must be made of 0-9 * #, not %.40q: it is taken for #", key)
		}
		key = "#"
	}
	if key != "" {
		o["key"] = key
	}
	if prompts := t.prompts(e); len(prompts) > 0 {
		o["prompts"] = prompts
	}
	if !t.truth(e, "bargeIn", true) {
		o["barge_in"] = false
	}
	id := t.id("gather")
	t.put(step{ID: id, Type: "digits_receive", Option: o})
	if t.truth(e, "actionOnEmptyResult", false) {
		t.goOn(e, id)
		return true
	}
	t.add("condition_variable", opts{"condition": "!=", "variable": expr("${" + id + ".digits}"), "value_type": "string", "value_string": "", "false_target_id": id + "-none"})
	t.goOn(e, id)
	t.put(step{ID: id + "-none", Type: "empty"})
	return false
}

// prompts is what a Gather says.
func (t *twiml) prompts(e *element) (all []any) {
	t.children(e, "Say", "Play", "Pause")
	for _, c := range e.children {
		var o opts
		switch c.name {
		case "Say":
			o = t.speech(c)
		case "Play":
			if uri := t.sound(c); uri != "" {
				o = opts{"stream_urls": []any{uri}}
			}
		case "Pause":
			t.attributes(c, []string{"length"}, nil)
			if n := t.number(c, "length", 1, 0); n > 0 {
				o = opts{"pause": 1000 * n}
			}
		}
		if o == nil {
			continue
		}
		loop := 1
		if c.name != "Pause" {
			if loop = t.number(c, "loop", 1, 0); loop == 0 || loop > maxGatherLoops {
				t.warn(c, "loop", RuleForeign, "<%s> in <Gather> is repeated %d times at most", c.name, maxGatherLoops)
				loop = maxGatherLoops
			}
		}
		for range loop {
			if len(all) == action.MaxPrompts {
				t.left(c, "", "<Gather> says %d things at most", action.MaxPrompts)
				return all
			}
			all = append(all, o)
		}
	}
	return all
}

func (t *twiml) record(e *element) bool {
	t.attributes(e, []string{"action", "method", "timeout", "finishOnKey", "maxLength", "playBeep", "trim"}, map[string]string{
		"transcribe": "the recording is not turned into text", "transcribeCallback": "the recording is not turned into text",
		"recordingStatusCallback": "nobody but the action URL is told of it", "recordingStatusCallbackMethod": "nobody but the action URL is told of it",
		"recordingStatusCallbackEvent": "nobody but the action URL is told of it",
	})
	t.answer()
	o := opts{"wait": true, "end_of_silence": t.number(e, "timeout", 5, 1), "duration": t.number(e, "maxLength", 3600, 1), "beep_start": t.truth(e, "playBeep", true)}
	key, given := e.attr("finishOnKey")
	switch {
	case !given || len(key) >= 12:
		o["end_of_key"] = "any"
	case key == "#" || key == "*":
		o["end_of_key"] = key
	case key != "":
		t.warn(e, "finishOnKey", RuleForeign, "finishOnKey of <Record> is *, # or all keys: any key ends it, not only %.40q", key)
		o["end_of_key"] = "any"
	}
	id := t.id("record")
	t.put(step{ID: id, Type: "recording_start", Option: o, OnTimeout: id + "-silent"})
	t.goOn(e, id)
	t.put(step{ID: id + "-silent", Type: "empty"})
	return false
}
