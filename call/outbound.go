package call

import (
	"errors"
	"fmt"
	"log/slog"
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

// Trunk is a named way to a provider. It does not show its password when it is printed or logged.
type Trunk struct {
	Name      string   `json:"name"`
	Address   string   `json:"address"`   // host or host:port
	Transport string   `json:"transport"` // "udp" or "tcp"; "": as DNS says, else udp
	User      string   `json:"user"`      // for digest authentication
	Password  string   `json:"password"`
	Prefixes  []string `json:"prefixes"` // of the numbers that go this way, "+" and digits; none: all
	Caller    string   `json:"caller"`   // number that is shown where the flow names none; "": that which was called, if any
}

// String leaves the password out.
func (t Trunk) String() string { return fmt.Sprintf("%s (%s)", t.Name, t.Address) }

// GoString leaves the password out.
func (t Trunk) GoString() string {
	return fmt.Sprintf("call.Trunk{Name:%q, Address:%q}", t.Name, t.Address)
}

// LogValue leaves the password out.
func (t Trunk) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", t.Name), slog.String("address", t.Address))
}

func checkTrunks(what string, trunks []Trunk) error {
	var errs []error
	bad := func(i int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s[%d]: %s", what, i, fmt.Sprintf(format, args...)))
	}
	seen := map[string]bool{}
	for i, t := range trunks {
		switch {
		case t.Name == "" || t.Address == "":
			bad(i, "name and address are needed")
		case seen[t.Name]:
			bad(i, "%q stands there twice", t.Name)
		}
		seen[t.Name] = true
		if t.Address != "" {
			if a, err := sip.ParseNameAddr("<sip:" + t.Address + ">"); err != nil || a.User != "" || strings.ContainsAny(t.Address, "@;?<>") {
				bad(i, "address %q is not HOST or HOST:PORT", t.Address)
			}
		}
		switch t.Transport {
		case "", "udp", "tcp":
		case "tls", "ws", "wss":
			bad(i, "transport %q is not supported yet", t.Transport)
		default:
			bad(i, "transport %q is unknown", t.Transport)
		}
		if t.Caller != "" && !address.IsE164(t.Caller) {
			bad(i, "caller %q is not \"+\" and 7 to 15 digits", t.Caller)
		}
		errs = append(errs, checkPrefixes(fmt.Sprintf("%s[%d].prefixes", what, i), t.Prefixes))
	}
	return errors.Join(errs...)
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

// dialplan is what may be dialled, and by which way.
type dialplan struct {
	out    *Outbound
	trunks []Trunk
}

func (e *Engine) dialplan() dialplan { return dialplan{&e.cfg.Outbound, e.cfg.Trunks} }

// CheckDestination tells why a flow that dials a would do so in vain, as far as that can be known when it is loaded.
func (p dialplan) CheckDestination(a address.Address) error {
	if _, refusal := p.way(a); refusal != nil && a.Type != address.TypeConference {
		return errors.New(refusal.Sentence)
	}
	return nil
}

// way finds how dest is reached, or why it is not: the gate that everything passes that is dialled.
func (p dialplan) way(dest address.Address) (way, *Refusal) {
	dest = dest.Normalize()
	if err := dest.Validate(); err != nil {
		return way{}, &Refusal{Status: 484, Code: CodeNotDialable, Sentence: err.Error()}
	}
	switch dest.Type {
	case address.TypeSIP:
		return p.sipWay(dest.Target)
	case address.TypeTel:
		return p.telWay(dest.Target)
	case address.TypeExtension:
		return way{}, &Refusal{Status: 480, Code: CodeNotRegistered, Sentence: fmt.Sprintf("extension %q has no phone: there is no registrar yet", dest.Target)}
	}
	return way{}, &Refusal{Status: 501, Code: CodeNotDialable, Sentence: fmt.Sprintf("a destination of type %q cannot be dialled", dest.Type)}
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

// telWay takes the trunk with the longest prefix of the number, of equal ones the first.
func (p dialplan) telWay(number string) (way, *Refusal) {
	if !p.out.allowsNumber(number) {
		return way{}, denied(number, "the configuration does not name its prefix")
	}
	var best *Trunk
	length := -1
	for i := range p.trunks {
		t := &p.trunks[i]
		if len(t.Prefixes) == 0 && length < 0 {
			best, length = t, 0
		}
		for _, prefix := range t.Prefixes {
			if strings.HasPrefix(number, prefix) && len(prefix) > length {
				best, length = t, len(prefix)
			}
		}
	}
	if best == nil {
		return way{}, &Refusal{Status: 503, Code: CodeNoTrunk, Sentence: fmt.Sprintf("no trunk takes %s", number)}
	}
	w := way{uri: "sip:" + number + "@" + best.Address, trunk: best}
	if a, err := sip.ParseNameAddr("<" + w.uri + ">"); err == nil {
		w.host = a.Host
	}
	if best.Transport != "" {
		w.uri += ";transport=" + best.Transport
	}
	return w, nil
}

func denied(target, why string) *Refusal {
	return &Refusal{Status: 403, Code: CodeOutboundDenied, Sentence: fmt.Sprintf("%q may not be dialled: %s", target, why)}
}

// mayFollow is asked for each Contact of a 3xx: it passes the gate like any other destination.
func (p dialplan) mayFollow(uri string) bool {
	_, refusal := p.sipWay(uri)
	return refusal == nil
}
