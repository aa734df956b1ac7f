package action

import (
	"slices"

	"github.com/callbin/callbin/call/address"
)

// dial is what the options of connect and call have in common.
type dial struct {
	Source       address.Address   `json:"source" doc:"who is shown as calling"`
	Destinations []address.Address `json:"destinations" opt:"required" doc:"who is called"`
	Anonymous    string            `json:"anonymous" opt:"enum=yes|no|auto,default=auto" doc:"whether the number is hidden"`
	deps         Deps
}

// MaxDestinations is how many addresses one action may dial.
const MaxDestinations = 64

var anonymous = []string{"yes", "no", "auto"}

func (a *dial) check(c *CheckContext) {
	if checkMany(c, len(a.Destinations)); len(a.Destinations) > MaxDestinations {
		return
	}
	for i, d := range a.Destinations {
		checkDestination(c, i, d)
	}
	if !a.Source.IsZero() {
		a.checkSource(c)
	}
}

// checkMany tells of more destinations than there may be.
func checkMany(c *CheckContext, n int) {
	if n > MaxDestinations {
		c.At("destinations").Errorf("has %d addresses, at most %d", n, MaxDestinations)
	}
}

// warn tells of destinations that the engine does not let out, as far as it can be known.
func (a *dial) warn(c *CheckContext) {
	if a.deps.Destinations == nil {
		return
	}
	for i, d := range a.Destinations {
		if HasVar(string(d.Type)) || HasVar(d.Target) || HasVar(d.TargetName) {
			continue
		}
		if err := a.deps.Destinations.CheckDestination(d); err != nil {
			c.At("destinations", i).Warnf("will not be called: %v", err)
		}
	}
}

func checkDestination(c *CheckContext, i int, d address.Address) {
	typ := c.At("destinations", i, "type")
	switch {
	case HasVar(string(d.Type)):
		return
	case d.Type == address.TypeNone:
		typ.Errorf("is required: tel, sip, extension, agent or conference")
		return
	case !d.Type.Known():
		typ.Errorf("%.40q is unknown, there are tel, sip, extension, agent and conference", d.Type)
		return
	case !d.Type.Dialable() && d.Type != address.TypeConference:
		typ.Warnf("%q cannot be called", d.Type)
	}
	if err := validate(d); err != nil {
		c.At("destinations", i, addressField(d)).Errorf("is not usable: %v", err)
	}
}

// checkSource only warns of a bad target: an engine that may not show it shows
// another, as VoIPBIN does.
func (a *dial) checkSource(c *CheckContext) {
	switch {
	case HasVar(string(a.Source.Type)):
	case !a.Source.Type.Known():
		c.At("source", "type").Errorf("%.40q is unknown", a.Source.Type)
	default:
		if err := validate(a.Source); err != nil {
			c.At("source", addressField(a.Source)).Warnf("cannot be shown: %v", err)
		}
	}
}

// validate tells what is wrong with an address as far as it is known before variables
// are filled in.
func validate(a address.Address) error {
	if HasVar(a.Target) || HasVar(a.TargetName) {
		return nil
	}
	return a.Normalize().Validate()
}

// addressField returns the key of what is dialled.
func addressField(a address.Address) string {
	if a.Type == address.TypeExtension && a.TargetName != "" {
		return "target_name"
	}
	return "target"
}

// resolved returns the destinations, now that variables are filled in. What cannot be
// dialled among them is the leg's to tell, so that it is recorded like any attempt.
func (a *dial) resolved() []address.Address {
	all := make([]address.Address, len(a.Destinations))
	for i, d := range a.Destinations {
		all[i] = d.Normalize()
	}
	return all
}

// anonymity returns what is asked for; a variable may have held anything.
func (a *dial) anonymity() string {
	if slices.Contains(anonymous, a.Anonymous) {
		return a.Anonymous
	}
	return ""
}
