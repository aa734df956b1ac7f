package call

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// asker is on whose behalf something is dialled. The zero value is somebody from outside of whom nothing is known: the one with the
// least rights, so that what forgets to say who asks opens nothing.
type asker struct {
	extension string          // that has given its password
	trunk     string          // by which the first call of the journey came to us
	flow      string          // id of the flow that dials; "": none, or one without an id
	agent     string          // whose addresses are dialled
	program   bool            // the program asks, on nobody's behalf
	caller    address.Address // the first caller, as it showed itself

	diversions int  // how often the call was forwarded before it came to us
	returned   bool // its journey was known before it came to us

	rule *OutboundRule // that counts, whoever asks; nil: the one that fits
}

// askerOf is who asks where in dials.
func askerOf(in *Incoming) asker {
	return asker{extension: in.Request.Authenticated, trunk: in.Trunk, caller: in.Source, diversions: diversions(in.Request)}
}

// asker is who asks where c, or its flow, dials: of a call of ours whoever had it placed.
func (c *Call) asker() asker {
	var a asker
	rec := c.Record()
	switch in := c.origin.Load(); {
	case c.out != nil:
		a = c.out.asker
	case in != nil:
		a = *in
	default: // taken up from another engine
		a.caller = rec.Source
		if rec.TmCreate.IsZero() || !isIncoming(&rec) {
			break
		}
		a.trunk = rec.Trunk
		if x := c.extension.Load(); x != nil {
			a.extension = *x
		}
	}
	if rec.FlowID != "" {
		a.flow = rec.FlowID
	}
	return a
}

// String names a in the words of OutboundRule.Source, for people.
func (a asker) String() string {
	var s []string
	for _, w := range [...][2]string{{"extension", a.extension}, {"trunk", a.trunk}, {"agent", a.agent}, {"flow", a.flow}} {
		if w[1] != "" {
			s = append(s, fmt.Sprintf("%s:%s", w[0], w[1]))
		}
	}
	switch {
	case a.program:
		s = append(s, "program")
	case a.extension == "" && a.trunk == "":
		s = append(s, "outside")
	}
	return strings.Join(s, " ")
}

// is tells whether a rule for source is one for a.
func (a asker) is(source string) bool {
	kind, name, _ := strings.Cut(source, ":")
	one := func(is string) bool { return is != "" && (name == "*" || name == is) }
	switch kind {
	case "extension":
		return one(a.extension)
	case "trunk":
		return a.extension == "" && one(a.trunk) // a phone of ours behind a trunk has proved who it is
	case "agent":
		return one(a.agent)
	case "flow":
		return one(a.flow)
	case "program":
		return a.program
	case "outside":
		return !a.program && a.extension == "" && a.trunk == ""
	}
	return false
}

func checkSource(what, s string) error {
	kind, name, ok := strings.Cut(s, ":")
	switch {
	case slices.Contains([]string{"program", "outside"}, s):
		return nil
	case slices.Contains([]string{"extension", "trunk", "agent", "flow"}, kind) && ok && name != "" && !strings.ContainsAny(name, " \r\n"):
		return nil
	}
	return fmt.Errorf("%s: %q is not extension:NAME, trunk:NAME, agent:ID, flow:ID, outside or program", what, s)
}

// rule is what the asker may dial, and how it is called.
func (p dialplan) rule() (OutboundRule, string) {
	if r := p.who.rule; r != nil {
		return *r, "rule " + r.Source
	}
	for _, r := range p.out.Rules {
		if p.who.is(r.Source) {
			return r, "rule " + r.Source
		}
	}
	return p.out.rest(), "the default rule"
}
