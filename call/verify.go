package call

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"unicode"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip/verify"
)

// Results of a Verdict.
const (
	VerdictPass   = verify.Pass
	VerdictReject = verify.Reject
)

// Verdict is what verification found out about a caller, see package verify. The zero value passes.
type Verdict = verify.Verdict

// Check is one thing that was looked at.
type Check = verify.Check

// verdictJSON is v as the call's record carries it.
func verdictJSON(v *Verdict) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // strings and numbers only: cannot fail
		return nil
	}
	return b
}

// maxCaller bounds a caller's name and number, in bytes.
const maxCaller = 256

// VerifyCaller is the built-in Config.Verify: the caller's number must be able to exist
// (a "+" makes it a number, and then it is E.164), its text must be printable, and it
// must not be one of ours (Config.Owned, which is asked for the caller and, where From names one of
// our own hosts, for its user as an extension): a call from outside that shows our own
// number is spoofed. One of our extensions that has given its password must not show another one. It refuses with 403.
func (e *Engine) VerifyCaller(ctx context.Context, in *Incoming) (Verdict, error) {
	return e.cfg.verifyCaller(ctx, in, e.hosts), nil
}

// verify asks Config.Verify, or the built-in checks.
func (c *Config) verify(ctx context.Context, in *Incoming, hosts map[string]bool) (Verdict, error) {
	if c.Verify != nil {
		return c.Verify(ctx, in)
	}
	return c.verifyCaller(ctx, in, hosts), nil
}

// verifyCaller is VerifyCaller of an engine whose own hosts are known.
func (c *Config) verifyCaller(ctx context.Context, in *Incoming, hosts map[string]bool) Verdict {
	v := Verdict{Result: VerdictPass}
	from := in.Request.From
	if why := malformed(from.User, from.Display); why != "" {
		return rejected(v, "caller_format", CodeCallerMalformed, why)
	}
	v.Checks = append(v.Checks, Check{Name: "caller_format", Result: "pass"})
	if x := in.Request.Authenticated; x != "" {
		if shown, err := c.shownExtension(ctx, in.Request, hosts); err != nil || shown != "" && shown != x {
			return rejected(v, "own_number", CodeOwnNumberSpoofed, fmt.Sprintf("extension %s shows extension %s", x, from.User))
		}
		v.Checks = append(v.Checks, Check{Name: "own_number", Result: "pass", Evidence: "extension " + x + " knows its password"})
		return v
	}
	if c.Owned == nil {
		v.Checks = append(v.Checks, Check{Name: "own_number", Result: "skip"})
		return v
	}
	if c.Owned(in.Source) || hosts[strings.ToLower(from.Host)] && c.Owned(address.Address{Type: address.TypeExtension, Target: from.User}) {
		return rejected(v, "own_number", CodeOwnNumberSpoofed,
			fmt.Sprintf("the caller shows %s, which is one of our own", in.Source.Target))
	}
	v.Checks = append(v.Checks, Check{Name: "own_number", Result: "pass"})
	return v
}

// ownHosts are this engine's own hosts, bound or advertised, in lower case: who gives one as the host
// of From says that it is an extension of ours.
func (e *Engine) ownHosts() map[string]bool {
	hosts := e.cfg.advertisedHosts()
	for _, a := range e.sip.Addrs() {
		hosts[a.Addr.Addr().String()] = true
	}
	return hosts
}

func (c *Config) advertisedHosts() map[string]bool {
	hosts := map[string]bool{}
	for _, l := range c.Listen {
		if h, _, err := net.SplitHostPort(l.Advertise); err == nil {
			hosts[strings.ToLower(h)] = true
		}
	}
	return hosts
}

func rejected(v Verdict, check, code, why string) Verdict {
	v.Result, v.Status, v.Code, v.Sentence = VerdictReject, 403, code, why
	v.Checks = append(v.Checks, Check{Name: check, Result: "fail", Evidence: why})
	return v
}

// malformed says what is wrong with a caller's name and number, "" for nothing.
func malformed(user, display string) string {
	if len(user) > maxCaller || len(display) > maxCaller {
		return fmt.Sprintf("the caller's name or number is longer than %d bytes", maxCaller)
	}
	for _, r := range user + display {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("the caller's name or number holds the character %U", r)
		}
	}
	if strings.HasPrefix(user, "+") && !address.IsE164(numberOf(user)) {
		return fmt.Sprintf("%q is not a number of the E.164 plan", user)
	}
	return ""
}
