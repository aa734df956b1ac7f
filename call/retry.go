package call

import (
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// A verdict is what a final answer to an INVITE of ours means: whether the next trunk may do better (see Trunk,
// Route), and what the record says if there is none. testdata/retry.txt has the verdict of each status.
//
// The rule is VoIPBIN's: a cause that speaks of the called party is final, whatever speaks of the way to it is not.
//
//	answer                               next trunk   cause  hangup_reason  code
//	3xx that is not followed             yes          127    failed         callee_refused
//	400, 481                             yes          41     failed         callee_refused
//	401, 402, 407 (credentials, credit)  yes          21     failed         callee_refused
//	403                                  no           21     noanswer       callee_declined
//	404                                  yes          1      failed         callee_unknown
//	405                                  yes          63     failed         callee_refused
//	406, 415                             yes          79     failed         callee_refused
//	408, 504                             yes          18     failed         callee_refused
//	410                                  yes          22     failed         callee_unknown
//	433 (wants to know who calls)        no           21     noanswer       callee_declined
//	480                                  no           19     noanswer       callee_unavailable
//	482, 483 (a circle must not branch)  no           25     failed         callee_refused
//	484                                  yes          28     failed         callee_unknown
//	485                                  yes          1      failed         callee_unknown
//	486, 600                             no           17     busy           callee_busy
//	487                                  no           16     normal         callee_refused
//	488                                  yes          58     failed         callee_refused
//	other 4xx                            yes          127    failed         callee_refused
//	500                                  yes          38     failed         callee_refused
//	501                                  yes          29     failed         callee_refused
//	502                                  yes          27     failed         callee_refused
//	503                                  yes          34     failed         callee_refused
//	other 5xx                            yes          127    failed         callee_refused
//	603, 607, 608                        no           21     noanswer       callee_declined
//	604                                  no           1      failed         callee_unknown
//	606                                  no           58     failed         callee_refused
//	other 6xx                            no           127    failed         callee_refused
//	no sign of life, or none but 100     yes          18     failed         no_response
//	no address, nothing could be sent    yes          34     failed         unreachable
//	our own end: CANCEL, dial timeout    no           -      -              -
//
// A Reason header of the peer with the Q.850 cause 17, 19, 21 or 26 takes the place of a status that is not final:
// providers wrap what the called party said into a 5xx of their own.
type verdict struct {
	retry  bool
	cause  int    // Q.850
	reason string // VoIPBIN's hangup_reason
	code   string // one of the Code constants
}

// finals are the statuses whose verdict is not that of their class.
var finals = map[int]verdict{
	400: {true, 41, store.ReasonFailed, CodeCalleeRefused},
	401: {true, 21, store.ReasonFailed, CodeCalleeRefused},
	402: {true, 21, store.ReasonFailed, CodeCalleeRefused},
	403: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
	404: {true, 1, store.ReasonFailed, CodeCalleeUnknown},
	405: {true, 63, store.ReasonFailed, CodeCalleeRefused},
	406: {true, 79, store.ReasonFailed, CodeCalleeRefused},
	407: {true, 21, store.ReasonFailed, CodeCalleeRefused},
	408: {true, 18, store.ReasonFailed, CodeCalleeRefused},
	410: {true, 22, store.ReasonFailed, CodeCalleeUnknown},
	415: {true, 79, store.ReasonFailed, CodeCalleeRefused},
	433: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
	480: {false, 19, store.ReasonNoAnswer, CodeCalleeUnavailable},
	481: {true, 41, store.ReasonFailed, CodeCalleeRefused},
	482: {false, 25, store.ReasonFailed, CodeCalleeRefused},
	483: {false, 25, store.ReasonFailed, CodeCalleeRefused},
	484: {true, 28, store.ReasonFailed, CodeCalleeUnknown},
	485: {true, 1, store.ReasonFailed, CodeCalleeUnknown},
	486: {false, 17, store.ReasonBusy, CodeCalleeBusy},
	487: {false, 16, store.ReasonNormal, CodeCalleeRefused},
	488: {true, 58, store.ReasonFailed, CodeCalleeRefused},
	500: {true, 38, store.ReasonFailed, CodeCalleeRefused},
	501: {true, 29, store.ReasonFailed, CodeCalleeRefused},
	502: {true, 27, store.ReasonFailed, CodeCalleeRefused},
	503: {true, 34, store.ReasonFailed, CodeCalleeRefused},
	504: {true, 18, store.ReasonFailed, CodeCalleeRefused},
	600: {false, 17, store.ReasonBusy, CodeCalleeBusy},
	603: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
	604: {false, 1, store.ReasonFailed, CodeCalleeUnknown},
	606: {false, 58, store.ReasonFailed, CodeCalleeRefused},
	607: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
	608: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
}

// verdictOf judges a final status of a peer, 300 to 699.
func verdictOf(status int) verdict {
	if v, ok := finals[status]; ok {
		return v
	}
	// 6xx speak for every way to the called party (RFC 3261 21.6).
	return verdict{status < 600, 127, store.ReasonFailed, CodeCalleeRefused}
}

// judge is verdictOf for what came of an INVITE: its status may be our own, and the peer's Reason header
// says more than the status.
func judge(status, cause int, local bool) verdict {
	v := verdictOf(status)
	if local {
		switch status {
		case 408:
			v.code = CodeNoResponse
		case 503:
			v.code = CodeUnreachable
		default:
			v.retry = false
		}
		return v
	}
	if w, ok := said[cause]; ok && v.retry {
		return w
	}
	return v
}

// said are the Q.850 causes that speak of the called party.
var said = map[int]verdict{
	17: {false, 17, store.ReasonBusy, CodeCalleeBusy},
	19: {false, 19, store.ReasonNoAnswer, CodeCalleeUnavailable},
	21: {false, 21, store.ReasonNoAnswer, CodeCalleeDeclined},
	26: {false, 26, store.ReasonNormal, CodeAnsweredElsewhere},
}

// judged is judge for the end of all that was tried at one trunk.
func judged(e *sip.Event) verdict {
	cause := 0
	if n := len(e.Attempts); n > 0 {
		cause = e.Attempts[n-1].Cause
	}
	return judge(e.Status, cause, e.Local)
}
