// Package flow reads, checks and runs flows: programs made of actions.
//
// There are three types to know. A Flow is a program as data, read from JSON by Parse
// and checked against an engine by Check. A Func is one in plain Go. Both are a
// Program, which is what runs on a call; a flow runs programs of both kinds by fetch_flow. A Dir is a
// folder of flows, one file for each destination.
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
//	  {"type": "digits_receive", "option": {"duration": 5000, "length": 1}, "on_timeout": "again"},
//	  {"type": "branch", "option": {"target_ids": {"1": "sales", "2": "support"}, "default_target_id": "again"}},
//	  {"id": "again", "type": "goto", "option": {"target_id": "menu", "loop_count": 2}},
//	  {"type": "hangup"},
//	  {"id": "sales", "type": "play", "option": {"stream_urls": ["file:sales.wav"]}, "next_id": "end"},
//	  {"id": "support", "type": "play", "option": {"stream_urls": ["file:support.wav"]}},
//	  {"id": "end", "type": "hangup"}
//	]}
//
// An action is {"id", "type", "option", "next_id", "on_error", "on_timeout"}; all but type may be left
// out. Actions run one after another. What changes the order: next_id, which names the action to go on
// with; on_timeout, where the flow goes on if what the action waits for does not come; on_error,
// where it goes on if the action fails; and the targets of branch, goto and the conditions. After the
// last one the flow is over, and with it the call.
//
// An action that fails and has no on_error is noted, and the flow goes on with the next one. These failures
// are fatal without it and end the flow: a target that does not exist, a branch without match and
// default, a conference, queue or flow that does not exist, a fetch that fails, a call none of whose destinations
// can be tried, a message that is not accepted, an assistant that fails, and a panic. A loop in which no time passes
// (MaxIdleSteps) ends the flow in any case.
//
// # Variables
//
// ${name} in a string of an option is replaced by the variable of that name when the
// action begins; an unknown one is empty, and in ${name|fallback} an unknown or empty one is the fallback. A
// number, or true or false, may be such a string, too: what it becomes is checked when the action begins. In SSML, values
// are escaped. Limits are action.MaxVars and the constants beside it.
//
// What an action found is its result: ${ID.key} for an action with an id, ${last.key} for the latest action
// that was no mere condition, jump or variable_set. Each result has status, which is ok, error, timeout,
// skipped, or a word of the action's own (connect: answered busy noanswer failed dialout cancel normal), and error, if
// it failed. A variable of the same name comes first.
//
// What verification found out about the caller is in verify.verdict (pass), verify.code, verify.sentence, verify.attest (A, B, C), verify.verstat, verify.origid,
// verify.source_class (e164, short, extension, anonymous, alphanumeric, invalid), and for each check in its result (pass, fail, skip) and its evidence:
// ${verify.own_number} and ${verify.own_number.evidence}. The checks are those of package sip/verify.
//
// The option actions of a call holds a flow of its own, with ids of its own, at most
// MaxNesting deep. Its variables are filled in when the call action begins: ${voipbin.call.id}
// in it is the id of the call that makes the new one, not of the new one.
//
// # Flows within flows
//
// fetch and fetch_flow push a flow: its actions run, and then the flow goes on behind the action that
// pushed it. A target is looked for in the innermost flow first, then in those around it; a jump outward
// leaves the inner ones. At most MaxStacks flows are within each other. A flow's on_complete_flow_id names one that runs
// after the call, with its variables and what the call came to (voipbin.call.hangup_reason, .hangup_by, .sip_code,
// .cause, .talk_ms, .ring_ms, .recording_ids, ..., and where it had a price .cost, .currency, .billed_seconds, .rate_prefix); at most call.MaxCompletions follow each other.
//
// # Checks
//
// Parse finds what keeps a flow from running: unknown and misspelled keys, options and types, wrong types, what is missing,
// values out of range, targets to nowhere, ids that stand twice. Check adds, as errors, actions that need something that
// the engine lacks, and, as warnings, what a way through the flow comes to: actions that are never reached, loops
// without way out in which no time passes, ways that never end the call, variables and results that nothing before has set,
// actions on a call that is not answered yet, and digits that the caller is told to press and that no branch
// has. Each Finding tells line, column, JSON pointer, rule, and how to mend it. Lenient makes warnings of all that is not
// needed to run. Schema writes a JSON Schema for editors, and examples/flowcheck does all of this on the command line.
// Explain tells which actions would run on a call of which caller, destination, time and digits are known.
//
// # The actions
//
// This is every action and option of VoIPBIN, and what it does here; those marked with + are ours. Times are in the unit
// that is given; an address is {"type", "target", "target_name", "name"}, type is tel, sip, extension, agent, for
// connect also conference, for email_send email. Older names work as well: agent_call (connect), chatbot_talk (ai_talk),
// dtmf_receive (digits_receive), dtmf_send (digits_send), hangup_relay (hangup), patch (fetch), patch_flow
// (fetch_flow), recording_to_text (transcribe_recording).
//
//	ai_summary             sums up what was transcribed, or a recording, by Deps.Assistant; waits, 60 s at most; voipbin.ai_summary.*; a failure is fatal
//	  on_end_flow_id       flow that runs after it
//	  reference_type       (call conference transcribe recording; default call) what is summed up; recording is turned into text first, of all others the text is what was transcribed on this call
//	  reference_id         id of the recording
//	  language             of the summary, BCP 47
//	ai_talk                answers; an assistant talks with the caller (Deps.Transcriber, Assistant, Speaker), who may interrupt it; until the assistant ends it, the duration, or the hang-up; a failure is fatal
//	  assistance_type      (ai team; default ai) what assistance_id names
//	  assistance_id        which assistant
//	  ai_id                (older) older name of assistance_id
//	  duration             (s; default 0) longest length; 0: no limit
//	  +greeting            what is said first; empty: the assistant begins
//	  +language            BCP 47, as en-GB
//	  +provider            name of a speech engine
//	  +voice_id            a voice of the engine's
//	  +gender              (male female neutral) of the voice
//	ai_task                an assistant does what it is told, once; waits, 60 s at most; a failure is fatal
//	  assistance_type      (ai team; default ai) what assistance_id names
//	  assistance_id        which assistant
//	  ai_id                (older) older name of assistance_id
//	amd                    tells a human from an answering machine: ${ID.verdict} human machine notsure
//	  machine_handle       (hangup continue; default continue) what happens at a machine
//	  async                goes on at once; the verdict is in the result once it is known
//	  +timeout             (ms; default 20000) longest wait for the verdict
//	answer                 answers (200), waits for the ACK, half a second at most, and goes on
//	beep                   plays a beep, until its end
//	block                  waits until the program continues the flow (call.Call.Continue)
//	  +timeout             (ms; default 0) longest wait; 0: as long as the call lasts
//	branch                 goes to a target by the exact value of a variable, and empties it; no match and no default is fatal
//	  variable             (default voipbin.call.digits) name of the variable, without ${}
//	  target_ids           value of the variable to the action to go to
//	  default_target_id    where to go for any other value
//	call                   places a call to each of the destinations, which run a flow of their own; goes on at once; fatal if none can be placed
//	  source               who is shown as calling
//	  destinations         (required) who is called
//	  anonymous            (yes no auto; default auto) whether the number is hidden
//	  flow_id              flow that the new calls run
//	  actions              in place of flow_id: a flow, or a list of actions
//	  chained              the new calls end with this one
//	  early_execution      the new calls' flow begins at ringing
//	case_create            opens a case (Deps.Cases); contact_case_id; waits, 30 s at most
//	  name                 (required) of the case
//	  detail               of the case
//	  note                 of the case
//	  sync                 (older) means nothing
//	condition_call_digits  goes on if there are enough digits in voipbin.call.digits, or one of key; else it jumps
//	  length               (default 0) it holds with so many digits; 0: with any number, unless there is a key
//	  key                  it holds if one of these is among the digits
//	  false_target_id      (required) where to go if it does not hold
//	condition_call_status  goes on if the call has the status; else it jumps
//	  status               (required; dialing ringing progressing terminating canceling hangup) of the call
//	  false_target_id      (required) where to go if it has another
//	condition_datetime     goes on if the time is as it says; else it jumps. Hour and minute together are a time of day, month and day a date
//	  condition            (== != > >= < <=) how the present compares with the values; needed beside hour, minute, day or month
//	  minute               (default -1) -1: any
//	  hour                 (default -1) -1: any
//	  day                  (default 0) of the month; 0: any
//	  month                (default 0) 0: any
//	  weekdays             0 is Sunday; it is one of them, with != none of them
//	  false_target_id      (required) where to go if it does not hold
//	  +time_zone           (default UTC) IANA name, as Europe/Amsterdam
//	  +from                HH:MM at which a range of the day begins
//	  +to                  HH:MM before which it ends, on the next day where that is not after from (the same: all day); weekdays are of the day on which it began
//	+condition_expression  goes on if the expression (package flow/expr) is true; else it jumps
//	  +expression          (required) condition in which variables stand by name
//	  +false_target_id     (required) where to go if it does not hold
//	condition_variable     goes on if the comparison holds; else it jumps
//	  condition            (required; == != > >= < <=) how the variable compares with the value
//	  variable             (required) text with ${}, or the bare name of a variable
//	  value_type           (required; string number length) which of the values counts
//	  value_string         compared as text
//	  value_number         compared as a number
//	  value_length         compared with the number of characters
//	  false_target_id      (required) where to go if it does not hold
//	confbridge_join        puts the call into a bridge, until it has left it
//	  confbridge_id        (required) the bridge
//	conference_join        puts the call into a conference, until it has left it; one that there is not is fatal, one that does not let it in is not; ${ID.status} (ok full locked wrong_pin no_pin ended kicked), .role, .stay_ms, .ended_by (kicked menu terminated timeout moderator_left ...), .conferencecall_id, and voipbin.conference.id, voipbin.conferencecall.id, .status
//	  conference_id        (required) the conference
//	  +role                (moderator participant listener) as what the caller is in it; without it as the conference says
//	  +skip_pre_flow       the conference's pre_flow does not run
//	connect                calls the destinations and joins the first that answers, until one of the two leaves; nobody answering is no failure; ${ID.status}, .call_id, .sip_code, .destination, .reason, .ring_ms, .talk_ms, .ended_by (callee key duration screening), .transferred_to (the call with which the talk went on after a transfer)
//	  source               who is shown as calling
//	  destinations         (required) who is called
//	  anonymous            (yes no auto; default auto) whether the number is hidden
//	  early_media          what the far end sends before it answers is heard
//	  relay_reason         then the call ends as the other one ended
//	  +timeout             (ms) of the ringing, all of it; 0 is the engine's
//	  +ring_method         (ring_all linear; default ring_all) all at once, or one after the other until one answers
//	  +ring_timeout        (ms) of each destination; 0 is timeout, or the engine's
//	  +screen_flow_id      flow that runs on who answers before the two are joined: its end, or stop, accepts; hangup refuses, and so does its failure
//	  +screen_actions      in place of screen_flow_id: a flow, or a list of actions; variables are filled in when the connect begins
//	  +hangup_key          keys of the caller, each of which ends the talk; the flow goes on
//	  +max_duration        (ms; default 0) of the talk; then the two part and the flow goes on; 0: no limit
//	conversation_send      adds a message to a conversation (Deps.Conversations)
//	  conversation_id      (required) the conversation
//	  text                 (required) what is added
//	  sync                 waits until it is accepted
//	digits_receive         collects digits into voipbin.call.digits, until there are length of them, one is in key, or time is up (on_timeout)
//	  duration             (ms; default 5000) for all digits together, from the start of the action, or the end of its prompt
//	  length               (default 0) how many digits end it; 0: any number
//	  key                  set of keys, each of which ends it
//	  +prompt              what is said first
//	  +prompts             in place of prompt: what is said first, one after the other; each may have a pause behind it, or be one
//	  +barge_in            (default true) a digit cuts the prompt, and counts
//	  +clear               true: what was typed ahead does not count; false: all that nobody has read yet does
//	  +first_timeout       (ms) longest wait for the first digit
//	  +digit_timeout       (ms) longest wait from one digit to the next
//	  +keep_key            (default true) the end key is the last of the digits
//	  +pattern             regular expression that the digits have to match, without the end key
//	  +retries             how often it asks again where there is no digit, or no match
//	  +timeout_prompt      said before it asks again because no digit came
//	  +invalid_prompt      said before it asks again because the digits do not match
//	digits_send            sends DTMF digits, until the last one is sent
//	  digits               (required) 0-9 A-D * #, at most 100
//	  duration             (ms; default 100) of each digit, 100 to 1000
//	  interval             (ms; default 0) between digits, 0 to 5000
//	echo                   sends the audio of the caller back, until the duration is over
//	  duration             (ms; default 180000) how long
//	email_send             sends an e-mail (Deps.Mail); waits, 30 s at most
//	  destinations         (required) who gets it, addresses of type email
//	  subject              of the mail
//	  content              plain text, or HTML if it begins with <html or <!doctype html
//	  attachments          recordings that go with it
//	empty                  does nothing
//	external_media_start   gives the sound of the call to another program, and lets that be heard; five at once at most
//	  external_host        host:port, or a ws: or wss: URL; this or url is required
//	  +url                 the same; for audiosocket also tcp://host:port
//	  +protocol            (twilio audiosocket pcm jambonz rtp; default what encapsulation and transport say) what is spoken, see package media/stream
//	  encapsulation        (rtp audiosocket none; default rtp) how the sound is packed
//	  transport            (udp tcp websocket; default udp) how it is carried
//	  transport_data       for audiosocket: the UUID that the program gets, in place of the call's
//	  connection_type      (default client) who connects
//	  format               (default ulaw) of the sound of rtp and none: ulaw, alaw; of none also slin, slin16, ...
//	  +sample_rate         in Hz, where the protocol has several
//	  direction_listen     (in out both) what the program hears; without both directions it is in
//	  direction_speak      (in out both) who hears the program: out and both are the peer, in (the others of its bridge) is refused; without both directions it is out
//	  +parameters          an object of texts that the program is told at the start
//	  +auth                name of credentials in the engine's configuration, for HTTP basic authentication
//	  +wait                (false) goes on when the stream has ended, with the result reason: closed, stopped, lost or error
//	  data                 means nothing
//	external_media_stop    ends all forks
//	fetch                  POSTs {"activeflow_id","reference_id"} and runs the actions of the answer (200; MaxFetch bytes), then goes on behind; a failure is fatal
//	  event_url            (required) http: or https: URL that answers with actions
//	  event_method         (POST GET PUT DELETE; default POST) of the request
//	  +timeout             (ms; default 10000) of the whole request
//	  +format              (callbin twilio vonage; default callbin) whose request it is; an answer of TwiML or NCCO is taken in any case (package flow/foreign)
//	  +account             which of the settings' web_apps it is for: that one's token signs the request
//	  +fallback_url        is asked where event_url fails
//	  +fallback_method     (POST GET; default POST) of that request
//	  +result_of           id of the action whose result the request tells
//	  +verb                what twilio or vonage calls that action
//	  +replace             what is fetched takes the place of the flow that the action stands in: nothing behind it runs
//	fetch_flow             runs another flow, then goes on behind; one that there is not is fatal
//	  flow_id              (required) the flow to run
//	goto                   jumps loop_count times, then goes on once, and starts afresh
//	  target_id            (required) the action to go to
//	  loop_count           (default 0) how often it jumps before it goes on; 0: never
//	hangup                 hangs up, or refuses an unanswered call by the status of the reason; the flow ends
//	  reason               (normal failed busy cancel timeout noanswer dialout amd; default normal) why the call ends
//	  reference_id         another call whose end is copied; wins over reason
//	message_send           sends a text message (Deps.Messages); waits, 30 s at most; a failure is fatal
//	  source               who is shown as sending
//	  destinations         (required) who gets it
//	  text                 (required) what it says
//	mute                   drops what the caller says, hears, or both; goes on at once
//	  +direction           (both in out; default both) in is what the peer says, out what it hears
//	  +off                 ends the muting
//	+park                  answers, and waits with music until somebody picks the call up and the two have parted; else it times out
//	  +orbit               where it waits, as 701; empty: a free number of the engine's
//	  +timeout             (ms; default 0) until it goes on alone; 0: the engine's
//	+pickup                answers, and joins the call with one that is parked, or that rings elsewhere, until the two have parted
//	  +orbit               where the parked call waits; this or extension
//	  +extension           that rings, and is answered in its place
//	play                   plays files, until their end; does not answer
//	  stream_urls          (required) file:, http: or https: URLs of WAV files, played one after another
//	queue_join             puts the call into a queue until it has talked with an agent, or left it; see below
//	  queue_id             (required) the queue
//	recording_start        records both directions, from an answered call; goes on at once; voipbin.recording.*
//	  format               (wav mp3 ogg; default wav) of the file; wav, whatever is asked for
//	  end_of_silence       (s) silence of the peer that ends it; 0: none does
//	  end_of_key           (none any * #; default none) key that ends it
//	  duration             (s) longest length; 0: no limit
//	  beep_start           plays a beep before it starts
//	  on_end_flow_id       flow that runs after it
//	  +wait                goes on at its end: ${ID.ended_by} (key silence duration stop), ${ID.duration_ms}, ${ID.digits}; that nobody has said anything is a timeout
//	recording_stop         ends the recording, once its file is complete
//	sleep                  waits
//	  duration             (ms; default 0) how long
//	stop                   ends the flow, and with it the call
//	stream_echo            sends audio and digits of the caller back, until the duration is over
//	  duration             (ms; default 180000) how long
//	talk                   answers and speaks, until the end of the speech
//	  text                 (required) plain text, or SSML
//	  language             BCP 47, as en-GB
//	  provider             name of a speech engine
//	  voice_id             a voice of the engine's
//	  gender               (male female neutral) of the voice
//	  digits_handle        (next) next: a digit ends it
//	  async                goes on at once, the speech plays under the next actions
//	transcribe_recording   turns all recordings of the call into text (Deps.RecordingTranscriber): voipbin.transcribe.text; waits, 5 min at most for each; the first that fails ends it
//	  language             BCP 47, as en-GB
//	  provider             name of an engine
//	  direction            (in out both; default both) in is what the peer says, out what it hears
//	  on_end_flow_id       flow that runs after it
//	transcribe_start       turns what is said into text from now on (Deps.Transcriber): events, and voipbin.transcribe.text; goes on at once
//	  language             BCP 47, as en-GB
//	  provider             name of an engine
//	  direction            (in out both; default both) in is what the peer says, out what it hears
//	  on_end_flow_id       flow that runs after it
//	transcribe_stop        ends that, once the last words are there
//	variable_set           writes a variable
//	  key                  (required) name of the variable
//	  value                its new value
//	+voicemail             answers, greets, and records what the caller says, alone, as a message of a mailbox: until a key, silence, its length, or the hang-up, after which it is kept, too; ${ID.status} is dropped where it was too short and full where there is no room, .message_id, .mailbox_id, .recording_id, .duration_ms, .ended_by (key silence duration hangup skip); voipbin.voicemail.id; event voicemail_created; a mailbox that there is not is fatal
//	  +mailbox_id          the mailbox (call.Config.Mailboxes); empty: that of who was called
//	  +greeting            what is said first, unless the owner has recorded a greeting; empty: a sentence, where there is a Speaker. A key cuts it
//	  +beep                (default true) plays a beep before the message
//	  +max_duration        (s; default 180) longest message
//	  +min_duration        (s; default 2) a shorter message is dropped
//	  +end_of_silence      (s; default 10) silence of the caller that ends the message; 0: none does
//	  +end_of_key          (none any * #; default #) key that ends the message
//	  +transcribe          turns the message into text, where there is a Deps.RecordingTranscriber
//	  +email_to            e-mail addresses that get the message, with its sound, beside those of the mailbox (Deps.Mail)
//	  +webhook_uri         http: or https: URL that gets {"type":"voicemail_created","data":{...}}, beside that of the mailbox, as webhook_send sends it
//	  +webhook_method      (POST PUT; default POST) of the request
//	  +language            BCP 47, of what it says by itself (en de es fr); empty: that of the mailbox
//	  +provider            name of a speech engine
//	  +voice_id            a voice of the engine's
//	  +gender              (male female neutral) of the voice
//	  +texts               texts of one's own, by name, for other languages or words
//	+voicemail_main        answers; the mailbox for its owner: the extension that has given its password, or who knows mailbox and PIN. New messages come first; what was heard is saved. Keys: 1 again, 2 save, 3 delete or keep after all, 4 previous, 6 next, 8 call back, 9 record the greeting, * end; a key cuts what is said. ${ID.status} is denied where it did not open, .mailbox_id, .new, .saved, .heard, .deleted
//	  +mailbox_id          the mailbox; empty: the caller's own, if it is one of our extensions, else it is asked for
//	  +retries             (default 2) how often it asks again after a wrong PIN
//	  +order               (newest oldest; default newest) which message comes first
//	  +call_back           key 8 calls who has left the message, as connect does
//	  +language            BCP 47, of what it says by itself (en de es fr); empty: that of the mailbox
//	  +provider            name of a speech engine
//	  +voice_id            a voice of the engine's
//	  +gender              (male female neutral) of the voice
//	  +texts               texts of one's own, by name, for other languages or words
//	webhook_send           sends an HTTP request, up to 3 times 1 s apart, signed as X-VoIPBIN-Signature: sha256=<HMAC>; ${ID.http_code}, .body, and .json.KEY of an answer that is an object
//	  sync                 waits for the answer, which is the result
//	  uri                  (required) http: or https: URL
//	  method               (POST GET PUT DELETE; default POST) of the request
//	  data_type            content type of data
//	  data                 body of the request
//	  +timeout             (ms; default 10000) of each of the three tries
//
// # Digits
//
// The leg keeps the digits that the caller presses. digits_receive takes them one by one.
// Those that were pressed during the play, talk or beep before it count (type-ahead),
// also the one that ended a talk; older ones do not: play, talk and beep begin with an
// empty buffer. So do sleep, echo, connect, confbridge_join, conference_join, park, pickup and
// digits_send, and what was pressed during one of these does not count later. When one of
// all these ends, the last digit that was pressed during it is put into
// voipbin.call.digits, so that a branch may follow directly. Actions in which no time
// passes for the caller leave the digits and the variable alone, so what digits_receive
// collected is safe until the next of these.
//
// # Queues
//
// While queue_join waits, the queue's wait flow runs on the call, again and again. It knows voipbin.queue.id, .name, .detail, .waiting (how many
// wait) and .agents (how many serve), voipbin.queuecall.id, .position (1 is next), .estimated_wait (seconds; missing while nobody knows,
// so ${voipbin.queuecall.estimated_wait|some} helps), .timeout_wait and .timeout_service (ms). What it sets itself, without voipbin., the flow has
// after it. Before queue_join, the variable queue_priority may hold a number (higher is served first) and queue_callback where to call back. The result has
// status (done, abandoned; waiting where the caller is going to be called back), reason (served, service_timeout, wait_timeout, hung_up, key,
// kicked, full, no_agents, queue_deleted, callback), queuecall_id, agent_call_id, overflow_call_id and waited_ms.
//
// # Differences from VoIPBIN
//
// A flow that works at VoIPBIN works here. These are on purpose different:
//
//   - A tel keeps its digits only where nothing but separators stands between them: "+4930901820,,5" is refused, and not another number.
//
//   - After a step that has dialled what the engine does not let out, ${verify.outbound} is "fail", and ${verify.outbound.code} and .evidence say why.
//
//   - queue_join is refused by Check while the engine has no agents.
//
//   - external_media_start reaches public addresses only, unless the configuration says otherwise; RTP goes
//     to the address itself, without a proxy between them. Without directions it listens and speaks.
//
//   - Flows are checked when they are loaded. An unknown type, option or key, a wrong type, a
//     missing option, a target that does not exist or an id that stands twice is an error
//     then, with line and column; VoIPBIN finds them in a live call, ignores unknown
//     options, and takes the first of two actions with one id.
//
//   - Ids are any text. VoIPBIN replaces ids that are no UUIDs by random ones, so that
//     targets break silently. The nil UUID still means none. An action without an id is
//     called action-N by its place, so that a flow can be taken up where it was.
//
//   - goto counts down and runs out, after loop_count jumps, and then starts afresh, so
//     that loops nest. VoIPBIN's never runs out.
//
//   - digits_receive starts with an empty voipbin.call.digits, so that stale digits
//     do not end it; VoIPBIN adds to what is there. Of digits typed ahead all count, not
//     the last one only. As there, the end key stays in the variable.
//
//   - digits_receive with duration 0 or none waits 5000 ms; at VoIPBIN it ends at once.
//
//   - condition_variable takes the bare name of an existing variable, as VoIPBIN's
//     documentation writes it, beside text with ${name}. A name that is no variable is
//     compared as text, as VoIPBIN's code does.
//
//   - play goes on with the next URL where one cannot be played, plays without a gap
//     between URLs, and knows file: URLs, relative to the flow's own folder.
//
//   - talk has gender again, takes any provider's name, and plain text with & or < in
//     it. In SSML the values of variables are escaped.
//
//   - echo with duration 0 takes the default, like one without.
//
//   - hangup with an unknown reason is an error when the flow is loaded; where a variable
//     held it, normal.
//
//   - recording_start records wav where mp3 or ogg is asked for, with a warning: VoIPBIN accepts them and
//     fails. beep_start works.
//
//   - connect to somebody who is busy, refuses or does not answer goes on with the next
//     action, and so does one that can call nobody: VoIPBIN leaves the caller ringing, or
//     ends the flow. The step's result tells: status (answered busy noanswer failed dialout
//     cancel normal), call_id and sip_code.
//
//   - When one of connect's destinations has answered, the others are cancelled, whatever
//     their type. relay_reason ends the call as the one that answered, not as the first;
//     as the first where none did. There is a timeout, a ring_method, a screening of who answers, keys and a time that end the talk.
//     A destination that stands for several (an agent, call.Agent.Groupcall) rings all of its own, in its own order.
//
//   - Destinations of connect and call that variables made unusable, or that cannot be
//     called, hinder none of the others; each has a record that tells why. anonymous that
//     is left out is auto: who asked not to be shown is not shown.
//
//   - conference_id and confbridge_id are any text. A conference may ask for a PIN, be locked or full (call.ConferenceOptions): the flow
//     is the same, and goes on with the reason in the result. post_flow_id, which VoIPBIN stores and never runs, runs.
//
//   - call with flow_id and actions is an error when the flow is loaded, and so is what is
//     wrong with the actions. A value that holds ${ is no variable of the new call, and in
//     the SSML of its actions values are escaped.
//
//   - digits_send takes what is nearest to an interval or duration out of range, small
//     letters too, and nothing that is no digit.
//
//   - mute works, and has options.
//
//   - webhook_send with sync waits for the answer, which is the result (4 KiB of body at most).
//     VoIPBIN waits for nothing. Each try ends after its timeout.
//
//   - Numbers within lists of an option stay numbers; VoIPBIN makes them strings, so that
//     weekdays always end the flow there.
//
//   - condition_datetime compares the present with the option, as VoIPBIN's documentation says; its code
//     does it the other way round. Hour and minute left out mean any, not 0, and both
//     together are one time of day: at 09:10 it is >= 08:30. It knows time zones, and ranges over midnight.
//
//   - A condition that cannot be told (a time zone that a variable made unusable) does not hold.
//
//   - condition_call_digits with a length of 0 and a key looks at the key; VoIPBIN always goes on.
//
//   - fetch takes actions without ids, which VoIPBIN passes over, and a flow object; it has a timeout and a
//     limit, and its requests are guarded. What is wrong with the actions but not needed to run is let pass.
//
//   - block, ai_task and ai_summary run on calls, too; VoIPBIN passes them over there.
//
//   - transcribe_stop works; transcripts are put into voipbin.transcribe.text, a line for each.
//
//   - on_complete_flow_id runs when the call is over, not when its flow is, so that it can tell what became
//     of it; a flow that follows itself ends after call.MaxCompletions, where VoIPBIN's chain never does.
//
//   - queue_join serves who came first, or has the higher priority; VoIPBIN the newest. An agent who does not answer costs the
//     caller nothing but time: it keeps its place, and counts as serviced only when it has an agent on the line. The wait flow is no part of
//     the steps of the flow, so that no limit cuts who waits. queue_join that no agent took counts as timed out. The end of ai_talk by its duration does not.
//
//   - In HTML mail the values of variables are escaped, as in SSML.
//
//   - transcribe_recording runs on_end_flow_id only if there was text.
//
//   - on_error makes a branch of a fatal failure, a panic of an action in Go among them.
//
//   - There is no limit of 100 steps in a flow, which cuts waiting callers; there is one of
//     MaxIdleSteps without time passing.
package flow
