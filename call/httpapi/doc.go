// Package httpapi serves an engine's calls over HTTP, in the shapes of VoIPBIN's REST
// interface:
//
//	GET /healthz            open: 200 while calls are taken
//	GET /v1.0/calls         newest first, those that are up and those in the store
//	GET /v1.0/calls/{id}
//	GET /v1.0/calls/{id}/trace   what the call consumed, JSON lines: calltest.Replay runs it again
//
// Lists take page_size (1 to 100, default 100), page_token and the filters status,
// hangup_reason, direction, source, destination, journey_id, since, until and
// metadata.KEY; they answer {"result":[...],"next_page_token":"..."}. Everything but
// /healthz wants "Authorization: Bearer TOKEN". Errors are
// {"error":{"status","reason","message","request_id"}}.
//
// There is one type, Config; New makes an http.Handler of it.
package httpapi
