package call

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// Codes are our machine-readable words for why a call ended. Each end carries one,
// beside VoIPBIN's hangup_reason, the SIP status and the Q.850 cause.
const (
	CodeCallerHungUp     = "caller_hung_up"     // BYE from the peer
	CodeCallerCancelled  = "caller_cancelled"   // CANCEL before the answer
	CodeFlowEnded        = "flow_ended"         // the flow came to its end
	CodeFlowHungUp       = "flow_hung_up"       // a hangup action
	CodeFlowFailed       = "flow_failed"        // a fatal error of the flow
	CodeNoFlow           = "no_flow"            // no flow for the destination
	CodeRouteFailed      = "route_failed"       // Config.Route gave an error
	CodeRefused          = "refused"            // verification said no
	CodeCallerMalformed  = "caller_malformed"   // the caller's number cannot exist
	CodeOwnNumberSpoofed = "own_number_spoofed" // a call from outside that shows one of our numbers
	CodeNoCommonCodec    = "no_common_codec"    // nothing in the offer that we can do, its kind of address included
	CodeNoMedia          = "no_media"           // no port is free
	CodeNoACK            = "no_ack"             // our 200 was never acknowledged
	CodeMediaTimeout     = "media_timeout"      // no packet for longer than Config.MediaTimeout
	CodeSessionLost      = "session_lost"       // the peer does not know the call any more, or has not refreshed it (RFC 4028)
	CodeMaxDuration      = "max_duration"       // Config.MaxCallDuration is over
	CodeShutdown         = "shutdown"           // the engine stops
	CodeHungUp           = "hung_up"            // by the program, through Call.Hangup
	CodeTransport        = "transport_failed"   // SIP could not be sent
	CodePanic            = "internal_error"     // a fault of ours or of an action in Go

	// Of outgoing calls.
	CodeCalleeHungUp      = "callee_hung_up"     // BYE from the peer
	CodeCalleeBusy        = "callee_busy"        // 486, 600
	CodeCalleeDeclined    = "callee_declined"    // 403, 603
	CodeCalleeUnknown     = "callee_unknown"     // 404, 410, 484, 604
	CodeCalleeUnavailable = "callee_unavailable" // 480
	CodeCalleeRefused     = "callee_refused"     // any other status
	CodeNoResponse        = "no_response"        // the peer gave no sign of life
	CodeUnreachable       = "unreachable"        // no address, or nothing could be sent
	CodeDialTimeout       = "dial_timeout"       // nobody answered in time
	CodeAnsweredElsewhere = "answered_elsewhere" // another destination of the same connect was faster
	CodeMasterEnded       = "master_ended"       // the call that this one is chained to has ended
	CodeConnectEnded      = "connect_ended"      // the caller gave the connect up
	CodeHangupKey         = "hangup_key"         // the caller's key ended a connect
	CodeTransferred       = "transferred"        // it has transferred the other side to somebody else
	CodeReplaced          = "replaced"           // another call has taken its place (RFC 3891)
	CodeTalkLimit         = "talk_limit"         // a connect's max_duration is over
	CodeOutboundDenied    = "outbound_denied"    // Config.Outbound does not name the destination
	CodeOutboundCountry   = "outbound_country"   // nor the country of the number, where it has countries
	CodeOutboundRisk      = "outbound_risk"      // the number is of a class that may not be dialled
	CodeOutboundDenyList  = "outbound_deny_list" // Outbound.Deny names it
	CodeOutboundCallback  = "outbound_callback"  // Config.MayCallBack does not want it to be called back
	CodeCallerIDNotOwned  = "caller_id_not_owned"
	CodeEmergencyNoRoute  = "emergency_no_route"    // it calls for help, and Outbound.Emergency has no trunk
	CodeShortNoRoute      = "short_number_no_route" // another short number that Outbound.Emergency does not name
	CodeForwardingLoop    = "forwarding_loop"       // the call goes round in circles
	CodeNoTrunk           = "no_trunk"              // no trunk takes the number
	CodeTrunkFull         = "trunk_full"            // all channels of the trunk are taken
	CodeNotDialable       = "not_dialable"          // nothing that a call can be placed to
	CodeNotRegistered     = "not_registered"        // an extension without a phone
	CodeLookupFailed      = "lookup_failed"         // Config.Extensions or Agents gave an error
	CodeTooManyHops       = "too_many_hops"         // Max-Forwards is used up
	CodeTooManyCalls      = "too_many_calls"        // Config.MaxCalls
	CodeBudgetExhausted   = "budget_exhausted"      // Config.Accounts or Velocity has nothing left for it
	CodeNoRate            = "no_rate"               // no rate for the number, and there are Accounts
)

