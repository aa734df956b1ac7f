package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/callbin/callbin/call/address"
)

// own is the own-number rule: who calls from outside and shows a number or an extension of ours is somebody else. Excused is who is declared
// (Config.Exceptions), who brings our own journey or a valid div back, and whose number is attested with A.
func (l *look) own(ctx context.Context, v *Verdict) Check {
	x := l.c.Request.Authenticated
	if l.v.cfg.Owned == nil {
		if x != "" {
			return passed(CheckOwnNumber, "extension "+x+" knows its password")
		}
		return skipped(CheckOwnNumber, "")
	}
	excused := ""
	for i := range l.all {
		s := &l.all[i]
		what, err := l.ours(ctx, s, x)
		switch {
		case err != nil:
			k := failed(CheckOwnNumber, CodeLookupFailed, "whether %.60q is ours could not be found out: %v", s.User, err)
			k.Status = 500
			return k
		case what == "":
			continue
		case x != "":
			return failed(CheckOwnNumber, CodeOwnNumberSpoofed, "extension %s shows extension %s", x, what)
		}
		if why := l.excuse(what, v); why != "" {
			excused = fmt.Sprintf("the caller shows %s, which is one of our own: %s", what, why)
			continue
		}
		return failed(CheckOwnNumber, CodeOwnNumberSpoofed, "the caller shows %s, which is one of our own, in %s", what, s.where)
	}
	if x != "" {
		return passed(CheckOwnNumber, "extension "+x+" knows its password")
	}
	what, err := l.named(ctx)
	switch {
	case err != nil:
		k := failed(CheckOwnNumber, CodeLookupFailed, "whether the name of the caller is ours could not be found out: %v", err)
		k.Status = 500
		return k
	case what != "" && l.excuse(what, v) == "":
		return failed(CheckOwnNumber, CodeOwnNumberInName, "the name of the caller holds %s, which is one of our own", what)
	}
	return passed(CheckOwnNumber, excused)
}

// ours is the number or extension of ours that s can be taken for, "" for none. Who has given a password may show its own extension, and numbers.
func (l *look) ours(ctx context.Context, s *shown, password string) (string, error) {
	if l.isOwnHost(s.Host) && s.where != "Contact" {
		user := plainUser(s.User)
		for _, u := range slices.Compact([]string{s.User, user}) {
			if u == "" || u == password {
				continue
			}
			if ok, err := l.v.cfg.Owned(ctx, address.Address{Type: address.TypeExtension, Target: u}); err != nil || ok {
				return u, err
			}
		}
	}
	if password != "" {
		return "", nil
	}
	if s.Host != "" && s.User != "" {
		a := address.Address{Type: address.TypeSIP, Target: plainUser(s.User) + "@" + Host(s.Host)}
		if ok, err := l.v.cfg.Owned(ctx, a); err != nil || ok {
			return a.Target, err
		}
	}
	for _, n := range l.numbers(s) {
		if ok, err := l.v.cfg.Owned(ctx, address.Address{Type: address.TypeTel, Target: n}); err != nil || ok {
			return n, err
		}
	}
	return "", nil
}

// named is the number or extension of ours that stands in the caller's name.
func (l *look) named(ctx context.Context) (string, error) {
	name := strings.TrimFunc(l.c.Source.TargetName, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) })
	if name == "" {
		return "", nil
	}
	if len(name) <= address.MaxExtension && strings.IndexFunc(name, func(r rune) bool { return digitOf(r) < 0 }) < 0 {
		digits := onlyDigits(name)
		if ok, err := l.v.cfg.Owned(ctx, address.Address{Type: address.TypeExtension, Target: digits}); err != nil || ok {
			return digits, err
		}
	}
	for _, r := range runs(name) {
		for _, n := range l.readings(r) {
			if ok, err := l.v.cfg.Owned(ctx, address.Address{Type: address.TypeTel, Target: n}); err != nil || ok {
				return n, err
			}
		}
	}
	return "", nil
}

// excuse says why the caller may show what, "" for no reason.
func (l *look) excuse(what string, v *Verdict) string {
	for i, e := range l.v.cfg.Exceptions {
		if (len(e.Numbers) == 0 || slices.Contains(e.Numbers, what)) &&
			(len(e.Networks) == 0 || l.c.Peer.IsValid() && inNetwork(e.Networks, l.c.Peer.Addr())) &&
			(len(e.Trunks) == 0 || l.c.Trunk != "" && slices.Contains(e.Trunks, l.c.Trunk)) {
			return fmt.Sprintf("declared in exceptions[%d]", i)
		}
	}
	switch {
	case l.c.Journey != "":
		return "it comes back with our journey " + l.c.Journey
	case v.Div != "" && what == l.judged.String():
		return "it was diverted from " + v.Div
	case v.Attest == "A" && what == l.judged.String():
		return "it is attested (A)"
	}
	return ""
}

func (l *look) isOwnHost(host string) bool {
	return host != "" && l.v.cfg.Host != nil && l.v.cfg.Host(Host(host))
}

// extension keeps callers from being taken for extensions of ours: one that looks like an extension and has not given a password is none.
func (l *look) extension(context.Context, *Verdict) Check {
	x := l.c.Request.Authenticated
	user, host := l.userHost()
	switch {
	case x != "":
		return passed(CheckExtension, "")
	case l.class != ClassExtension && l.class != ClassShort:
		return skipped(CheckExtension, "")
	case l.isOwnHost(host):
		return failed(CheckExtension, CodeExtensionUnknown, "the caller says that it is extension %s of ours, which there is not", user)
	}
	return passed(CheckExtension, fmt.Sprintf("%s is none of ours, but of %s", user, host))
}
