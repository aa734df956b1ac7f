package call

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// Outbound is the policy for what may be dialled: by a flow, the program, a transfer, or a redirect (3xx) of who was dialled. What it
// does not name is refused: the zero value lets nothing out. What SIP to Verified say is for whoever no one of Rules is for.
type Outbound struct {
	// SIP are networks (CIDR) for destinations with a numeric host, and host names: exactly
	// as they stand in the destination, or "*.example.com" for all names below one; "user@host" is that user only. At the host of a
	// trunk, or one of Gateways, a number has to be allowed as a number, too, unless it stands here with its host.
	SIP []string `json:"sip"`
	// Tel are the prefixes of numbers, "+" and digits; "+" alone is all. Countries are the countries whose numbers may be dialled, too, in
	// ISO 3166 ("DE"): of those that share a code ("US", "CA" and "JM"; "RU" and "KZ"; "GB" and "JE") only numbers that the plan gives to that one.
	Tel       []string `json:"tel"`
	Countries []string `json:"countries"`
	// MaxRisk is the highest class of numbers that may be dialled there: RiskLow, which is what "" is, RiskSpecial, RiskPremium
	// or RiskIRSF. Risky are prefixes of numbers that may be dialled though their class is higher.
	MaxRisk string   `json:"max_risk"`
	Risky   []string `json:"risky"`
	// Verified are numbers that may be shown to a provider as calling, beside Config.Owned.
	Verified []string `json:"verified"`

	// Rules are for those who they name; the first one that fits counts, in place of what stands above.
	Rules []OutboundRule `json:"rules"`

	// Deny are prefixes of numbers, hosts, networks and addresses, as of Tel and SIP, that nobody may dial, whatever else is said.
	Deny []string `json:"deny"`
	// IRSF are prefixes of numbers that are known for revenue share fraud, IRSFFile is a file with more of them, one a line ("#" begins
	// a comment), which ReadSettings adds. Their numbers are of class RiskIRSF.
	IRSF     []string `json:"irsf"`
	IRSFFile string   `json:"irsf_file"`
	// Gateways are hosts and networks, as of SIP, that lead to the telephone network beside the trunks: other names and addresses of a
	// provider, a PBX.
	Gateways []string `json:"gateways"`
	// Emergency says where emergency calls and other short numbers go. Nil: nowhere.
	Emergency *Emergency `json:"emergency"`
	// Caller is shown to a provider where a number is wanted that may not be, and the trunk has none of its own. "": such a call is refused.
	Caller string `json:"caller"`
	// MaxDiversions is how often a call may have been forwarded (RFC 7044, RFC 5806) that leads to another one, MaxRepeats how many calls to the
	// same destination one journey may have at a time that has come back to us. 0: DefaultMaxDiversions, DefaultMaxRepeats.
	MaxDiversions int `json:"max_diversions"`
	MaxRepeats    int `json:"max_repeats"`

	irsf *prefixes // of IRSF; nil: it is searched as it stands
}

// Defaults of an Outbound.
const (
	DefaultMaxDiversions = 5 // as often as the telephone network lets a call be forwarded (ITU-T Q.732.2)
	DefaultMaxRepeats    = 3
)

// OutboundRule is what some of those who dial may dial; its other fields are those of Outbound.
type OutboundRule struct {
	// Source is whom it is for: "extension:NAME" (who has given the password of that extension), "trunk:NAME" (calls that came by that trunk), "agent:ID"
	// (addresses of that agent), each with "*" for any; "flow:ID" (what that flow dials, whoever called it), "outside" (callers without a
	// password, by no trunk) or "program" (Engine.Dial and the like, on nobody's behalf).
	Source string `json:"source"`

	SIP       []string `json:"sip"`
	Tel       []string `json:"tel"`
	Countries []string `json:"countries"`
	MaxRisk   string   `json:"max_risk"`
	Risky     []string `json:"risky"`
	Verified  []string `json:"verified"`
}

// lets tells whether anything at all may be dialled.
func (r *OutboundRule) lets() bool { return len(r.SIP)+len(r.Tel)+len(r.Countries) > 0 }

// OutboundPolicy is Config.Outbound. What it holds may not be changed.
func (e *Engine) OutboundPolicy() Outbound { return e.cfg.Outbound }

