package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// actionList is a list of actions, as package flow reads it.
type actionList []byte

// UnmarshalJSON keeps what stands there.
func (l *actionList) UnmarshalJSON(b []byte) error {
	*l = append((*l)[:0], b...)
	return nil
}

// MarshalJSON writes it back.
func (l actionList) MarshalJSON() ([]byte, error) {
	if len(l) == 0 {
		return []byte("[]"), nil
	}
	return l, nil
}

// schema refers to that of an action, by a name that generated clients have, too.
func (actionList) schema(b *schemas) *schema {
	const name = "Action"
	text := func(doc string) *schema { return &schema{Type: "string", Description: doc} }
	b.types[name] = reflect.TypeFor[actionList]()
	b.defs[name] = &schema{Type: "object", Required: []string{"type"}, Properties: map[string]*schema{
		"id":         text("what targets call the action"),
		"type":       text("name of the action, such as talk"),
		"option":     {Type: "object", Description: "what the action is to do: see the actions", AdditionalProperties: &schema{}},
		"next_id":    text("id of the action to go on with; without it, the next one in the list"),
		"on_error":   text("id of the action to go on with if this one fails"),
		"on_timeout": text("id of the action to go on with if what this one waits for does not come"),
	}}
	return &schema{Type: "array", Items: &schema{Ref: refPrefix + name}}
}

// programBody says which flow is to run: embed it.
type programBody struct {
	FlowID  string     `json:"flow_id,omitempty" doc:"of the flow that runs; or else actions"`
	Actions actionList `json:"actions,omitempty" doc:"what happens, one after another; in place of flow_id"`
}

// Flows finds and reads flows; *call.Engine does.
type Flows interface {
	FlowByID(ctx context.Context, id string) (flow.Program, error)
	ParseFlow(text []byte, name string) (*flow.Flow, []flow.Finding, error)
}

// program is the flow that b names, or is. Nil: neither, which needed refuses.
func (r *request) program(flows Flows, b programBody, needed bool) (flow.Program, error) {
	inline := len(b.Actions) > 0 && string(b.Actions) != "null"
	switch {
	case b.FlowID != "" && inline:
		return nil, r.invalid("/actions", "flow_id and actions are two flows: give one of them")
	case b.FlowID != "":
		p, err := flows.FlowByID(r.ctx, b.FlowID)
		if errors.Is(err, call.ErrNoFlow) {
			return nil, r.invalid("/flow_id", "there is no flow %.80q", b.FlowID)
		}
		return p, err
	case inline:
		f, _, err := flows.ParseFlow(b.Actions, "inline")
		if err != nil {
			// Once more, at its place in the body, for the places of what is wrong.
			_, _, err = flows.ParseFlow(alone(r.text, r.tree.Member("actions").Start, r.tree.Member("actions").End), "inline")
			return nil, r.flowFailure(err, "/actions")
		}
		return f, nil
	case needed:
		return nil, r.invalid("", "flow_id or actions are required: what is to happen on the call")
	}
	return nil, nil
}

// alone is text with spaces in place of all but what stands from start to end, so that places in it are those in text.
func alone(text []byte, start, end int) []byte {
	b := make([]byte, end)
	copy(b, text)
	for i := range start {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
	return b
}

var (
	_ Flows            = (*call.Engine)(nil)
	_ json.Unmarshaler = (*actionList)(nil)
)
