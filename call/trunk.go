package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// Defaults of a Trunk.
const (
	DefaultSetupTimeout   = 10 * time.Second
	DefaultUnhealthyAfter = 2
	DefaultHealthyAfter   = 1
)

// Trunk is a named way to a provider. Only Name and Address are needed. It does not show its password when it is
// printed or logged.
type Trunk struct {
	Name      string   `json:"name"`
	Address   string   `json:"address"`   // host or host:port
	Transport string   `json:"transport"` // "udp" or "tcp"; "": as DNS says, else udp
	User      string   `json:"user"`      // for digest authentication
	Password  string   `json:"password"`
	Prefixes  []string `json:"prefixes"` // of the numbers that may go this way, "+" and digits; none: all
	Channels  int      `json:"channels"` // calls at a time, both directions together; 0: no limit
	Codecs    []string `json:"codecs"`   // that are offered, the preferred one first; none: as RTP.Codecs says

	// How the numbers of the called, and with RewriteCaller of the caller, are written: "+4930901820" with
	// Country "49" and NationalPrefix "0" is "030901820", one of another country with InternationalPrefix "00" is
	// "0033..."; without, "+" stays. Strip then takes characters off the front, and what is left
	// stands between TechPrefix and TechPostfix; these three are for the called alone.
	Country             string            `json:"country"`
	NationalPrefix      string            `json:"national_prefix"`
	InternationalPrefix string            `json:"international_prefix"`
	Strip               int               `json:"strip"`
	TechPrefix          string            `json:"tech_prefix"`
	TechPostfix         string            `json:"tech_postfix"`
	TechHeaders         map[string]string `json:"tech_headers"` // more headers of the INVITE

	Caller        string `json:"caller"` // number that is shown where the flow names none; "": that which was called, if any
	RewriteCaller bool   `json:"rewrite_caller"`
	// Identity says when the caller's number stands in P-Asserted-Identity (RFC 3325): "always", "never", or "": where
	// From hides it.
	Identity string `json:"identity"`
	// Sign has calls that go this way signed, see Config.Signing.
	Sign bool `json:"sign"`

	// Trusted says that the trunk leads to machines of ours, over a network that others cannot send from: the journey of a call goes along in
	// Config.JourneyHeader, both ways.
	Trusted bool `json:"trusted"`

	// SetupTimeout is how long it may take until it rings, or 4 seconds where there is no answer at all, before the
	// next trunk is tried. 0: DefaultSetupTimeout. The last trunk has all of the dial timeout.
	SetupTimeout Seconds `json:"setup_timeout"`

	// Keepalive is how often an OPTIONS asks whether the trunk is alive. After UnhealthyAfter that failed it is unhealthy, and
	// tried last; after HealthyAfter answers healthy again. 0: never, and its health is unknown.
	Keepalive      Seconds `json:"keepalive"`
	UnhealthyAfter int     `json:"unhealthy_after"` // 0: DefaultUnhealthyAfter
	HealthyAfter   int     `json:"healthy_after"`   // 0: DefaultHealthyAfter

	// Register has the trunk registered with the provider, so that calls come to us: those for its user are for the number
	// in To. Nil: it is not.
	Register *Register `json:"register"`
	// Sources are the networks (CIDR) or addresses that calls of this trunk come from. None: Address, where it is numeric,
	// and wherever the trunk was registered or answered an OPTIONS.
	Sources []string `json:"sources"`
}

// Register says how a trunk is registered (RFC 3261 10.2), with its User and Password.
type Register struct {
	Registrars []string `json:"registrars"` // HOST or HOST:PORT, the next one when the one before fails; none: Address
	Domain     string   `json:"domain"`     // of the address that is registered; "": host of the first registrar
	User       string   `json:"user"`       // and its user; "": Trunk.User
	Expires    Seconds  `json:"expires"`    // that is asked for; 0: ten minutes
}

// Seconds is a duration that stands in JSON as a number of seconds.
type Seconds time.Duration

// MarshalJSON writes s as a number.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("call: %.20s is no number of seconds", b)
	}
	if f < 0 || f > maxSeconds {
		return fmt.Errorf("call: %g is not 0 to %d seconds", f, int(maxSeconds))
	}
	*s = Seconds(f * float64(time.Second))
	return nil
}

const maxSeconds = 7 * 24 * 3600

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

// Format writes it without the password, whatever the verb.
func (t Trunk) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = fmt.Fprint(f, t.GoString())
		return
	}
	_, _ = fmt.Fprint(f, t.String())
}

func checkTrunks(what string, trunks []Trunk) error {
	var errs []error
	seen := map[string]bool{}
	for i := range trunks {
		t := &trunks[i]
		at := fmt.Sprintf("%s[%d]", what, i)
		if seen[t.Name] {
			errs = append(errs, fmt.Errorf("%s: %q stands there twice", at, t.Name))
		}
		seen[t.Name] = true
		errs = append(errs, t.check(at))
	}
	return errors.Join(errs...)
}

