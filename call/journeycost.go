package call

import (
	"slices"
	"strings"

	"github.com/callbin/callbin/call/rating"
)

// JourneyCost is what the legs of a journey have cost together, in one currency.
type JourneyCost struct {
	Currency string        `json:"currency"`
	Cost     rating.Amount `json:"cost"` // a decimal number in JSON
}

// costs adds up what the legs have cost that are over, by currency.
func (g *journeyGraph) costs() (all []JourneyCost) {
	for _, r := range g.legs {
		if r.Currency == "" {
			continue
		}
		i := slices.IndexFunc(all, func(c JourneyCost) bool { return c.Currency == r.Currency })
		if i < 0 {
			i, all = len(all), append(all, JourneyCost{Currency: r.Currency})
		}
		all[i].Cost = all[i].Cost.Plus(rating.Amount(r.Cost))
	}
	slices.SortFunc(all, func(a, b JourneyCost) int { return strings.Compare(a.Currency, b.Currency) })
	return all
}
