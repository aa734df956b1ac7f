package action

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/callbin/callbin/call/address"
)

// call places calls with a flow of their own, which are not joined with this one.
type call struct {
	Source         address.Address   `json:"source"`
	Destinations   []address.Address `json:"destinations"`
	FlowID         string            `json:"flow_id"`
	Actions        json.RawMessage   `json:"actions"`         // in place of flow_id: the flow itself
	Chained        bool              `json:"chained"`         // the new calls end with this one
	EarlyExecution bool              `json:"early_execution"` // their flow begins at ringing
	Anonymous      string            `json:"anonymous"`
	deps           Deps
}

func (a *call) NestedFlow() string { return "actions" }

func (a *call) Check(c *CheckContext) {
	checkParties(c, a.Source, a.Destinations)
	checkAnonymous(c, a.Anonymous)
	switch id := CanonicalID(a.FlowID) != ""; {
	case id && a.inline():
		c.At("actions").Errorf("and option %q exclude each other", "flow_id")
	case !id && !a.inline():
		c.At().Errorf("one of the options %q and %q is required", "flow_id", "actions")
	}
}

func (a *call) inline() bool { return len(a.Actions) > 0 && string(a.Actions) != "null" }

func (a *call) Needs(c *CheckContext) {
	c.Need(CanDial)
	warnOf(c, a.deps.Destinations, a.Destinations)
}

func (a *call) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Dialer](leg)
	if err != nil {
		return Continue(), err
	}
	o := DialOptions{
		Source: a.Source, Destinations: a.Destinations, FlowID: CanonicalID(a.FlowID), Dir: FlowInfo(ctx).Dir,
		Chained: a.Chained, EarlyExecution: a.EarlyExecution, Anonymous: a.Anonymous,
	}
	if a.inline() {
		o.Actions = a.Actions
	}
	ids, err := l.Dial(ctx, o)
	if err != nil {
		return Continue(), Fatal(fmt.Errorf("action: call: %w", err))
	}
	out := Outcome{Result: map[string]string{}}
	for i, id := range ids {
		out.Result[fmt.Sprintf("call_id_%d", i+1)] = id
	}
	return out, nil
}
