package call

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// diversions is how often a call was forwarded before it came to us: what its History-Info (RFC 7044) or Diversion (RFC 5806) says, the
// larger of both. Who leaves these out, or lies, is found by Max-Forwards and by the journey, or not at all.
func diversions(r *sip.Request) int {
	var history, mapped, diverted int
	for _, h := range r.Headers {
		switch strings.ToLower(h.Name) {
		case "history-info":
			for entry := range listOf(h.Value) {
				history++
				if p := strings.ToLower(entry); strings.Contains(p, ";mp=") { // the target was mapped to another user
					mapped++
				}
			}
		case "diversion":
			for entry := range listOf(h.Value) {
				n := 1
				if _, v, ok := strings.Cut(strings.ToLower(entry), ";counter="); ok {
					v, _, _ = strings.Cut(v, ";")
					if c, err := strconv.Atoi(strings.Trim(v, " \"")); err == nil && c > 1 {
						n = min(c, 100)
					}
				}
				diverted += n
			}
		}
	}
	if mapped == 0 {
		mapped = max(history-1, 0) // RFC 4244 did not say why: the first one is where the call went first
	}
	return max(mapped, diverted)
}

// listOf are the entries of a header with commas; those in brackets and quotes part nothing.
func listOf(v string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, bracket, quote := 0, false, false
		for i := range len(v) {
			switch c := v[i]; {
			case c == '"' && (i == 0 || v[i-1] != '\\'):
				quote = !quote
			case quote:
			case c == '<':
				bracket = true
			case c == '>':
				bracket = false
			case c == ',' && !bracket:
				if !yield(v[start:i]) {
					return
				}
				start = i + 1
			}
		}
		if strings.TrimSpace(v[start:]) != "" {
			yield(v[start:])
		}
	}
}

// isOurOwn tells whether an INVITE that comes in is one that we have sent, and that somebody has passed on without a change of who it is from: its Call-ID
// is that of a call of ours that waits for its answer, and its path goes by us (RFC 3261 16.3 step 4).
func (e *Engine) isOurOwn(r *sip.Request) bool {
	first := true
	for _, h := range r.Headers {
		if n := strings.ToLower(h.Name); n != "via" && n != "v" {
			continue
		}
		for via := range listOf(h.Value) {
			if first { // its sender's
				first = false
				continue
			}
			fields := strings.Fields(via)
			if len(fields) < 2 {
				continue
			}
			by, _, _ := strings.Cut(fields[1], ";")
			if e.self[hostPort(by)] {
				return e.callingAs(r.CallID)
			}
		}
	}
	return false
}

// callingAs tells whether a call of ours that is not answered has that Call-ID.
func (e *Engine) callingAs(callID string) bool {
	for c := range e.Calls() {
		if d := c.dialog.Load(); c.out != nil && d != nil && d.CallID() == callID {
			return true
		}
	}
	return false
}

var ownCallBack = End{By: "local", Reason: store.ReasonFailed, Status: 482, Cause: 25, Code: CodeForwardingLoop,
	Sentence: "it is a call of ours that has come back to us"}

// mayForward tells why the call must not lead to one more: it has been forwarded too often.
func (e *Engine) mayForward(o *outgoing) *Refusal {
	limit := cmp.Or(e.cfg.Outbound.MaxDiversions, DefaultMaxDiversions)
	if n := o.asker.diversions; n > limit {
		return &Refusal{Status: 482, Code: CodeForwardingLoop, Evidence: fmt.Sprintf("%d diversions in History-Info or Diversion, at most %d", n, limit),
			Sentence: "the call has been forwarded too often"}
	}
	if !o.asker.returned {
		return nil
	}
	limit = cmp.Or(e.cfg.Outbound.MaxRepeats, DefaultMaxRepeats)
	n := 0
	for c := range e.journeyCalls(o.journey) {
		if c.out != nil && c.out.destination.Same(o.destination) && !c.isEnding() {
			n++
		}
	}
	if n >= limit {
		return &Refusal{Status: 482, Code: CodeForwardingLoop, Evidence: fmt.Sprintf("%d calls of journey %s to %s at a time, at most %d", n, o.journey, o.destination.Target, limit),
			Sentence: fmt.Sprintf("%s is called by this journey already, again and again", o.destination.Target)}
	}
	return nil
}

// isKnown tells whether a call of ours is up that belongs to the journey.
func (e *Engine) isKnown(journey string) bool {
	for range e.journeyCalls(journey) {
		return true
	}
	return false
}

// gateCodes are the codes of refusals by the outbound gate: those that an "outbound_refused" and ${verify.outbound} tell of.
var gateCodes = []string{
	CodeOutboundDenied, CodeOutboundCountry, CodeOutboundRisk, CodeOutboundDenyList, CodeOutboundCallback, CodeCallerIDNotOwned,
	CodeEmergencyNoRoute, CodeShortNoRoute, CodeForwardingLoop, CodeTooManyHops, CodeNotDialable,
}

func byGate(code string) bool { return slices.Contains(gateCodes, code) }