func (t *Trunk) check(what string) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", what, fmt.Sprintf(format, args...)))
	}
	if t.Name == "" || t.Address == "" {
		bad("name and address are needed")
	}
	if t.Address != "" && !isHostPort(t.Address) {
		bad("address %q is not HOST or HOST:PORT", t.Address)
	}
	switch t.Transport {
	case "", "udp", "tcp":
	case "tls", "ws", "wss":
		bad("transport %q is not supported yet", t.Transport)
	default:
		bad("transport %q is unknown", t.Transport)
	}
	if t.Caller != "" && !address.IsE164(t.Caller) {
		bad("caller %q is not \"+\" and 7 to 15 digits", t.Caller)
	}
	switch t.Identity {
	case "", "always", "never":
	default:
		bad("identity %q is not always or never", t.Identity)
	}
	for _, n := range []struct {
		name string
		v    int
	}{{"channels", t.Channels}, {"strip", t.Strip}, {"unhealthy_after", t.UnhealthyAfter}, {"healthy_after", t.HealthyAfter}} {
		if n.v < 0 {
			bad("%s is negative: %d", n.name, n.v)
		}
	}
	if t.SetupTimeout < 0 || t.Keepalive < 0 {
		bad("setup_timeout and keepalive cannot be negative")
	}
	if t.Keepalive > 0 && t.Keepalive < Seconds(time.Second) {
		bad("keepalive is shorter than a second")
	}
	for _, n := range []struct{ name, v, allowed string }{
		{"country", t.Country, digits}, {"national_prefix", t.NationalPrefix, digits + "*#"},
		{"international_prefix", t.InternationalPrefix, digits + "*#"},
		{"tech_prefix", t.TechPrefix, techChars}, {"tech_postfix", t.TechPostfix, techChars},
	} {
		if bad1 := strings.Trim(n.v, n.allowed); bad1 != "" || len(n.v) > 32 {
			bad("%s %.40q holds more than %s, or is longer than 32", n.name, n.v, n.allowed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.TechHeaders)) {
		if err := checkHeader(sip.Header{Name: name, Value: t.TechHeaders[name]}); err != nil {
			bad("tech_headers: %v", err)
		}
	}
	for i, s := range t.Sources {
		if _, err := parseSource(s); err != nil {
			bad("sources[%d]: %q is neither a network nor an address", i, s)
		}
	}
	if r := t.Register; r != nil {
		errs = append(errs, r.check(what+".register", t))
	}
	errs = append(errs, checkPrefixes(what+".prefixes", t.Prefixes))
	return errors.Join(errs...)
}

func (r *Register) check(what string, t *Trunk) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", what, fmt.Sprintf(format, args...)))
	}
	if r.User == "" && t.User == "" {
		bad("user is needed, here or of the trunk")
	}
	for i, a := range r.Registrars {
		if !isHostPort(a) {
			bad("registrars[%d] %q is not HOST or HOST:PORT", i, a)
		}
	}
	if t.Address != "" && isHostPort(t.Address) {
		if _, err := sip.ParseNameAddr("<" + r.aor(t) + ">"); err != nil || strings.ContainsAny(r.User+r.Domain, "<>?;\" \r\n") {
			bad("user %.40q and domain %.40q make no address", r.User, r.Domain)
		}
	}
	if r.Expires < 0 || r.Expires > 0 && r.Expires < Seconds(time.Minute) {
		bad("expires is shorter than a minute")
	}
	return errors.Join(errs...)
}

// registrars are those of r as URIs.
func (r *Register) registrars(t *Trunk) (uris []string) {
	for _, a := range r.Registrars {
		uris = append(uris, "sip:"+a+t.transport())
	}
	if len(uris) == 0 {
		uris = []string{"sip:" + t.Address + t.transport()}
	}
	return uris
}

// aor is the address that is registered.
func (r *Register) aor(t *Trunk) string {
	user, domain := r.User, r.Domain
	if user == "" {
		user = t.User
	}
	if domain == "" {
		if a, err := sip.ParseNameAddr("<" + r.registrars(t)[0] + ">"); err == nil {
			domain = uriHost(a.Host)
		}
	}
	return "sip:" + user + "@" + domain
}

const (
	digits    = "0123456789"
	techChars = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+*#-._"
)

func isHostPort(s string) bool {
	a, err := sip.ParseNameAddr("<sip:" + s + ">")
	return err == nil && a.User == "" && !strings.ContainsAny(s, "@;?<>")
}

func (t *Trunk) transport() string {
	if t.Transport == "" {
		return ""
	}
	return ";transport=" + t.Transport
}

// uriHost writes a host as it stands in a URI.
func uriHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

func parseSource(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// checkHeader is for headers of an INVITE that the program or the settings give: VoIPBIN's rules.
func checkHeader(h sip.Header) error {
	name := strings.ToLower(h.Name)
	switch {
	case h.Name == "" || strings.ContainsFunc(h.Name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }):
		return fmt.Errorf("header name %.40q is no token", h.Name)
	case strings.ContainsAny(h.Value, "\r\n\x00"):
		return fmt.Errorf("header %.40q holds a line break", h.Name)
	case name == "privacy" || name == "p-asserted-identity":
		return fmt.Errorf("header %s is written by the engine: see anonymous and identity", h.Name)
	case name == "callerid" || strings.HasPrefix(name, "vb-") || strings.HasPrefix(name, "vbout-"):
		return fmt.Errorf("header %s is reserved", h.Name)
	case slices.Contains(ownHeaders, name):
		return fmt.Errorf("header %s is written by the engine", h.Name)
	}
	return nil
}

// ownHeaders are those that only the dialog writes.
var ownHeaders = []string{
	"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "max-forwards", "route", "record-route", "contact", "m",
	"content-length", "l", "content-type", "c", "authorization", "proxy-authorization",
}
