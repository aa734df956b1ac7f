// Package call runs calls: it is the only place where signalling (package sip) meets
// sound (package media/rtp), and where both meet flows and records.
//
// There are few types to know: an Engine takes and places calls and is made of a Config; a Call is one
// leg between the outside and the engine, and what a flow runs on; an Incoming is a call
// that asks to come in; a Verdict and a Refusal say why it must not; DialOptions are a call that is to
// go out, Outbound, Trunk and Route say what may, and how, TrunkState how a trunk stands; a Groupcall is an attempt to reach one
// of several destinations; a Conference is a room, made of ConferenceOptions, a Member who is in it, a Confbridge what carries it, a Sound what it
// says;
// an Extension is a phone number of ours, an Agent a person with several, a Mailbox where messages are left, a Registration a phone that is there; a Queue, made of
// QueueOptions, is where callers wait for agents, and an AgentState how one of these stands;
// FlowRunOptions are a flow that is to run on no call, an AccessToken is who may use the HTTP interface;
// a Meter is what a call's loop knows of its price; an Event tells the program what happened, a Subscription and Webhooks bring it to who wants to know; a Journey is what became of one caller's way. Settings, Flags, ParseListen and NewDeps spare a server the
// usual wiring. Machine, Input, Effect and Snapshot are what traces and restarts are made of.
//
//	cfg := call.Config{Deps: call.NewDeps(call.Settings{}, nil, nil)}
//	menu, err := flow.Parse(text, flow.ParseOptions{Registry: action.Builtin(cfg.Deps)})
//	cfg.Route = func(ctx context.Context, in *call.Incoming) (flow.Program, error) { return menu, nil }
//	engine, err := call.New(cfg)
//	err = engine.Run(ctx) // takes calls until ctx ends, then drains
//
// # A call's life
//
// An INVITE becomes a Call with status dialing. Config.Verification looks at the caller (or Config.Verify in its place), Config.Route
// chooses the flow; from then on the call rings (180, status ringing) until an action answers it
// (progressing) or sound is played before that (183). The end of the flow ends the call; the end of the call
// ends the flow's context, with action.ErrHangup as its cause. At the end the record is stored with who
// ended the call and why: hangup_by, hangup_reason, SIP status, Q.850 cause, a code, a sentence, and
// the step at which the flow stood. Refused calls have a record, too.
//
// A call that is up is watched: a peer that has vanished does not answer the session timer (Config.SessionTimer,
// RFC 4028) and its call ends with code session_lost; one that sends no sound is told of, or hung up, by
// Config.MediaTimeout; and none lasts longer than Config.MaxCallDuration.
//
// # Verification
//
// Before anything else it is found out who calls: package sip/verify says which checks there are, what they promise, and what the policy makes of them. The
// zero value refuses with 403 who shows one of our numbers (Config.Owned, UseFlows) or extensions, or a malformed number, and notes the rest. A caller whose failed check
// the policy answers with a challenge gets 407; its next INVITE, with the password of an extension, is that extension's. What was found out is in Call's
// record, in Incoming.Verdict for Route, in the flow's variables (verify.verdict, verify.code, verify.sentence, verify.attest, verify.verstat, verify.origid,
// verify.source_class, and of each check its result, verify.own_number, and evidence, verify.own_number.evidence) and in the event "call_flagged", which comes
// after call_created where a check has failed, whether the call goes on or not. Scanners get no answer, and are only counted (Stats.SIP.Dropped). Who guesses
// passwords is locked out: Config.Auth.Lockout.
//
// # Two legs and a room
//
// A talks to B through two calls: Call.Connect (the connect action) dials all destinations, at once or in a line, each a
// call of its own that is chained to A and has A's journey id; the first that answers is joined with
// A in a bridge, the others are given up. A is answered only then. When B leaves, A's flow goes on; when A
// leaves, B is hung up. Everything that is dialled, transfers and redirects too, passes one gate, as who asks for it, by Config.Outbound, which lets nothing
// out unless it says so; what it stops, and every attempt that fails, has a record like any other call.
// Engine.Dial places a call for the program, Call.Dial for the call action.
//
// # Transfer
//
// Who talks can be handed on: by the program with Call.Transfer (VoIPBIN's, blind and attended), or by a phone of ours with REFER (RFC 3515; with
// Replaces where it has talked to the target before). Config.Extensions decides who may: a far end that has given the password of an extension, and it may
// dial that way what it may dial otherwise; strangers and trunks may not refer at all. Who is transferred stays in its bridge,
// which gets the target in place of who has left: the flow that runs the connect waits on, and its result tells transferred_to. Nobody
// hears anything of a consultation but the two who talk. Another phone of the same extension takes a call over with INVITE and Replaces (RFC 3891).
// Call.Refer moves a call out of the engine. Events are transfer_started and then transfer_completed or transfer_failed, with a TransferRecord; the record of who
// has transferred has the code transferred.
//
// # Trunks
//
// A number goes by the trunks that Config.Routes names, in the order of their priority, by chance of their weight, and
// those that do not work last. A trunk that fails is followed by the next one on the same call: same id, record, flow and trace, with each
// attempt in the record, and a call_updated event. What is final and what is not is a table, at verdict in retry.go: never after 486 or 603.
// Calls by a trunk with Sign carry an Identity (STIR/SHAKEN) of Config.Signing: attestation A where the program, or an extension that has
// given its password, shows a number that Config.Owned knows, B where it shows another one, C for who has called from outside. Such a caller's own Identity goes
// along where the call shows its number, with a div (RFC 8946) where the call goes elsewhere.
//
// The engine keeps trunks registered and asks by OPTIONS whether they are alive, while it runs.
//
// # Groups and chains
//
// A Groupcall rings several destinations without a caller: Engine.Groupcall, ring_all or linear; with hangup_others
// the first answer ends all others (Reason "Call completed elsewhere"), and only that call runs the flow. An agent with
// Agent.Groupcall is rung as a groupcall within it, in a connect, too. All groups of one attempt
// are owned by one goroutine, so that exactly one answer is the first. call_count and groupcall_count are
// what is up at each moment; one groupcall_hangup comes when both are 0 and nothing is left to be dialled.
//
// A call can be chained to a master (connect, the call action, DialOptions, GroupcallOptions): the master's end is its
// end, with all that is chained to it in turn; its own end is not the master's. A master that is ending takes no more.
//
// # Conferences
//
// A Conference is made by CreateConference, or by the first who joins it where Config.OpenRooms is set (Config.RoomOptions); Call.JoinConference
// and JoinBridge stay until the call is put out or the room ends. Its calls are conferencecalls: joining, joined, leaving, leaved; each has
// one "conferencecall_leaved" with a code that tells why, also where it was not let in. Both are kept by a store that is a store.Conferences.
//
// The ConferenceOptions say who gets in (PIN, lock, limit of members), as what (moderator, participant, listener), and what is heard beside speech: a
// tone or the name of who comes and goes, music for who waits. Members are muted, deafened, kicked, given roles and spoken to by
// methods, and by key sequences of their own (Menu, DefaultMenu). Who talks is told from levels that the mixer measures
// (TalkerEvents). In a flow none of that is visible: conference_join asks for the PIN where there is one, and goes on with the reason
// where the call is not let in. Keys that are typed as a PIN get past the loop: the trace has a ! in place of each.
//
//	f, err := engine.CreateConference(call.ConferenceOptions{ID: "board", PIN: "2468", ModeratorPIN: "1357", WaitForModerator: true})
//	calls, err := f.Invite(ctx, call.InviteOptions{Destinations: who})
//	err = f.Mute(calls[0].ID(), true)
//
// # Into a running call
//
// Whatever a call does, the program can take part in it: Call.Hold, MOH, Silence and Mute change what is heard, PlayInto and
// TalkInto are heard between all else, SendDigits presses keys, StopPlaying ends what plays, Redirect lets another flow run,
// Engine.Park takes the call to an orbit, StopFlow and Hangup end it. All of these can be combined in any order, in a bridge and outside of one, also while an action
// plays. What the peer hears is the first that there is of
//
//	nothing           mute out, silence, or while it holds us
//	PlayInto          what is said into the call, and keys that are pressed as tones
//	music             hold, MOH, an orbit, or who it talks with is held by its own phone
//	the flow          what an action plays; it waits while it is covered, and goes on where it was
//	the bridge        the others
//
// and it is heard unless muted in, or on hold by either side. A peer is held by an offer of sendonly (RFC 3264 8.4; inactive
// where Config.MusicOnHold is off), and is held as well as we can alone where it refuses. A peer that holds us (sendonly, inactive, or the
// address 0.0.0.0 of RFC 2543) is not heard, and the one that it talks with hears Config.MusicOnHold, as do all who wait here; in
// a conference nobody does. The record has mute_direction, hold_by, moh, silence and orbit; events are call_held, call_unheld, call_updated,
// call_parked, call_unparked.
//
// A supervisor's call hears the talks of another one by Call.Supervise, and is heard by nobody (listen), by that one (whisper) or by all
// (barge); Config.Supervise says who may.
//
// Call.Park (the park action) waits in an orbit of Config.Parking, with music, for a Call.Pickup (pickup): the two talk then. Pickup
// also answers a call in place of an extension that rings for a connect; its phones are told that the call was answered elsewhere.
//
// # Sound for programs
//
// A program outside gets a call's sound, and is heard, by Call.StartExternalMedia (the
// external_media_start action), or by Call.ServeExternalMedia where it has connected to us; package
// media/stream has the protocols. Config.Streams says what may be reached, and has the passwords,
// which flows only name. Events are "external_media_started", "_updated" (lost, there again) and "_stopped",
// with what was carried and what was lost. A program within the process takes a tap: Call.Listen.
//
// # Phones of ours
//
// Config.Extensions has the phones that may register, with digest, at the engine's own addresses; Engine.Registrations shows those that are
// there, "extension_registered" and "extension_unregistered" tell of changes. A destination of type extension rings all of
// them at once, below one call; one of type agent rings the addresses of a person. Who shows an extension, or calls from where one is
// registered, has to give its password, and then may dial what strangers may not: extensions, agents, and what Config.Outbound lets out.
//
// They watch each other, too (Config.Watching): a phone that subscribes to an extension, with its password, is told whether that is called, rings or
// speaks (RFC 4235, lamps for who is busy), with whom only if Watching.Identities says so and the caller does not hide;
// Engine.SetMessages switches its own lamp for waiting messages (RFC 3842).
//
// # Messages
//
// A caller leaves a message in a mailbox by the voicemail action, its owner hears it by voicemail_main. Config.Mailboxes says which there are and their PINs,
// a Store that is also a store.Voicemails keeps the messages. The owner is the extension that has given its password for the call, or who knows the PIN, which is in no
// trace. Its phones' lamps have the counts after each change; what is too old goes within an hour.
//
// # Events
//
// Every change of a call, conference, groupcall, trunk or phone is an Event in VoIPBIN's form, type and data, with an ID, a number within its
// resource, a time and the journey. There are three ways to them. Config.OnEvent is called where it happens: at once, and it must not block. Engine.Subscribe
// gathers the events that it is asked for: a reader that falls behind its buffer is dropped, with a reason, and goes on
// after the last event that it has read. Webhooks send them to a web server: signed, in the order of each resource, again and again until they are taken, from a
// bounded queue. What a call pays does not depend on how many read.
//
// The events of a call begin with call_created and end with call_hangup; nothing that names the call comes after that, neither of its
// recordings nor of its stay in a room. "dtmf_received" comes when the key is up again, with how long it was down; the flow has it at the press. "call_quality" comes at the end
// of a call that had sound, and every Config.QualityInterval. "activeflow_created", "_updated" (at each step) and "_deleted" tell of its flow; the actions that have ended are in Call.Activeflow.
//
// # Journeys
//
// The first leg of a caller's way makes a journey id, and whatever comes of it has that id: legs, groupcalls, stays, recordings and the names of their files, events, variables.
// With Config.JourneyHeader it goes along to trunks that are Trusted, and comes from them; nobody else is asked. Engine.Journey reads the journey
// from the traces of its legs, those that are up and those that the store keeps: a graph of legs, bridges, rooms, groupcalls, transfers, queues, recordings and of
// those at the other ends, each with what caused it and when. It is JSON, and Journey.Text and Journey.Mermaid show it. Journey.At rebuilds how all legs stood at
// any moment; Engine.JourneyState tells how they stand now. What joins a call to something else stands in its trace as an input: KindBridge, KindLink.
//
// # Queues
//
// A caller joins a Queue by Call.JoinQueue (the queue_join action) and hears its wait flow until an agent has answered; then both are in a
// bridge as after a connect, and the caller's flow goes on when they part. Agents are those of Config.Agents whose tags the queue wants and whose status is
// AgentAvailable: Engine.SetAgentStatus sets it, calls change it: those of queues (ringing, busy, wrap-up, available again; away after one that was missed) and all
// others to the agent, or to and from its extensions (ringing, busy).
// A caller whose agent does not answer keeps its place. store.Queuecall is the record of a stay; Engine.Queuecall, KickQueuecall and
// SetQueuecallPriority are for those that are not over. Events are "queuecall_created", "queuecall_waiting", "queuecall_connecting" (agents ring),
// "queuecall_requeued" (they did not answer), "queuecall_serviced", "queuecall_callback", then one of "queuecall_done" and "queuecall_abandoned";
// "agent_status_updated"; "queue_created", "queue_updated" and "queue_deleted".
//
// Who asks to be called back (CallbackOptions) hangs up and keeps its place: its agent is rung first, then the caller, through Config.Outbound as
// anybody. Where that lets numbers out, a caller chooses who is dialled: name the prefixes.
//
// # Flows of a store, and on no call
//
// Config.UseStoredFlows lets actions, and programs (Engine.FlowByID), find flows that a store.Flows has, beside those of Config.FlowByID. Engine.RunFlow runs a flow on no call: it places
// calls, sends messages and looks things up, and its Activeflow is that of Engine.FlowRun until a thousand later ones have ended.
//
// # Money and limits
//
// Config.Velocity (package sip/verify) says how many calls there may be, both ways; Config.Rates (package call/rating) what numbers cost; Config.Accounts what
// who pays has left. A call's account is that of the extension or trunk by which it comes, or DialOptions.Account; what is dialled for
// a call has its account. Before the INVITE, the first increment is reserved, and then each one before it begins: whose next one cannot be reserved
// hears Config.Budget's warning (event "call_budget_low") and is hung up when what is reserved has been talked, with code budget_exhausted. The record has account, cost,
// currency, billed_seconds and rate_prefix as soon as the end begins, call_hangup carries it, flows that follow have it as variables, and Journey.Costs adds it up.
// Numbers have prices; SIP addresses and extensions have none, and incoming calls neither. Where several phones ring, the dearest is reserved, and the one that answers is paid.
//
// # Goroutines
//
// A call's loop consumes Inputs one after another (SIP messages, digits, timers, commands, what happens
// in the flow) and never waits; the flow runs on a goroutine of its own and may block. What the loop
// consumed is the call's trace: Replay feeds it to a fresh Machine, which does the same again.
// Methods of Engine and Call are safe for any goroutine. Functions of the Config run on
// goroutines of the call's, except OnEvent, which runs on its loop and must not block; subscribers run on their own.
//
// # Too many calls
//
// Above what the machine can take, new calls get 503 with Retry-After from the SIP side, before they are verified: Config.Overload
// says when, and without it how long an INVITE has to wait. What is up is not touched. Engine.Stats tells. A stopping engine
// drains: new calls get 503, those that are up go on for DrainTimeout.
//
// # Caveats
//
// What the SIP side refuses by itself (malformed or unknown requests, 503 while draining, in overload or above
// MaxCalls) is counted there and has no record. What a trunk has learned of its health and channels is of this engine alone. Conferences
// and their calls, queues, who waits in them and the statuses of agents live in memory only, and so do transfers, events and webhooks that wait; records of stays are stored when they end.
// Nobody can be transferred to what a flow answers, nor within a conference. Supervise needs a talk: a call that is in no bridge is not heard. Engine.Park ends the flow that runs, as
// Redirect does. What Velocity and a rating.Ledger have counted is lost with the process; an Accounts of the host's need not forget. A PIN of a conference is asked three times for each call; how often one calls is not limited. A call that Restore takes up in the middle of a connect dials anew, in a queue it joins anew.
package call
