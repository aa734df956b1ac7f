package call

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// Outbound is the policy for what may be dialled, by a flow, the program, or a redirect (3xx)
// of who was dialled. What it does not name is refused: the zero value lets nothing out.
type Outbound struct {
	// SIP are networks (CIDR) for destinations with a numeric host, and host names: exactly
	// as they stand in the destination, or "*.example.com" for all names below one.
	SIP []string `json:"sip"`
	// Tel are the prefixes of numbers, "+" and digits; "+" alone is all.
	Tel []string `json:"tel"`
}

// any tells whether anything at all may be dialled.
func (o *Outbound) any() bool { return len(o.SIP)+len(o.Tel) > 0 }

func (o *Outbound) check(what string) error {
	errs := []error{checkPrefixes(what+".tel", o.Tel)}
	for i, s := range o.SIP {
		if strings.Contains(s, "/") {
			if _, err := netip.ParsePrefix(s); err != nil {
				errs = append(errs, fmt.Errorf("%s.sip[%d]: %q is no network", what, i, s))
			}
			continue
		}
		name := strings.TrimPrefix(s, "*.")
		if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
			errs = append(errs, fmt.Errorf("%s.sip[%d]: %q is neither a network nor a host name", what, i, s))
		}
	}
	return errors.Join(errs...)
}

// allowsHost tells whether a SIP destination may be at host.
func (o *Outbound) allowsHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	numeric := err == nil
	for _, s := range o.SIP {
		s = strings.ToLower(s)
		if net, err := netip.ParsePrefix(s); err == nil {
			if numeric && net.Contains(ip.Unmap().WithZone("")) {
				return true
			}
			continue
		}
		below, wild := strings.CutPrefix(s, "*.")
		if s == host || wild && !numeric && strings.HasSuffix(host, "."+below) {
			return true
		}
	}
	return false
}

func (o *Outbound) allowsNumber(n string) bool {
	for _, p := range o.Tel {
		if strings.HasPrefix(n, p) {
			return true
		}
	}
	return false
}

func checkPrefixes(what string, list []string) error {
	for i, p := range list {
		if len(p) < 1 || p[0] != '+' {
			return fmt.Errorf("%s[%d]: %q does not begin with +", what, i, p)
		}
		if strings.Trim(p[1:], "0123456789") != "" {
			return fmt.Errorf("%s[%d]: %q holds more than + and digits", what, i, p)
		}
	}
	return nil
}

// way is how a destination is reached.
type way struct {
	uri   string
	host  string // of uri
	trunk *Trunk // nil: none
}

// dialplan is what may be dialled, and by which ways.
type dialplan struct {
	out    *Outbound
	trunks []Trunk
	routes []Route
	lines  map[string]*line // what is known of the trunks, by name; nil: nothing
	random func() float64   // 0 to 1, for weights; nil: of package rand
}

func (e *Engine) dialplan() dialplan {
	return dialplan{out: &e.cfg.Outbound, trunks: e.cfg.Trunks, routes: e.cfg.Routes, lines: e.lines}
}

// CheckDestination tells why a flow that dials a would do so in vain, as far as that can be known when it is loaded.
func (p dialplan) CheckDestination(a address.Address) error {
	if _, refusal := p.way(a); refusal != nil && a.Type != address.TypeConference {
		return errors.New(refusal.Sentence)
	}
	return nil
}

// way is the first of the ways to dest.
func (p dialplan) way(dest address.Address) (way, *Refusal) {
	ws, refusal := p.ways(dest)
	if refusal != nil {
		return way{}, refusal
	}
	return ws[0], nil
}

// ways finds how dest is reached, in the order of trying, or why it is not: the gate that everything passes that is
// dialled. There is one way at least if there is no refusal.
func (p dialplan) ways(dest address.Address) ([]way, *Refusal) {
	dest = dest.Normalize()
	if err := dest.Validate(); err != nil {
		return nil, &Refusal{Status: 484, Code: CodeNotDialable, Sentence: err.Error()}
	}
	switch dest.Type {
	case address.TypeSIP:
		w, refusal := p.sipWay(dest.Target)
		return []way{w}, refusal
	case address.TypeTel:
		return p.telWays(dest.Target)
	case address.TypeExtension:
		return nil, &Refusal{Status: 480, Code: CodeNotRegistered, Sentence: fmt.Sprintf("extension %q has no phone: there is no registrar yet", dest.Target)}
	}
	return nil, &Refusal{Status: 501, Code: CodeNotDialable, Sentence: fmt.Sprintf("a destination of type %q cannot be dialled", dest.Type)}
}

func (p dialplan) sipWay(target string) (way, *Refusal) {
	uri := target
	if !strings.HasPrefix(strings.ToLower(uri), "sip:") && !strings.HasPrefix(strings.ToLower(uri), "sips:") {
		uri = "sip:" + uri
	}
	a, err := sip.ParseNameAddr("<" + uri + ">")
	if err != nil {
		return way{}, &Refusal{Status: 484, Code: CodeNotDialable, Sentence: fmt.Sprintf("%q is no SIP address: %v", target, err)}
	}
	// Headers would become part of the request, and maddr leads somewhere else than the host says.
	if low := strings.ToLower(uri); strings.Contains(low, "?") || strings.Contains(low, "maddr") {
		return way{}, denied(target, "headers and maddr are not allowed in it")
	}
	if !p.out.allowsHost(a.Host) {
		return way{}, denied(target, "the configuration does not name its host")
	}
	return way{uri: uri, host: a.Host}, nil
}

func denied(target, why string) *Refusal {
	return &Refusal{Status: 403, Code: CodeOutboundDenied, Sentence: fmt.Sprintf("%q may not be dialled: %s", target, why)}
}

// mayFollow is asked for each Contact of a 3xx: it passes the gate like any other destination.
func (p dialplan) mayFollow(uri string) bool {
	_, refusal := p.sipWay(uri)
	return refusal == nil
}
