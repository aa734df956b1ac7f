package call

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// Classes of numbers, the later ones the more expensive: what a fraud is after.
const (
	RiskLow     = "low"     // lines, mobile phones, toll-free, and what no plan knows
	RiskSpecial = "special" // shared cost, personal numbers, satellites, international networks
	RiskPremium = "premium"
	RiskIRSF    = "irsf" // Outbound.IRSF names them
)

var risks = []string{RiskLow, RiskSpecial, RiskPremium, RiskIRSF}

// riskRank sorts the classes; "" is RiskLow.
func riskRank(class string) (rank int, ok bool) {
	i := slices.Index(risks, cmp.Or(class, RiskLow))
	return i, i >= 0
}

// riskOf is the class of a number whose plan uses it for kind.
func riskOf(kind address.Kind) string {
	switch kind {
	case address.KindPremium:
		return RiskPremium
	case address.KindSharedCost, address.KindPersonal, address.KindSatellite, address.KindNetwork:
		return RiskSpecial
	}
	return RiskLow
}

// judge tells why the asker may not dial number, E.164, and in any case by what that was decided.
func (p dialplan) judge(number string) (evidence string, refused *Refusal) {
	rule, name := p.rule()
	refuse := func(code, why string) (string, *Refusal) {
		r := denied(code, number, why)
		r.Evidence = fmt.Sprintf("%s asks; %s; %s", p.who, name, evidence)
		return r.Evidence, r
	}
	n, err := address.ParseNumber(number, "")
	if err != nil || n.String() != number { // a plan that reads another number from it is not to decide about this one
		evidence = "no numbering plan has such a number"
		if err == nil {
			return refuse(CodeNotDialable, fmt.Sprintf("it is %s", n))
		}
	}
	kind, country := n.Kind(), n.Country()
	class := riskOf(kind)
	bad := longest(p.out.irsf, p.out.IRSF, number)
	if bad != "" {
		class = RiskIRSF
	}
	evidence = fmt.Sprintf("country %s, %s, risk %s", cmp.Or(country, "unknown"), cmp.Or(string(kind), "in no plan"), class)
	if bad != "" {
		evidence += " by " + bad
	}
	if d := longest(nil, p.out.Deny, number); d != "" {
		return refuse(CodeOutboundDenyList, "outbound.deny names "+d)
	}
	prefix := longest(nil, rule.Tel, number)
	switch {
	case prefix != "":
	case slices.Contains(rule.Countries, country) && country != "":
	case len(rule.Countries) > 0:
		return refuse(CodeOutboundCountry, fmt.Sprintf("%s names neither its country nor its prefix", name))
	default:
		return refuse(CodeOutboundDenied, "the configuration does not name its prefix")
	}
	// Who names a prefix of a risky range means it, unless a longer one is known for fraud.
	rank, _ := riskRank(class)
	most, _ := riskRank(rule.MaxRisk)
	if risky := longest(nil, rule.Risky, number); rank > most && (risky == "" || len(risky) < len(bad)) {
		return refuse(CodeOutboundRisk, fmt.Sprintf("its class is %s, and %s allows %s", class, name, cmp.Or(rule.MaxRisk, RiskLow)))
	}
	return fmt.Sprintf("%s asks; %s; %s", p.who, name, evidence), nil
}

// prefixes finds the longest of many prefixes.
type prefixes struct {
	of  map[string]bool
	max int
}

func newPrefixes(list []string) *prefixes {
	p := &prefixes{of: make(map[string]bool, len(list))}
	for _, s := range list {
		p.of[s] = true
		p.max = max(p.max, len(s))
	}
	return p
}

// longest is the longest of list that number begins with, "" for none; p, if not nil, is made of list.
func longest(p *prefixes, list []string, number string) (found string) {
	if p != nil {
		for n := min(p.max, len(number)); n > 0; n-- {
			if p.of[number[:n]] {
				return number[:n]
			}
		}
		return ""
	}
	for _, s := range list {
		if len(s) > len(found) && strings.HasPrefix(number, s) {
			found = s
		}
	}
	return found
}

// maxIRSF bounds a file of prefixes, which is kept in memory.
const maxIRSF = 1_000_000

// readIRSF adds the prefixes of IRSFFile.
func (o *Outbound) readIRSF(what string) error {
	if o.IRSFFile == "" {
		return nil
	}
	f, err := os.Open(o.IRSFFile)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	var errs []error
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan() && len(errs) < 10; n++ {
		s, _, _ := strings.Cut(lines.Text(), "#")
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if err := checkPrefix(fmt.Sprintf("%s: %s:%d", what, o.IRSFFile, n), s); err != nil {
			errs = append(errs, err)
		} else if s == "+" {
			errs = append(errs, fmt.Errorf("%s: %s:%d: \"+\" is all numbers", what, o.IRSFFile, n))
		}
		if o.IRSF = append(o.IRSF, s); len(o.IRSF) > maxIRSF {
			errs = append(errs, fmt.Errorf("%s: %s has more than %d prefixes", what, o.IRSFFile, maxIRSF))
			break
		}
	}
	return errors.Join(append(errs, lines.Err())...)
}