// End says who ended a call, and why.
type End struct {
	By       string `json:"by"`               // hangup_by: "local" or "remote"
	Reason   string `json:"reason"`           // hangup_reason, one of VoIPBIN's
	Status   int    `json:"status"`           // final SIP status; 200 for a call that was answered
	Cause    int    `json:"cause"`            // Q.850
	Code     string `json:"code"`             // one of the Code constants, or what Config.Verify said
	Sentence string `json:"sentence"`         // for people
	Header   string `json:"header,omitempty"` // value of one more Reason header of the refusal (RFC 3326, 9410)
}

// reasonCauses maps a hangup_reason that a flow names to the Q.850 cause it stands
// for and the final status that refuses an unanswered call (VoIPBIN's table).
var reasonCauses = map[string]struct{ cause, status int }{
	store.ReasonNormal:   {16, 603},
	store.ReasonCancel:   {16, 603},
	store.ReasonTimeout:  {16, 603},
	store.ReasonFailed:   {18, 408},
	store.ReasonBusy:     {17, 486},
	store.ReasonNoAnswer: {19, 480},
	store.ReasonDialout:  {19, 480},
	store.ReasonAMD:      {16, 603},
}

// causeOf gives the Q.850 cause that VoIPBIN reports for a final SIP status, or where it names none,
// RFC 3398 8.2.6.1.
func causeOf(status int) int {
	switch {
	case status == 200:
		return 16
	case status < 300:
		return 127
	}
	return verdictOf(status).cause
}

// statusOf gives the SIP status that refuses an unanswered call with a Q.850 cause,
// the reverse of causeOf.
func statusOf(cause int) int {
	switch cause {
	case 1, 2, 3:
		return 404
	case 17:
		return 486
	case 18:
		return 408
	case 19, 20, 31:
		return 480
	case 21:
		return 403
	case 22:
		return 410
	case 27:
		return 502
	case 28:
		return 484
	case 29:
		return 501
	case 34, 42, 66:
		return 503
	case 25:
		return 483
	case 41:
		return 503
	case 79:
		return 501
	case 38, 127:
		return 500
	case 58, 65:
		return 488
	}
	return 603
}

// q850 is the value of a Reason header (RFC 3326).
func q850(cause int) string { return fmt.Sprintf("Q.850;cause=%d", cause) }

// negotiationEnd is the end of a call whose offer and answer do not meet.
func negotiationEnd(n *NegotiatedInput) End {
	end := End{By: "local", Reason: store.ReasonFailed, Status: 488, Cause: causeOf(488), Code: n.Code, Sentence: n.Error}
	if n.Code == CodeNoMedia {
		end.Status, end.Cause = 503, causeOf(503)
	}
	return end
}

// ending turns what a flow says into how the call ends.
func (e *Engine) ending(a action.Ending) (End, error) {
	reason := a.Reason
	if reason == "" {
		reason = store.ReasonNormal
	}
	r, ok := reasonCauses[reason]
	if !ok {
		return End{}, fmt.Errorf("call: hangup: reason %q is unknown", a.Reason)
	}
	end := End{By: "local", Reason: reason, Status: r.status, Cause: r.cause, Code: CodeHungUp, Sentence: "the call was hung up"}
	if a.ReferenceID == "" {
		return end, nil
	}
	// The cause of another call, if that one has ended; else a normal end.
	end.Reason, end.Cause, end.Status = store.ReasonNormal, 16, statusOf(16)
	if ref, ok := e.endOf(a.ReferenceID); ok {
		end.Reason, end.Cause, end.Status = ref.HangupReason, ref.Cause, statusOf(ref.Cause)
	}
	return end, nil
}

// endOf finds how another call has ended.
func (e *Engine) endOf(id string) (store.Call, bool) {
	if c, ok := e.Call(id); ok {
		rec := c.Record()
		return rec, rec.Status == store.StatusHangup
	}
	if e.cfg.Store == nil {
		return store.Call{}, false
	}
	ctx, cancel := context.WithTimeout(e.callCtx, storeTimeout)
	defer cancel()
	rec, err := e.cfg.Store.Call(ctx, id)
	return rec, err == nil
}
