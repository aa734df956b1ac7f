// Package httpapi serves an engine over HTTP, in the shapes of VoIPBIN's REST interface: calls are placed, listed, and changed while they are up, flows are
// stored. Where the engine has a call.Directory, so are extensions, numbers, agents, queues and conferences.
//
//	GET /healthz          open: 200 while calls are taken
//	GET /openapi.json     open: all the rest, as an OpenAPI 3.1 document, of which clients can be generated
//	/v1.0/...             with "Authorization: Bearer TOKEN"
//
// What a token may do are its scopes ("calls:read", "flows:*", "*"): call.AccessToken; those of Config.Tokens may do all.
//
// Lists take page_size (1 to 100, default 100), page_token and filters, and answer {"result":[...],"next_page_token":"..."}, newest first. Bodies are
// strict JSON: unknown keys, keys that stand twice and wrong values are refused, all at once, each with its place. Errors are
// {"error":{"status","reason","message","request_id","details":[{"field","line","column","message"}]}}; field is a JSON pointer. A POST with an
// Idempotency-Key is done once within a day, also where it comes twice at one time, and answered alike each time; another body with that key is a conflict. Flows
// have ETags.
//
// # Events
//
// GET /v1.0/events lists the last events, /v1.0/events/stream tells them as they happen (Server-Sent Events), /v1.0/events/ws and VoIPBIN's /ws do so over a WebSocket; each is the JSON of a
// call.Event. They are chosen by type, call, journey and conference, as the engine hands them out, and encoded once however many read. Who comes back with the id of the last event gets what
// was missed, as far as call.Config.EventHistory reaches, and is told "events_lost" where it does not. A reader for whom more than 4096 events wait is put out with the reason
// "slow_reader" (1013 of a WebSocket), one that takes nothing for 10 s is cut off, without a reason, since it would not take that either: its next connection
// goes on after the last id. The end of the engine and of a Server is told, too ("engine_ended", "shutdown"). A stream that says nothing for 15 s sends a
// comment or a ping. Where the handler runs in an http.Server of the program's own, its streams end with the engine.
//
// EventSource and WebSocket of browsers send no token: POST /v1.0/events/tickets gives a ticket for one stream, good once and for 30 s, that can stand in
// a URL without harm. Pages of other hosts open no WebSocket, but for those of Config.Origins.
//
// There are few types: Config, of which New makes an http.Handler; Server, which is that on an address; and the bodies.
//
// # Adding a resource
//
// All is made of one table of operations: the mux, the authorisation, the reading of parameters and bodies, and the document. flows.go is the sample.
//
//  1. Write NAME.go with a method (a *api) nameRows() []operation, and add it to api.rows. What the engine or Config lacks has no row: ask
//     for it by a small interface, "e, ok := a.cfg.Engine.(Queues)"; a new store is a field of Config.
//  2. A row is op("createQueue", "POST /queues", "queues:write", "Make a queue", a.createQueue), with .with(204) for another status than 200, .tagged()
//     for ETags (call request.version), .gives("audio/wav") for an answer of the type raw, which writes itself.
//  3. A handler is func(r *request, p P, b B) (A, error): P are the parameters (embed idParams, pageParams, timeParams), B the body, A the answer; none where
//     there is nothing. A key of P and B without omitempty is required; opt:"required" refuses an empty value, opt:"enum=a|b", "min=1,max=9"
//     are checked, doc:"..." is for the document. Nothing more is needed for it to be there.
//  4. What is wrong with a value of the body is r.invalid("/ring_method", "..."), with line and column; a wrong moment is precondition(reason, ...);
//     what is not there notFound(what, id). Errors of the engine and the stores go through classify: add new sentinels there. Whatever is left is a 500,
//     and told in the log only.
//  5. Bodies with a flow embed programBody, and r.program finds or parses it, with its findings at their places in the body.
//  6. Lists of what is up and what is stored are made by merge, all answers of lists by listOf. Slices of answers must not be nil.
//
// r.ctx ends with the request: what goes on after the answer needs a context of the call (Call.Background).
package httpapi