// any tells whether anything at all may be dialled by anybody.
func (o *Outbound) any() bool {
	rest := o.rest()
	return rest.lets() || o.Emergency != nil && len(o.Emergency.Trunks) > 0 || slices.ContainsFunc(o.Rules, func(r OutboundRule) bool { return r.lets() })
}

// rest is what those may dial for whom there is no other rule.
func (o *Outbound) rest() OutboundRule {
	return OutboundRule{SIP: o.SIP, Tel: o.Tel, Countries: o.Countries, MaxRisk: o.MaxRisk, Risky: o.Risky, Verified: o.Verified}
}

func (o *Outbound) check(what string) error {
	rest := o.rest()
	errs := []error{rest.check(what), checkPrefixes(what+".irsf", o.IRSF), checkHosts(what+".gateways", o.Gateways)}
	for i := range o.Rules {
		at := fmt.Sprintf("%s.rules[%d]", what, i)
		errs = append(errs, checkSource(at+".source", o.Rules[i].Source), o.Rules[i].check(at))
	}
	for i, d := range o.Deny {
		at := fmt.Sprintf("%s.deny[%d]", what, i)
		if strings.HasPrefix(d, "+") {
			errs = append(errs, checkPrefix(at, d))
		} else {
			errs = append(errs, checkHost(at, d))
		}
	}
	if o.Caller != "" && !address.IsE164(o.Caller) {
		errs = append(errs, fmt.Errorf("%s.caller: %q is not \"+\" and 7 to 15 digits", what, o.Caller))
	}
	if o.MaxDiversions < 0 || o.MaxRepeats < 0 {
		errs = append(errs, fmt.Errorf("%s: max_diversions and max_repeats cannot be negative", what))
	}
	if o.Emergency != nil {
		errs = append(errs, o.Emergency.check(what+".emergency"))
	}
	return errors.Join(errs...)
}

func (r *OutboundRule) check(what string) error {
	errs := []error{checkPrefixes(what+".tel", r.Tel), checkPrefixes(what+".risky", r.Risky), checkHosts(what+".sip", r.SIP)}
	for i, c := range r.Countries {
		if !address.IsCountry(c) {
			errs = append(errs, fmt.Errorf("%s.countries[%d]: %q is no country of ISO 3166 with telephones, such as \"DE\"", what, i, c))
		}
	}
	if _, ok := riskRank(r.MaxRisk); !ok {
		errs = append(errs, fmt.Errorf("%s.max_risk: %q is not low, special, premium or irsf", what, r.MaxRisk))
	}
	for i, n := range r.Verified {
		if !address.IsE164(n) {
			errs = append(errs, fmt.Errorf("%s.verified[%d]: %q is not \"+\" and 7 to 15 digits", what, i, n))
		}
	}
	return errors.Join(errs...)
}

func checkHosts(what string, list []string) error {
	var errs []error
	for i, s := range list {
		errs = append(errs, checkHost(fmt.Sprintf("%s[%d]", what, i), s))
	}
	return errors.Join(errs...)
}

func checkHost(what, s string) error {
	if strings.Contains(s, "/") {
		if _, err := netip.ParsePrefix(s); err != nil {
			return fmt.Errorf("%s: %q is no network", what, s)
		}
		return nil
	}
	name := s
	if user, host, ok := strings.Cut(s, "@"); ok {
		if user == "" {
			return fmt.Errorf("%s: %q has no user before the @", what, s)
		}
		name = host
	} else {
		name = strings.TrimPrefix(s, "*.")
	}
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return fmt.Errorf("%s: %q is neither a network nor a host name", what, s)
	}
	return nil
}

// named tells whether one of list, hosts and networks, is host, and whether one is user at host, exactly.
func named(list []string, user, host string) (byHost, exactly bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	numeric := err == nil
	for _, s := range list {
		if u, h, ok := strings.Cut(s, "@"); ok {
			exactly = exactly || u == user && strings.EqualFold(h, host)
			continue
		}
		s = strings.ToLower(s)
		if net, err := netip.ParsePrefix(s); err == nil {
			byHost = byHost || numeric && net.Contains(ip.Unmap().WithZone(""))
			continue
		}
		below, wild := strings.CutPrefix(s, "*.")
		byHost = byHost || s == host || wild && !numeric && strings.HasSuffix(host, "."+below)
	}
	return byHost, exactly
}

