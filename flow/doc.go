// Package flow reads, checks and runs flows: programs made of actions.
//
// There are three types to know. A Flow is a program as data, read from JSON by Parse
// and checked against an engine by Check. A Func is one in plain Go. Both are a
// Program, which is what runs on a call. A Dir is a folder of flows, one file for each
// destination.
//
//	f, err := flow.Parse(data, flow.ParseOptions{Registry: actions, File: "100.json"})
//	if err != nil {
//		return err // every fault, each with its line and column
//	}
//	err = f.Run(ctx, leg)
//
// # The language
//
// A flow is a list of actions, or an object with such a list as "actions" and a "name":
//
//	{"name": "menu", "actions": [
//	  {"type": "answer"},
//	  {"id": "menu", "type": "talk", "option": {"text": "Sales: one. Support: two.", "language": "en-GB"}},
//	  {"type": "digits_receive", "option": {"duration": 5000, "length": 1}},
//	  {"type": "branch", "option": {"target_ids": {"1": "sales", "2": "support"}, "default_target_id": "again"}},
//	  {"id": "again", "type": "goto", "option": {"target_id": "menu", "loop_count": 2}},
//	  {"type": "hangup"},
//	  {"id": "sales", "type": "play", "option": {"stream_urls": ["file:sales.wav"]}, "next_id": "end"},
//	  {"id": "support", "type": "play", "option": {"stream_urls": ["file:support.wav"]}},
//	  {"id": "end", "type": "hangup"}
//	]}
//
// An action is {"id", "next_id", "type", "option"}; all but type may be left out. Actions run
// one after another. What changes the order: next_id, which names the action to go on
// with, and the targets of branch, goto and condition_variable. After the last one the
// flow is over, and with it the call.
//
// ${name} in a string of an option is replaced by the variable of that name when the
// action begins; an unknown one is empty. There are no expressions, and numbers cannot be
// variables. In SSML, values are escaped.
//
// The option actions of a call holds a flow of its own, with ids of its own, at most
// MaxNesting deep. Its variables are filled in when the call action begins: ${voipbin.call.id}
// in it is the id of the call that makes the new one, not of the new one.
//
// An action that fails is noted, and the flow goes on with the next one. These failures
// are fatal and end the flow: a target that does not exist, a branch without match and
// default, a conference that does not exist, a call none of whose destinations can be
// tried, a panic, and a loop in which no time passes (MaxIdleSteps).
//
// # The actions
//
// Times are in milliseconds where nothing else is said; "-" stands for no option. An address
// is {"type", "target", "target_name", "name"}; type is tel, sip, extension, agent or, for
// connect, conference.
//
//	answer             -                              answers; goes on at once
//	beep               -                              plays a beep
//	branch             variable, target_ids,          jumps by the exact value of a variable (its name; default
//	                   default_target_id              voipbin.call.digits), and empties the variable
//	call               source, destinations,          calls each of the destinations (addresses), which then run the flow
//	                   flow_id or actions, chained,   flow_id, or actions; goes on at once. chained: they end with this
//	                   early_execution, anonymous     call; early_execution: their flow begins at ringing
//	condition_variable condition, variable,           goes on if variable == != > >= < <= value_string, value_number
//	                   value_type, value_string,      or (length) value_length holds, by value_type string, number
//	                   value_number, value_length,    or length; else jumps
//	                   false_target_id
//	confbridge_join    confbridge_id                  puts the call into a bridge, until it leaves
//	conference_join    conference_id                  puts the call into a conference, until it leaves
//	connect            source, destinations,          calls all of the destinations (addresses) at once, and joins the
//	                   early_media, relay_reason,     first that answers, until one of the two leaves. early_media: what it
//	                   anonymous, timeout             sends before is heard; anonymous: yes no auto; timeout: of the ringing;
//	                                                  relay_reason: then ends the call as the other one ended
//	digits_receive     duration, length, key          collects digits into voipbin.call.digits until there are length of
//	                                                  them, one is in key, or duration after its start is over
//	digits_send        digits, duration, interval     sends up to 100 DTMF digits, each 100 (default) to 1000 long, 0
//	                                                  (default) to 5000 between them
//	echo               duration                       sends the caller's audio back; default 180000
//	goto               target_id, loop_count          jumps loop_count times, then goes on once
//	hangup             reason, reference_id           hangs up, or refuses an unanswered call: normal failed busy cancel
//	                                                  timeout noanswer dialout amd; or as the call reference_id ended
//	mute               direction, off                 drops what the caller says (in), what it hears (out), or both; off ends it
//	play               stream_urls                    plays file:, http: and https: URLs; does not answer
//	recording_start    format, end_of_silence s,      records both directions; goes on at once
//	                   end_of_key, duration s,
//	                   beep_start, on_end_flow_id
//	recording_stop     -                              ends the recording
//	sleep              duration                       waits
//	stop               -                              ends the flow
//	talk               text, language, provider,      answers and speaks; digits_handle "next": a digit ends it; async:
//	                   voice_id, gender,              goes on at once, and the speech plays under the next actions
//	                   digits_handle, async           until a play, talk, beep, connect, join or hangup
//	variable_set       key, value                     writes a variable
//	webhook_send       sync, uri, method,             sends an HTTP request, up to 3 times 1 s apart, signed as
//	                   data_type, data                X-VoIPBIN-Signature: sha256=<HMAC>; sync waits for the answer
//
// # Digits
//
// The leg keeps the digits that the caller presses. digits_receive takes them one by one.
// Those that were pressed during the play, talk or beep before it count (type-ahead),
// also the one that ended a talk; older ones do not: play, talk and beep begin with an
// empty buffer. So do sleep, echo, connect, confbridge_join, conference_join and
// digits_send, and what was pressed during one of these does not count later. When one of
// all these ends, the last digit that was pressed during it is put into
// voipbin.call.digits, so that a branch may follow directly. Actions in which no time
// passes for the caller leave the digits and the variable alone, so what digits_receive
// collected is safe until the next of these.
//
// # Differences from VoIPBIN
//
// A flow that works at VoIPBIN works here. These are on purpose different:
//
//   - The names of VoIPBIN's actions that are not there yet (queue_join, fetch, ...) are known:
//     a flow with one of them is read, and refused by Check.
//   - Flows are checked when they are loaded. An unknown type, option or key, a wrong type, a
//     missing option, a target that does not exist or an id that stands twice is an error
//     then, with line and column; VoIPBIN finds them in a live call, ignores unknown
//     options, and takes the first of two actions with one id.
//   - Ids are any text. VoIPBIN replaces ids that are no UUIDs by random ones, so that
//     targets break silently. The nil UUID still means none. An action without an id is
//     called action-N by its place, so that a flow can be taken up where it was.
//   - goto counts down and runs out, after loop_count jumps, and then starts afresh, so
//     that loops nest. VoIPBIN's never runs out.
//   - digits_receive starts with an empty voipbin.call.digits, so that stale digits
//     do not end it; VoIPBIN adds to what is there. Of digits typed ahead all count, not
//     the last one only. As there, the end key stays in the variable.
//   - digits_receive with duration 0 or none waits 5000 ms; at VoIPBIN it ends at once.
//   - condition_variable takes the bare name of an existing variable, as VoIPBIN's
//     documentation writes it, beside text with ${name}. A name that is no variable is
//     compared as text, as VoIPBIN's code does.
//   - play goes on with the next URL where one cannot be played, plays without a gap
//     between URLs, and knows file: URLs, relative to the flow's own folder.
//   - talk has gender again, takes any provider's name, and plain text with & or < in
//     it. In SSML the values of variables are escaped.
//   - echo with duration 0 takes the default, like one without.
//   - hangup with an unknown reason is an error when the flow is loaded; where a variable
//     held it, normal.
//   - recording_start with a format other than wav is an error when the flow is loaded:
//     VoIPBIN accepts mp3 and ogg and fails. beep_start works.
//   - connect to somebody who is busy, refuses or does not answer goes on with the next
//     action, and so does one that can call nobody: VoIPBIN leaves the caller ringing, or
//     ends the flow. The step's result tells: status (answered busy noanswer failed dialout
//     cancel normal), call_id and sip_code.
//   - When one of connect's destinations has answered, the others are cancelled, whatever
//     their type. relay_reason ends the call as the one that answered, not as the first;
//     as the first where none did. There is a timeout.
//   - Destinations of connect and call that variables made unusable, or that cannot be
//     called, hinder none of the others; each has a record that tells why. anonymous that
//     is left out is auto: who asked not to be shown is not shown.
//   - conference_id and confbridge_id are any text.
//   - call with flow_id and actions is an error when the flow is loaded, and so is what is
//     wrong with the actions. A value that holds ${ is no variable of the new call, and in
//     the SSML of its actions values are escaped.
//   - digits_send takes what is nearest to an interval or duration out of range, small
//     letters too, and nothing that is no digit.
//   - mute works, and has options.
//   - webhook_send with sync waits for the answer: status and body (4 KiB at most) are
//     the step's result. VoIPBIN waits for nothing. Each try ends after 10 s.
//   - Numbers within lists of an option stay numbers; VoIPBIN makes them strings.
//   - There is no limit of 100 steps in a flow, which cuts waiting callers; there is one of
//     MaxIdleSteps without time passing.
package flow
