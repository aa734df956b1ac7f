package call

import (
	"strings"

	"github.com/callbin/callbin/sip"
)

// way of the call to number, "+" and digits, by t.
func (t *Trunk) way(number string) way {
	w := way{uri: "sip:" + t.dialled(number) + "@" + t.Address, trunk: t}
	if a, err := sip.ParseNameAddr("<" + w.uri + ">"); err == nil {
		w.host = a.Host
	}
	w.uri += t.transport()
	return w
}

// dialled writes the number that is called as the provider wants it.
func (t *Trunk) dialled(number string) string {
	n := t.written(number)
	n = t.TechPrefix + n[min(t.Strip, len(n)):] + t.TechPostfix
	return strings.ReplaceAll(n, "#", "%23") // RFC 3261 25.1: may not stand in a user part
}

// written is number as people in the provider's country write it.
func (t *Trunk) written(number string) string {
	rest, ok := strings.CutPrefix(number, "+")
	if !ok {
		return number
	}
	if t.Country != "" {
		if national, ok := strings.CutPrefix(rest, t.Country); ok && national != "" {
			return t.NationalPrefix + national
		}
	}
	if t.InternationalPrefix != "" {
		return t.InternationalPrefix + rest
	}
	return number
}
