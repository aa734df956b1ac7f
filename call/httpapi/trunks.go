package httpapi

import "github.com/callbin/callbin/call"

// Trunks tells how the ways to providers stand; *call.Engine does.
type Trunks interface{ Trunks() []call.TrunkState }

// trunkRows are what is asked about trunks; they are made in the settings.
func (a *api) trunkRows() []operation {
	e, ok := a.cfg.Engine.(Trunks)
	if !ok {
		return nil
	}
	return []operation{
		op("listTrunks", "GET /trunks", "trunks:read", "Trunks as they stand, in the order of the settings", func(*request, none, none) (list[call.TrunkState], error) {
			return listOf(e.Trunks(), ""), nil
		}),
		op("getTrunk", "GET /trunks/{name}", "trunks:read", "One trunk as it stands", func(_ *request, p trunkParams, _ none) (call.TrunkState, error) {
			for _, t := range e.Trunks() {
				if t.Name == p.Name {
					return t, nil
				}
			}
			return call.TrunkState{}, notFound("trunk", p.Name)
		}),
	}
}

type trunkParams struct {
	Name string `json:"name"`
}
