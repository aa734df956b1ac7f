// Package call runs calls: it is the only place where signalling (package sip) meets
// sound (package media/rtp), and where both meet flows and records.
//
// There are few types to know: an Engine takes and places calls and is made of a Config; a Call is one
// leg between the outside and the engine, and what a flow runs on; an Incoming is a call
// that asks to come in; a Verdict and a Refusal say why it must not; DialOptions are a call that is to
// go out, Outbound, Trunk and Route say what may, and how, TrunkState how a trunk stands; a Groupcall is an attempt to reach one
// of several destinations, and a Directory knows who stands for several; a Conference is a room, made of ConferenceOptions, a Member who is in
// it, a Confbridge what carries it, a Sound what it says;
// an Extension is a phone number of ours, an Agent a person with several, a Registration a phone that is there;
// an Event tells the program what happened. Settings, Flags, ParseListen and NewDeps spare a server the
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
// An INVITE becomes a Call with status dialing. Config.Verify looks at the caller, Config.Route
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
// # Two legs and a room
//
// A talks to B through two calls: Call.Connect (the connect action) dials all destinations, at once or in a line, each a
// call of its own that is chained to A and has A's journey id; the first that answers is joined with
// A in a bridge, the others are given up. A is answered only then. When B leaves, A's flow goes on; when A
// leaves, B is hung up. Everything that is dialled, redirects too, passes Config.Outbound, which lets nothing
// out unless it says so; what it stops, and every attempt that fails, has a record like any other call.
// Engine.Dial places a call for the program, Call.Dial for the call action.
//
// # Trunks
//
// A number goes by the trunks that Config.Routes names, in the order of their priority, by chance of their weight, and
// those that do not work last. A trunk that fails is followed by the next one on the same call: same id, record, flow and trace, with each
// attempt in the record, and a call_updated event. What is final and what is not is a table, at verdict in retry.go: never after 486 or 603.
// The engine keeps trunks registered and asks by OPTIONS whether they are alive, while it runs.
//
// # Groups and chains
//
// A Groupcall rings several destinations without a caller: Engine.Groupcall, ring_all or linear; with hangup_others
// the first answer ends all others (Reason "Call completed elsewhere"), and only that call runs the flow. A destination that
// the Config.Directory expands is rung as a groupcall within it, in a connect, too. All groups of one attempt
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
// where the call is not let in. Keys that are typed as a PIN get past the loop: the trace has a ? in place of each.
//
//	f, err := engine.CreateConference(call.ConferenceOptions{ID: "board", PIN: "2468", ModeratorPIN: "1357", WaitForModerator: true})
//	calls, err := f.Invite(ctx, call.InviteOptions{Destinations: who})
//	err = f.Mute(calls[0].ID(), true)
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
// # Goroutines
//
// A call's loop consumes Inputs one after another (SIP messages, digits, timers, commands, what happens
// in the flow) and never waits; the flow runs on a goroutine of its own and may block. What the loop
// consumed is the call's trace: Replay feeds it to a fresh Machine, which does the same again.
// Methods of Engine and Call are safe for any goroutine. Functions of the Config run on
// goroutines of the call's, except OnEvent, which runs on its loop and must not block.
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
// that are up live in memory only, as calls do. A PIN is asked three times for each call; how often one calls is not limited. A call that Restore takes up in the middle of a connect dials anew.
package call
