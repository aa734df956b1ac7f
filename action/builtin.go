package action

// Builtin returns a registry with the built-in actions, which work with d:
// answer, beep, branch, call, condition_variable, confbridge_join, conference_join,
// connect, digits_receive, digits_send, echo, goto, hangup, mute, play, recording_start,
// recording_stop, sleep, stop, talk, variable_set, webhook_send.
// The names of VoIPBIN's other actions are known, and refused by flow.Check.
// What each does, and where it differs from VoIPBIN, is in the documentation of package flow.
func Builtin(d Deps) *Registry {
	r := NewRegistry()
	Register[answer](r, "answer")
	r.Add("beep", func() Action { return &beep{deps: d} })
	Register[branch](r, "branch")
	r.Add("call", func() Action { return &call{dial: dial{deps: d}} })
	Register[conditionVariable](r, "condition_variable")
	Register[confbridgeJoin](r, "confbridge_join")
	Register[conferenceJoin](r, "conference_join")
	r.Add("connect", func() Action { return &connect{dial: dial{deps: d}} })
	r.Add("digits_receive", func() Action { return newDigitsReceive(d) })
	Register[digitsSend](r, "digits_send")
	r.Add("echo", func() Action { return &echo{Duration: defaultEchoMS} })
	Register[gotoAction](r, "goto")
	Register[hangup](r, "hangup")
	Register[mute](r, "mute")
	r.Add("play", func() Action { return &play{deps: d} })
	Register[recordingStart](r, "recording_start")
	Register[recordingStop](r, "recording_stop")
	Register[sleep](r, "sleep")
	Register[stop](r, "stop")
	r.Add("talk", func() Action { return &talk{deps: d} })
	Register[variableSet](r, "variable_set")
	r.Add("webhook_send", func() Action { return &webhookSend{deps: d} })
	for _, name := range later {
		r.Add(name, func() Action { return &notYet{name} })
	}
	return r
}
