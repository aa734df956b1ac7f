package action

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// call makes calls that run a flow of their own and are not joined with this one.
type call struct {
	dial
	FlowID         string          `json:"flow_id" doc:"flow that the new calls run"`
	Actions        json.RawMessage `json:"actions" doc:"in place of flow_id: a flow, or a list of actions"`
	Chained        bool            `json:"chained" doc:"the new calls end with this one"`
	EarlyExecution bool            `json:"early_execution" doc:"the new calls' flow begins at ringing"`
}

// inline tells whether there are actions.
func (a *call) inline() bool { return givenActions(a.Actions) }

// givenActions tells whether an option that holds actions has some: null and an empty list are none, since
// VoIPBIN writes them beside a flow_id.
func givenActions(actions json.RawMessage) bool {
	switch string(actions) {
	case "", "null", "[]":
		return false
	}
	return true
}

func (a *call) NestedOptions() []string {
	if a.inline() {
		return []string{"actions"}
	}
	return nil
}

func (a *call) Check(c *CheckContext) {
	a.check(c)
	switch named := CanonicalID(a.FlowID) != ""; {
	case named && a.inline():
		c.At("actions").Errorf("cannot stand beside flow_id: what runs on the new calls is one of the two")
	case !named && !a.inline():
		c.At("flow_id").Errorf("is required, or actions: what runs on the new calls")
	}
}

func (a *call) Needs(c *CheckContext) {
	c.Need(CanDial)
	a.warn(c)
}

// SubstituteOption fills in the variables of this call, also those of inner actions:
// into their SSML as talk does, and so that a value is not taken for a variable by the
// new call.
func (a *call) SubstituteOption(option, text string, v *Vars) string {
	if option != "actions" {
		return v.Substitute(text)
	}
	return substituteActions(text, v)
}

// substituteActions fills variables into a string of actions that run on another call.
func substituteActions(text string, v *Vars) string {
	var escape func(string) string
	if isSSML(text) {
		escape = escapeXML
	}
	filled := v.SubstituteFunc(text, escape)
	if filled != text {
		filled = strings.ReplaceAll(filled, "${", "$ {")
	}
	return filled
}

func (a *call) Shape() Shape { return Shape{Instant: true, Result: []string{"call_ids"}} }

func (a *call) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Dialer](leg)
	if err != nil {
		return Continue(), err
	}
	o := DialOptions{
		Source:         a.Source.Normalize(),
		FlowID:         CanonicalID(a.FlowID),
		Chained:        a.Chained,
		EarlyExecution: a.EarlyExecution,
		Anonymous:      a.anonymity(),
		Dir:            FlowInfo(ctx).Dir,
	}
	if a.inline() {
		o.Actions = a.Actions
	}
	if (o.FlowID == "") == (o.Actions == nil) { // by a variable, or Check was not asked
		return Continue(), Fatal(errors.New("action: call: one of flow_id and actions must be given"))
	}
	o.Destinations = a.resolved()
	ids, err := l.Dial(ctx, o)
	switch {
	case ctx.Err() != nil:
		return Continue(), context.Cause(ctx)
	case err != nil:
		return Continue(), Fatal(err)
	}
	return Outcome{Result: map[string]string{"call_ids": strings.Join(ids, ",")}}, nil
}
