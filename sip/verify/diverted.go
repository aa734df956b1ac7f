package verify

import (
	"fmt"
	"slices"
	"strings"
)

// chain is the way of a retargeted call from first, the PASSporT of its caller, to here (RFC 8946 4.2): each div is for the same caller,
// and from one of those whom the one before was for. ok is false where no way ends here.
func (s *inspection) chain(first *token, here ends) (way []*token, ok bool) {
	visited := map[*token]bool{}
	var from func(dest []Party) []*token
	from = func(dest []Party) []*token {
		for _, t := range s.tokens {
			if t.p.Type != Div || t.fail != nil || visited[t] || t.p.Orig != first.p.Orig || !slices.Contains(dest, t.p.Div) {
				continue
			}
			visited[t] = true
			if rest := from(t.p.Dest); rest != nil {
				return append([]*token{t}, rest...)
			}
			if here.any(t.p.Dest) {
				return []*token{t}
			}
		}
		return nil
	}
	way = from(first.p.Dest)
	return way, way != nil
}

// tellDiverted adds the check "identity_div".
func (s *inspection) tellDiverted(v *Verdict, linked bool, chain []*token) {
	const name = "identity_div"
	if linked {
		var hops []string
		for _, t := range chain {
			hops = append(hops, fmt.Sprintf("%s sends it to %s by %s", t.p.Div, t.p.Dest[0], t.cred))
		}
		v.Div = chain[len(chain)-1].p.Div.String()
		v.Checks = append(v.Checks, Check{Name: name, Result: CheckPass, Evidence: strings.Join(hops, ", ")})
		return
	}
	for _, t := range s.tokens {
		if t.p.Type == Div && t.fail != nil {
			v.Checks = append(v.Checks, t.fail.check(name, s.ppi(t)))
			return
		}
	}
	v.Checks = append(v.Checks, fail(CodeIdentityMismatch, "no chain of div leads from the caller's PASSporT to %s", ends(endOf(s.c.Request.To))).check(name, ""))
}
