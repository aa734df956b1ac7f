package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Scanners are programs that look for phone systems to break into. They get no answer, to any request, so that they go on to somebody else;
// who gives itself another name is not found this way, and the other checks are for it.
type Scanners struct {
	// Agents are parts of User-Agent values, case ignored. Nil: those of DefaultScanners; an empty list: nobody is a scanner.
	Agents []string `json:"agents"`
	// Answer lets them have an answer: the check "scanner" fails, and the call has a record.
	Answer bool `json:"answer"`
}

// DefaultScanners are the parts of User-Agent values that scanners are known by.
func DefaultScanners() []string { return slices.Clone(defaultScanners) }

var defaultScanners = []string{
	"friendly-scanner", "sipvicious", "sundayddr", "sip-scan", "sipsak", "iwar", "vaxsipuseragent", "pplsip", "sivus", "gulp", "sipv",
}

// find is the part of agent that gives a scanner away.
func (s *Scanners) find(agent string) string {
	if agent == "" {
		return ""
	}
	parts := s.Agents
	if parts == nil {
		parts = defaultScanners
	}
	agent = strings.ToLower(agent)
	for _, p := range parts {
		if strings.Contains(agent, strings.ToLower(p)) {
			return p
		}
	}
	return ""
}

func (l *look) scanner(context.Context) Check {
	if p := l.v.cfg.Scanners.find(l.c.Request.UserAgent); p != "" {
		return failed(CheckScanner, CodeScanner, "the User-Agent %.60q holds %q, which scanners have", l.c.Request.UserAgent, p)
	}
	return passed(CheckScanner, "")
}

// ACL says who may call, by network and by trunk. Of the networks that hold the source the smallest counts, and of one that is both
// allowed and denied, that it is denied. Where Allow or Trunks names somebody, nobody else may call.
type ACL struct {
	Allow      []netip.Prefix `json:"allow"`
	Deny       []netip.Prefix `json:"deny"`
	Trunks     []string       `json:"trunks"`      // those by which calls come in, whatever the networks say
	DenyTrunks []string       `json:"deny_trunks"` // those by which none does
}

// acl are the networks of an ACL, the smallest first.
type acl []aclEntry

type aclEntry struct {
	netip.Prefix
	deny bool
}

func (a *ACL) compile() acl {
	var all acl
	for _, p := range a.Deny {
		all = append(all, aclEntry{unmapped(p), true})
	}
	for _, p := range a.Allow {
		all = append(all, aclEntry{unmapped(p), false})
	}
	slices.SortStableFunc(all, func(x, y aclEntry) int { return y.Bits() - x.Bits() })
	return all
}

// unmapped is p, or, of IPv4 addresses in IPv6 form, the network of IPv4 that is meant.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// inNetwork tells whether one of the networks holds a.
func inNetwork(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return unmapped(p).Contains(a) })
}

func (l *look) source(context.Context) Check {
	a, c := &l.v.cfg.ACL, l.c
	peer := c.Peer.Addr().Unmap().WithZone("")
	switch {
	case len(a.Allow)+len(a.Deny)+len(a.Trunks)+len(a.DenyTrunks) == 0:
		return skipped(CheckSource, "")
	case c.Trunk != "" && slices.Contains(a.DenyTrunks, c.Trunk):
		return failed(CheckSource, CodeSourceDenied, "no calls are taken from the trunk %s", c.Trunk)
	case c.Trunk != "" && slices.Contains(a.Trunks, c.Trunk):
		return passed(CheckSource, "it comes by the trunk "+c.Trunk)
	case !c.Peer.IsValid():
		return skipped(CheckSource, "where it comes from is not known")
	}
	for _, e := range l.v.acl {
		switch {
		case !e.Contains(peer):
		case e.deny:
			return failed(CheckSource, CodeSourceDenied, "no calls are taken from %s, which is in %s", peer, e.Prefix)
		default:
			return passed(CheckSource, fmt.Sprintf("%s is in %s", peer, e.Prefix))
		}
	}
	if len(a.Allow)+len(a.Trunks) > 0 {
		return failed(CheckSource, CodeSourceUnknown, "%s is none of those that may call", peer)
	}
	return passed(CheckSource, "")
}

func passed(name, evidence string) Check {
	return Check{Name: name, Result: CheckPass, Evidence: evidence}
}
func skipped(name, evidence string) Check {
	return Check{Name: name, Result: CheckSkip, Evidence: evidence}
}

func failed(name, code, format string, args ...any) Check {
	return Check{Name: name, Result: CheckFail, Code: code, Evidence: fmt.Sprintf(format, args...)}
}
