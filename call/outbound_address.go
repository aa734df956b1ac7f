package call

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// sipTarget is a SIP address that is to be dialled. It is read strictly: it names one user at one host and nothing else, and nobody on the
// way can read anything else from it.
type sipTarget struct {
	uri   string
	user  string // without escapes
	host  string
	port  string
	phone bool // it says of itself that it is a telephone number
}

// hidden in a user part, by an escape, they would end it for somebody who reads it less strictly.
const delimiters = "@:;?&,/%<>\"\\"

// elsewhere are the parameters of a URI by which a request goes elsewhere, or becomes another one (RFC 3261 19.1.1), or which belong
// to a number (RFC 3966 3).
var elsewhere = map[string]bool{
	"maddr": true, "method": true, "ttl": true, "lr": true, "route": true, "received": true, "alias": true,
	"isub": true, "ext": true, "postd": true, "phone-context": true, "tsp": true,
}

// readSIP reads target, which is valid as an address. Why not, if not, as code and sentence.
func readSIP(target string) (t sipTarget, code, why string) {
	bad := func(why string) (sipTarget, string, string) { return sipTarget{}, CodeNotDialable, why }
	t.uri = target
	if low := strings.ToLower(t.uri); !strings.HasPrefix(low, "sip:") && !strings.HasPrefix(low, "sips:") {
		t.uri = "sip:" + t.uri
	}
	a, err := sip.ParseNameAddr("<" + t.uri + ">")
	if err != nil {
		return bad(err.Error())
	}
	for i := range len(t.uri) {
		if c := t.uri[i]; c <= ' ' || c >= 0x7f {
			return bad(fmt.Sprintf("it holds the byte 0x%02x", c))
		}
	}
	if strings.Contains(t.uri, "?") {
		return sipTarget{}, CodeOutboundDenied, "headers are not allowed in it"
	}
	_, rest, _ := strings.Cut(t.uri, ":")
	user, rest, ok := strings.Cut(rest, "@")
	if !ok {
		user, rest = "", user
	}
	if strings.Contains(user, ":") {
		return bad("its user holds a colon: a password, or another address")
	}
	if t.user, why = unescape(user); why != "" {
		return bad(why)
	}
	hostport, params, _ := strings.Cut(rest, ";")
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		name, err := url.PathUnescape(name)
		if err != nil {
			return bad("a parameter has a wrong escape")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if elsewhere[name] {
			return sipTarget{}, CodeOutboundDenied, fmt.Sprintf("the parameter %s is not allowed in it", name)
		}
		value, err = url.PathUnescape(value)
		if err != nil || strings.ContainsAny(value, delimiters) {
			return bad("a parameter holds what may not stand there")
		}
		t.phone = t.phone || name == "user" && strings.EqualFold(value, "phone")
	}
	t.host = a.Host
	_, t.port, _ = strings.Cut(hostPort(hostport), " ")
	return t, "", ""
}

// unescape is a user part without its escapes.
func unescape(user string) (plain, why string) {
	plain, err := url.PathUnescape(user)
	if err != nil {
		return "", "its user has a wrong escape"
	}
	for i := 0; i+2 < len(user); i++ {
		if user[i] != '%' {
			continue
		}
		b, err := url.PathUnescape(user[i : i+3])
		if err != nil || b[0] <= ' ' || b[0] == 0x7f || strings.Contains(delimiters, b) {
			return "", fmt.Sprintf("its user hides a character as %s", user[i:i+3])
		}
	}
	return plain, ""
}

// looksDialled tells whether a gateway could take user for digits to be dialled: it begins like that, or has no letter but those that
// stand for pauses.
func looksDialled(user string) bool {
	if user == "" {
		return false
	}
	if strings.IndexByte(digits+"+*#", user[0]) >= 0 {
		return true
	}
	return !strings.ContainsFunc(user, func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') && !strings.ContainsRune("pPwW", r)
	})
}

func (p dialplan) sipWay(target string) (way, *Refusal) {
	t, code, why := readSIP(target)
	switch {
	case code == CodeNotDialable:
		return way{}, &Refusal{Status: 484, Code: code, Sentence: fmt.Sprintf("%.80q is no SIP address that can be dialled: %s", target, why)}
	case code != "":
		return way{}, denied(code, target, why)
	}
	rule, name := p.rule()
	refuse := func(code, why string) (way, *Refusal) {
		r := denied(code, target, why)
		r.Evidence = fmt.Sprintf("%s asks; %s; host %s", p.who, name, t.host)
		return way{}, r
	}
	if p.self[selfKey(t.host, t.port)] && !p.who.program { // which may have its reasons, and goes no circles
		_, r := refuse(CodeForwardingLoop, "it is our own address: a flow, extension or conference of ours is dialled by its name")
		r.Status = 482
		return way{}, r
	}
	byHost, exactly := named(rule.SIP, t.user, t.host)
	if host, user := named(p.out.Deny, t.user, t.host); host || user {
		return refuse(CodeOutboundDenyList, "outbound.deny names it")
	}
	if !byHost && !exactly {
		return refuse(CodeOutboundDenied, "the configuration does not name its host")
	}
	w := way{uri: t.uri, host: t.host, gateway: p.isGateway(t.host, t.port), evidence: fmt.Sprintf("%s asks; %s; host %s", p.who, name, t.host)}
	if exactly || !t.phone && !(w.gateway && looksDialled(t.user)) {
		return w, nil
	}
	// It is a number in the clothes of an address.
	w.gateway = true
	if !address.IsE164(t.user) {
		return refuse(CodeOutboundDenied, "a number at a trunk's host has to be \"+\" and 7 to 15 digits")
	}
	evidence, r := p.judge(t.user)
	w.evidence = evidence
	return w, r
}

func selfKey(host, port string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String() + " " + port
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")) + " " + port
}

// isGateway tells whether host is that of a trunk, or leads to the telephone network otherwise. On loopback, where everything has
// the same host, the port says which one it is.
func (p dialplan) isGateway(host, port string) bool {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() || host == "localhost" {
		for i := range p.trunks {
			if hostPort(p.trunks[i].Address) == selfKey(host, port) {
				return true
			}
		}
	} else if p.atTrunk(host) {
		return true
	}
	byHost, _ := named(p.out.Gateways, "", host)
	return byHost
}

// atTrunk tells whether host is one of a trunk.
func (p dialplan) atTrunk(host string) bool {
	key := selfKey(host, "")
	for i := range p.trunks {
		t := &p.trunks[i]
		for _, a := range t.addresses() {
			if h, _, _ := strings.Cut(hostPort(a), " "); h+" " == key {
				return true
			}
		}
		if ip, err := netip.ParseAddr(host); err == nil && p.lines[t.Name] != nil && p.lines[t.Name].isFrom(ip.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// isTrunk tells whether a trunk listens at a.
func (e *Engine) isTrunk(a netip.AddrPort) bool {
	ip := a.Addr().Unmap().WithZone("")
	for i := range e.cfg.Trunks {
		t := &e.cfg.Trunks[i]
		host, port, _ := strings.Cut(hostPort(t.Address), " ")
		if port != fmt.Sprint(a.Port()) {
			continue
		}
		if host == ip.String() || !ip.IsLoopback() && e.lines[t.Name].isFrom(ip) {
			return true
		}
	}
	return false
}

// addresses are the names of t's machines.
func (t *Trunk) addresses() []string {
	all := []string{t.Address}
	if r := t.Register; r != nil {
		all = append(all, r.Registrars...)
		if r.Domain != "" {
			all = append(all, r.Domain)
		}
	}
	return all
}