func checkPrefixes(what string, list []string) error {
	var errs []error
	for i, p := range list {
		errs = append(errs, checkPrefix(fmt.Sprintf("%s[%d]", what, i), p))
	}
	return errors.Join(errs...)
}

func checkPrefix(what, p string) error {
	if p == "" || p[0] != '+' {
		return fmt.Errorf("%s: %q does not begin with +", what, p)
	}
	if strings.Trim(p[1:], digits) != "" {
		return fmt.Errorf("%s: %q holds more than + and digits", what, p)
	}
	return nil
}

// way is how a destination is reached.
type way struct {
	uri   string
	host  string // of uri
	trunk *Trunk // nil: none

	gateway   bool   // it leads to the telephone network, without a trunk
	emergency bool   // what calls for help, which no rule against fraud may stop
	evidence  string // what lets it out
}

// dialplan is what may be dialled, and by which ways.
type dialplan struct {
	out    *Outbound
	trunks []Trunk
	routes []Route
	lines  map[string]*line // what is known of the trunks, by name; nil: nothing
	self   map[string]bool  // our own addresses, HOST:PORT; nil: none are known
	random func() float64   // 0 to 1, for weights; nil: of package rand
	who    asker            // the zero value: somebody from outside
}

func (c *Config) dialplan() dialplan {
	return dialplan{out: &c.Outbound, trunks: c.Trunks, routes: c.Routes}
}

// dialplan is what a may dial.
func (e *Engine) dialplan(a asker) dialplan {
	p := e.cfg.dialplan()
	p.lines, p.self, p.who = e.lines, e.self, a
	return p
}

// CheckDestination tells why a flow that dials a would do so in vain, as far as that can be known when it is loaded: whoever calls it.
func (p dialplan) CheckDestination(a address.Address) error {
	if a.Type == address.TypeConference {
		return nil
	}
	_, refusal := p.way(a)
	for i := range p.out.Rules {
		if refusal == nil {
			return nil
		}
		p.who = asker{rule: &p.out.Rules[i]}
		if _, r := p.way(a); r == nil {
			return nil
		}
	}
	if refusal == nil {
		return nil
	}
	return errors.New(refusal.Sentence)
}

// way is the first of the ways to dest.
func (p dialplan) way(dest address.Address) (way, *Refusal) {
	ws, refusal := p.ways(dest)
	if refusal != nil {
		return way{}, refusal
	}
	return ws[0], nil
}

// ways finds how dest is reached, in the order of trying, or why it is not. There is one way at least if there is no refusal.
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
		if address.IsShort(dest.Target) {
			return p.shortWays(dest.Target)
		}
		return p.telWays(dest.Target)
	case address.TypeExtension:
		return nil, &Refusal{Status: 480, Code: CodeNotRegistered, Sentence: fmt.Sprintf("extension %q has no phone: there is no registrar yet", dest.Target)}
	}
	return nil, &Refusal{Status: 501, Code: CodeNotDialable, Sentence: fmt.Sprintf("a destination of type %q cannot be dialled", dest.Type)}
}

func denied(code, target, why string) *Refusal {
	return &Refusal{Status: 403, Code: code, Sentence: fmt.Sprintf("%.80q may not be dialled: %s", target, why)}
}

// selfAddrs are the addresses by which others reach us, as HOST:PORT.
func (e *Engine) selfAddrs() map[string]bool {
	self := map[string]bool{}
	for _, l := range e.cfg.Listen {
		if l.Advertise != "" {
			self[hostPort(l.Advertise)] = true
		}
	}
	for _, a := range e.sip.Addrs() {
		self[hostPort(a.Addr.String())] = true
	}
	return self
}

// hostPort is HOST or HOST:PORT in the one form in which they are compared.
func hostPort(s string) string {
	a, err := sip.ParseNameAddr("<sip:" + s + ">")
	if err != nil {
		return ""
	}
	port := "5060"
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') && strings.Trim(s[i+1:], digits) == "" && i+1 < len(s) {
		port = s[i+1:]
	}
	return selfKey(a.Host, port)
}
