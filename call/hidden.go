package call

import (
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
)

// hiddenDigit stands for a digit in inputs, and so in traces, while a PIN is asked for. The digit itself goes around the loop to who
// reads it.
const hiddenDigit = "?"

var _ action.DigitHider = (*Call)(nil)

// HideDigits keeps 0 to 9 out of the trace from now on, or no more.
func (c *Call) HideDigits(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hiding = on
}

// hideLocked takes the digit out of an input that is one; c.mu is held.
func (c *Call) hideLocked(in *Input) {
	switch {
	case in.Kind == KindMedia && in.Media.Kind == rtp.EventDigitEnd && c.hiddenEnd:
		c.hiddenEnd = false
		in.Media = maskedDigit(in.Media, hiddenDigit)
	case !c.hiding:
	case in.Kind == KindMedia && in.Media.Kind == rtp.EventDigit && isDecimal(in.Media.Digit):
		c.hidden += in.Media.Digit
		c.hiddenEnd = true
		in.Media = maskedDigit(in.Media, hiddenDigit)
	case in.Kind == KindSIP && in.SIP.Kind == sip.EventInfo:
		if d := infoDigit(in.SIP.ContentType, in.SIP.Body); isDecimal(d) {
			c.hidden += d
			ev := *in.SIP
			ev.ContentType, ev.Body = "application/dtmf-relay", []byte("Signal="+hiddenDigit)
			in.SIP = &ev
		}
	}
}

// maskedDigit is a copy of ev, which the media side keeps, with mark in place of its key.
func maskedDigit(ev *rtp.Event, mark string) *rtp.Event {
	masked := *ev
	masked.Digit = mark
	return &masked
}

func isDecimal(d string) bool { return len(d) == 1 && strings.Contains("0123456789", d) }

// shown is the digit that d stands for; "": none.
func (c *Call) shown(d string) string {
	if d != hiddenDigit {
		return d
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hidden == "" { // a peer that sends such a thing
		return ""
	}
	d = c.hidden[:1]
	c.hidden = c.hidden[1:]
	return d
}
