package action

// Builtin returns a registry with all of VoIPBIN's actions, under their names of today and older ones,
// and with condition_expression, park, pickup, voicemail and voicemail_main. They work with d: an action that needs something that d, or the leg, lacks
// is refused by flow.Check. What each does, and where it differs from VoIPBIN, is in the
// documentation of package flow.
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
	Register[park](r, "park")
	Register[pickup](r, "pickup")
	r.Add("play", func() Action { return &play{deps: d} })
	Register[recordingStart](r, "recording_start")
	Register[recordingStop](r, "recording_stop")
	Register[sleep](r, "sleep")
	Register[stop](r, "stop")
	r.Add("talk", func() Action { return &talk{deps: d} })
	Register[variableSet](r, "variable_set")
	r.Add("webhook_send", func() Action { return &webhookSend{deps: d} })
	Register[amd](r, "amd")
	Register[block](r, "block")
	Register[conditionCallDigits](r, "condition_call_digits")
	Register[conditionCallStatus](r, "condition_call_status")
	r.Add("condition_datetime", func() Action { return newConditionDatetime() })
	compiler := &compiler{Expressions: d.Expressions}
	r.Add("condition_expression", func() Action { return &conditionExpression{compiler: compiler} })
	Register[empty](r, "empty")
	Register[externalMediaStart](r, "external_media_start")
	Register[externalMediaStop](r, "external_media_stop")
	r.Add("fetch", func() Action { return &fetch{deps: d} })
	Register[fetchFlow](r, "fetch_flow")
	Register[queueJoin](r, "queue_join")
	Register[streamEcho](r, "stream_echo")
	r.Add("ai_summary", func() Action { return &aiSummary{deps: d} })
	r.Add("ai_talk", func() Action { return &aiTalk{assistance: assistance{deps: d}} })
	r.Add("ai_task", func() Action { return &aiTask{assistance{deps: d}} })
	r.Add("case_create", func() Action { return &caseCreate{deps: d} })
	r.Add("conversation_send", func() Action { return &conversationSend{deps: d} })
	r.Add("email_send", func() Action { return &emailSend{deps: d} })
	r.Add("message_send", func() Action { return &messageSend{deps: d} })
	r.Add("transcribe_recording", func() Action { return &transcribeRecording{deps: d} })
	Register[transcribeStart](r, "transcribe_start")
	Register[transcribeStop](r, "transcribe_stop")
	r.Add("voicemail", func() Action { return newVoicemail(d) })
	r.Add("voicemail_main", func() Action { return newVoicemailMain(d) })
	for old, name := range map[string]string{
		"agent_call": "connect", "chatbot_talk": "ai_talk", "dtmf_receive": "digits_receive", "dtmf_send": "digits_send",
		"hangup_relay": "hangup", "patch": "fetch", "patch_flow": "fetch_flow", "recording_to_text": "transcribe_recording",
	} {
		r.Alias(old, name)
	}
	return r
}
