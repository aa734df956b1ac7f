package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// Results of a Verdict.
const (
	VerdictPass      = verify.Pass
	VerdictReject    = verify.Reject
	VerdictChallenge = verify.Challenge
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

// flagged tells whether a check of v has failed, whatever became of the call.
func flagged(v *Verdict) bool {
	return v.Result == VerdictReject || v.Result == VerdictChallenge || slices.ContainsFunc(v.Checks, func(k Check) bool { return k.Result == verify.CheckFail })
}

// verdictVars are the variables in which a flow reads what verification found out.
func verdictVars(v *Verdict) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if v == nil {
			return
		}
		for _, x := range [...][2]string{
			{"verify.verdict", cmp.Or(v.Result, VerdictPass)}, {"verify.code", v.Code}, {"verify.sentence", v.Sentence}, {"verify.attest", v.Attest},
			{"verify.verstat", v.Verstat}, {"verify.origid", v.OrigID}, {"verify.source_class", v.Class},
		} {
			if x[1] != "" && !yield(x[0], x[1]) {
				return
			}
		}
		for _, k := range v.Checks {
			if !yield("verify."+k.Name, k.Result) || k.Evidence != "" && !yield("verify."+k.Name+".evidence", k.Evidence) {
				return
			}
		}
	}
}

// verdictOfRecord is that of a record, nil: none.
func verdictOfRecord(raw json.RawMessage) *Verdict {
	var v Verdict
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return &v
}

// VerifyCaller is the built-in Config.Verify: the checks of Config.Verification. It is for a Config.Verify that adds to them.
func (e *Engine) VerifyCaller(ctx context.Context, in *Incoming) (Verdict, error) {
	return e.verifier.Verify(ctx, in.caller()), nil
}

// caller is what is to be verified of in.
func (in *Incoming) caller() *verify.Caller {
	return &verify.Caller{
		Request: in.Request, Source: in.Source, Destination: in.Destination, Peer: in.Peer, Trunk: in.Trunk, Trusted: in.Trusted, Journey: in.journey, Time: time.Now(),
	}
}

// verify asks Config.Verify, or v. A challenge is a refusal where nobody has a password.
func (c *Config) verify(ctx context.Context, in *Incoming, v *verify.Verifier) (Verdict, error) {
	if c.Verify == nil {
		return v.Verify(ctx, in.caller()), nil
	}
	return c.Verify(ctx, in)
}

// refusedBy is what becomes of a call by v, nil: it goes on. With challenge it can be asked for a password.
func refusedBy(v *Verdict, challenge bool) *Refusal {
	switch {
	case v.Result == VerdictChallenge && challenge:
		return &Refusal{Status: cmp.Or(v.Status, 407), Code: v.Code, Sentence: v.Sentence, Reason: v.Reason}
	case v.Result == VerdictChallenge:
		return &Refusal{Status: 403, Code: v.Code, Sentence: v.Sentence, Reason: v.Reason}
	case v.Result == VerdictReject:
		return &Refusal{Status: v.Status, Code: v.Code, Sentence: v.Sentence, Reason: v.Reason}
	}
	return nil
}

// verifier makes that of an engine whose own hosts are hosts, in the form of verify.Host.
func (c *Config) verifier(hosts map[string]bool) (*verify.Verifier, error) {
	cfg := c.Verification
	if c.Directory != nil && cfg.MoreRegions == nil {
		cfg.MoreRegions = c.Directory.regions.all
	}
	if cfg.Owned == nil && (c.Owned != nil || c.Extensions != nil) {
		cfg.Owned = c.owned
	}
	if cfg.Host == nil {
		realm := verify.Host(c.realm())
		cfg.Host = func(host string) bool { return hosts[host] || c.Extensions != nil && host == realm }
	}
	return verify.New(cfg)
}

// checkVerification tells what is wrong with the Verification of c; at stands before the names of its fields.
func (c *Config) checkVerification(at string) error {
	cfg := &c.Verification
	errs := []error{cfg.Check(at)}
	for _, x := range []struct {
		field string
		names []string
	}{{"trusted_trunks", cfg.TrustedTrunks}, {"acl.trunks", cfg.ACL.Trunks}, {"acl.deny_trunks", cfg.ACL.DenyTrunks}, {"exceptions", exceptionTrunks(cfg.Exceptions)}} {
		for _, name := range x.names {
			if !slices.ContainsFunc(c.Trunks, func(t Trunk) bool { return t.Name == name }) {
				errs = append(errs, fmt.Errorf("%s%s: there is no trunk %q", at, x.field, name))
			}
		}
	}
	if cfg.Policy.Challenges() && c.Extensions == nil {
		errs = append(errs, fmt.Errorf("%spolicy: it challenges, but there is no extension whose password could be given", at))
	}
	return errors.Join(errs...)
}

func exceptionTrunks(all []verify.Exception) (names []string) {
	for _, e := range all {
		names = append(names, e.Trunks...)
	}
	return names
}

// owned tells whether a is ours.
func (c *Config) owned(ctx context.Context, a address.Address) (bool, error) {
	if c.Owned != nil && c.Owned(a) || c.Directory.owns(a) {
		return true, nil
	}
	if a.Type != address.TypeExtension || c.Extensions == nil {
		return false, nil
	}
	_, ok, err := c.Extensions.Extension(ctx, a.Target)
	return ok, err
}

// ownHosts are this engine's own hosts, bound or advertised, in the form of verify.Host: who gives one as the host
// of From says that it is an extension of ours.
func (e *Engine) ownHosts() map[string]bool {
	hosts := e.cfg.advertisedHosts()
	for _, a := range e.sip.Addrs() {
		hosts[verify.Host(a.Addr.Addr().String())] = true
	}
	return hosts
}

func (c *Config) advertisedHosts() map[string]bool {
	hosts := map[string]bool{}
	for _, l := range c.Listen {
		if h, _, err := net.SplitHostPort(l.Advertise); err == nil {
			hosts[verify.Host(h)] = true
		}
	}
	return hosts
}

// newIncoming reads who calls whom, by l, nil for no trunk.
func newIncoming(id string, invite *sip.Request, c *Config, l *line) *Incoming {
	in := &Incoming{ID: id, Request: invite, Peer: invite.Source, Destination: address.FromSIPUser(invite.User)}
	if l != nil {
		in.Trunk, in.Destination = l.trunk.Name, l.called(invite)
		in.Trusted = l.trunk.Trusted || c.Verification.Trusts(in.Trunk)
	}
	in.Source = verify.Source(invite, in.Trusted)
	return in
}

// reasonHeader is a Reason header, none of "" and of what cannot stand in a header: a call must not hang because a Checker has put a peer's text there.
func reasonHeader(value string) []sip.Header {
	if value == "" || strings.ContainsAny(value, "\r\n\x00") {
		return nil
	}
	return []sip.Header{{Name: "Reason", Value: value}}
}

// refusalHeaders are those of the response by which e refuses a call: one that asks for a password has a challenge in it.
func (c *Call) refusalHeaders(e *Effect) []sip.Header {
	hs := append([]sip.Header{{Name: "Reason", Value: q850(e.Cause)}}, reasonHeader(e.Text)...)
	if auth := c.engine.auth; auth != nil && (e.Status == 401 || e.Status == 407) {
		hs = append(hs, auth.Challenge(c.dialog.Load().Invite(), e.Status == 407).Headers...)
	}
	return hs
}
