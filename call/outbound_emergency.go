package call

import (
	"errors"
	"fmt"
	"slices"

	"github.com/callbin/callbin/call/address"
)

// Emergency says where calls for help go, and other short numbers, which are no E.164 and mean something in one country only. They are
// dialled as they are, without country and prefix, to its Trunks, the first one that takes them; no rule against fraud, list, limit or budget
// stops them, whoever calls. Only what Deny names is not called. The caller's number is shown as always, but no call is refused for
// the want of one. Without Emergency, a call for help is refused with the code emergency_no_route, which no other refusal has. Whether
// the trunk's provider really brings such calls to the right place, no library can know.
type Emergency struct {
	Country string   `json:"country"` // whose emergency numbers they are, ISO 3166; "": 112, 911 and those that phones know everywhere
	Numbers []string `json:"numbers"` // more of them, 2 to 6 digits
	Short   []string `json:"short"`   // other short numbers that go the same way, such as 116117
	Trunks  []string `json:"trunks"`  // in the order of trying; none: nobody is called
	Deny    []string `json:"deny"`    // of all those, what is not called all the same
}

func (m *Emergency) check(what string) error {
	var errs []error
	if m.Country != "" && !address.IsCountry(m.Country) {
		errs = append(errs, fmt.Errorf("%s.country: %q is no country of ISO 3166 with telephones, such as \"DE\"", what, m.Country))
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"numbers", m.Numbers}, {"short", m.Short}, {"deny", m.Deny}} {
		for i, n := range l.list {
			if !address.IsShort(n) {
				errs = append(errs, fmt.Errorf("%s.%s[%d]: %q is not 2 to 6 digits", what, l.name, i, n))
			}
		}
	}
	return errors.Join(errs...)
}

// checkTrunks tells of trunks that are not there.
func (m *Emergency) checkTrunks(what string, trunks []Trunk) error {
	if m == nil {
		return nil
	}
	var errs []error
	for i, name := range m.Trunks {
		if !slices.ContainsFunc(trunks, func(t Trunk) bool { return t.Name == name }) {
			errs = append(errs, fmt.Errorf("%s.trunks[%d]: there is no trunk %q", what, i, name))
		}
	}
	return errors.Join(errs...)
}

// isEmergency tells whether the short number s calls for help.
func (o *Outbound) isEmergency(s string) bool {
	if m := o.Emergency; m != nil {
		return slices.Contains(m.Numbers, s) || address.IsEmergency(s, m.Country)
	}
	return address.IsEmergency(s, "")
}

// shortWays are those of a short number.
func (p dialplan) shortWays(s string) ([]way, *Refusal) {
	m := p.out.Emergency
	help := p.out.isEmergency(s)
	switch {
	case m != nil && slices.Contains(m.Deny, s):
		return nil, denied(CodeOutboundDenyList, s, "outbound.emergency.deny names it")
	case help && (m == nil || len(m.Trunks) == 0):
		return nil, &Refusal{Status: 404, Code: CodeEmergencyNoRoute, Sentence: fmt.Sprintf("%s calls for help, and outbound.emergency names no trunk: nobody is called", s)}
	case !help && (m == nil || len(m.Trunks) == 0 || !slices.Contains(m.Short, s)):
		return nil, &Refusal{Status: 404, Code: CodeShortNoRoute, Sentence: fmt.Sprintf("%s is a short number, and outbound.emergency.short does not name it", s)}
	}
	var ws []way
	for _, name := range m.Trunks {
		for i := range p.trunks {
			if t := &p.trunks[i]; t.Name == name {
				w := t.way(s)
				w.uri, w.emergency = "sip:"+s+"@"+t.Address+t.transport(), true
				w.evidence = fmt.Sprintf("%s asks; outbound.emergency", p.who)
				ws = append(ws, w)
			}
		}
	}
	if len(ws) == 0 {
		return nil, &Refusal{Status: 404, Code: CodeEmergencyNoRoute, Sentence: fmt.Sprintf("%s: the trunks of outbound.emergency do not exist: nobody is called", s)}
	}
	return ws, nil
}
