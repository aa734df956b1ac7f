package call

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// shownBy is who the far end of w sees as calling, whatever is wanted: a number that leaves for the telephone network is ours, or somebody has
// verified that it is the asker's (Outbound.Verified, Config.MayShow). In place of another one the trunk's own is shown, or
// Outbound.Caller, or the call does not go out, as VoIPBIN does. The check tells which, where there was something to decide.
func (e *Engine) shownBy(o *outgoing, w *way) (address.Address, *Check, *Refusal) {
	a := o.shown(w)
	n := shownNumber(a)
	if w.trunk == nil && !w.gateway || n == "" {
		return a, nil, nil
	}
	why := e.mayShow(o.asker, a, n)
	if why != "" || w.trunk != nil && n == w.trunk.Caller || n == e.cfg.Outbound.Caller {
		return a, &Check{Name: "caller_id", Result: "pass", Evidence: n + " is shown: " + cmp.Or(why, "the configuration's own")}, nil
	}
	if !o.named && a == o.otherwise.Normalize() { // nobody has asked for it
		return address.Address{}, &Check{Name: "caller_id", Result: "pass", Evidence: n + " is not ours: no number is shown"}, nil
	}
	for _, own := range []string{trunkCaller(w), e.cfg.Outbound.Caller} {
		if own != "" {
			return address.Address{Type: address.TypeTel, Target: own},
				&Check{Name: "caller_id", Result: "pass", Code: CodeCallerIDNotOwned, Evidence: fmt.Sprintf("%s is neither ours nor verified: %s is shown", n, own)}, nil
		}
	}
	if w.emergency {
		return address.Address{}, &Check{Name: "caller_id", Result: "pass", Code: CodeCallerIDNotOwned, Evidence: n + " is neither ours nor verified: no number is shown"}, nil
	}
	r := &Refusal{Status: 403, Code: CodeCallerIDNotOwned, Evidence: fmt.Sprintf("%s asks to show %s", o.asker, n),
		Sentence: fmt.Sprintf("%s may not be shown as calling: it is neither ours nor verified, and there is no other number to show", n)}
	return address.Address{}, nil, r
}

func trunkCaller(w *way) string {
	if w.trunk == nil {
		return ""
	}
	return w.trunk.Caller
}

// shownNumber is the number that somebody sees who is shown a, "" for a name.
func shownNumber(a address.Address) string {
	switch a.Type {
	case address.TypeTel:
		return a.Target
	case address.TypeSIP:
		if t, _, why := readSIP(a.Target); why == "" && looksDialled(t.user) {
			return t.user
		}
	case address.TypeExtension:
		if name := extensionName(a); looksDialled(name) {
			return name
		}
	}
	return ""
}

// mayShow tells why a, which a provider takes for the number n, may be shown on behalf of who; "": it may not.
func (e *Engine) mayShow(who asker, a address.Address, n string) (why string) {
	if fault := guarded(func() error { why = e.owns(who, a, n); return nil }); fault != nil { // of the host's
		e.log.Error("panic in Owned or MayShow", "err", fault)
		return ""
	}
	return why
}

func (e *Engine) owns(who asker, a address.Address, n string) string {
	c := &e.cfg
	rule, name := e.dialplan(who).rule()
	switch {
	case c.Owned == nil && c.MayShow == nil && len(c.Outbound.Verified)+len(rule.Verified) == 0:
		return "nothing says which numbers are ours"
	case a.Type == address.TypeExtension && !strings.HasPrefix(n, "+") && n == who.extension:
		return "it is the asker's own extension"
	case c.Owned != nil && (c.Owned(a) || c.Owned(address.Address{Type: address.TypeTel, Target: n})):
		return "it is ours"
	case slices.Contains(rule.Verified, n):
		return name + " has it as verified"
	case c.MayShow != nil && c.MayShow(who.String(), n):
		return "it is verified"
	}
	return ""
}
