package action

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCallRunsOneOfTwo(t *testing.T) {
	for actions, inline := range map[string]bool{"": false, "null": false, "[]": false, `[{"type":"stop"}]`: true, `{"actions":[]}`: true} {
		a := &call{dial: toExtension("2001"), Actions: json.RawMessage(actions)}
		if a.inline() != inline || (len(a.NestedOptions()) == 1) != inline {
			t.Errorf("%q: inline is %t", actions, a.inline())
		}
		for _, id := range []string{"f", ""} {
			leg := &joiner{}
			a.FlowID = id
			_, err := a.Run(t.Context(), leg)
			if good := inline != (id == "f"); good == IsFatal(err) || good != (err == nil) {
				t.Errorf("flow_id %q and actions %q: %v", id, actions, err)
			}
			if inline && id == "" && string(leg.dialled.Actions) != actions {
				t.Errorf("actions %q are dialled as %q", actions, leg.dialled.Actions)
			}
		}
	}
}

func TestCallFailsFatallyUnlessItIsCut(t *testing.T) {
	a := &call{dial: toExtension("2001"), FlowID: "f"}
	if _, err := a.Run(t.Context(), &joiner{err: errOops}); !IsFatal(err) || !errors.Is(err, errOops) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	leg := &joiner{err: errOops, do: func() { cancel(ErrSkip) }}
	if _, err := a.Run(ctx, leg); IsFatal(err) || !errors.Is(err, ErrSkip) {
		t.Errorf("cut: got %v", err)
	}
}

// A peer chooses its own name, and must not reach the variables of the new call by it.
func TestValuesAreNoVariablesOfTheNewCall(t *testing.T) {
	option := `{"flow_id":"${name}","actions":[{"type":"talk","option":{"text":"${name} $${brace} ${"}}]}`
	n, problems := ParseJSON([]byte(option))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tmpl, problems := Builtin(Deps{}).Template("call", []byte(option), n)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var v Vars
	for name, value := range map[string]string{"name": "$${secret}", "brace": "{secret}"} {
		if err := v.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	_, got, err := tmpl.Make(&v)
	if err != nil || !strings.HasPrefix(string(got), `{"flow_id":"$${secret}",`) || HasVar(string(got[strings.Index(string(got), "actions"):])) {
		t.Errorf("got %s, %v", got, err)
	}
}
