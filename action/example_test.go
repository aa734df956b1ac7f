package action_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// Lucky goes to Winner for callers whose number ends with Ending.
type Lucky struct {
	Ending string `json:"ending"`
	Winner string `json:"winner"`
}

// Check is called when a flow is loaded.
func (a *Lucky) Check(c *action.CheckContext) {
	c.At("ending").Required(a.Ending != "")
	c.At("winner").Target(a.Winner)
}

// Run is called in each call that comes to the step.
func (a *Lucky) Run(_ context.Context, leg action.Leg) (action.Outcome, error) {
	if strings.HasSuffix(leg.Vars().Get("voipbin.call.source.target"), a.Ending) {
		return action.Goto(a.Winner), nil
	}
	return action.Continue(), nil
}

// phone is a leg that can be hung up and do nothing else.
type phone struct{ vars action.Vars }

func (p *phone) ID() string         { return "call-1" }
func (p *phone) Vars() *action.Vars { return &p.vars }

func (p *phone) Hangup(_ context.Context, e action.Ending) error {
	fmt.Println("hang up:", e.Reason)
	return nil
}

func Example() {
	reg := action.Builtin(action.Deps{})
	action.Register[Lucky](reg, "lucky")
	f, err := flow.Parse([]byte(`[
		{"type": "lucky", "option": {"ending": "7", "winner": "yes"}},
		{"type": "hangup", "option": {"reason": "busy"}},
		{"id": "yes", "type": "hangup"}
	]`), flow.ParseOptions{Registry: reg})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := new(phone)
	if err := p.Vars().Set("voipbin.call.source.target", "+16062067567"); err != nil {
		fmt.Println(err)
	}
	if err := f.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// hang up: normal
}

// exchange is a phone that can call others; only extension 2001 answers.
type exchange struct{ phone }

func (x *exchange) Connect(_ context.Context, o action.ConnectOptions) (action.Connected, error) {
	fmt.Println("connect:", o.Destinations)
	for _, d := range o.Destinations {
		if d.Target == "2001" {
			return action.Connected{CallID: "call-2", CallIDs: []string{"call-2"}, Reason: "normal", Status: 200}, nil
		}
	}
	return action.Connected{CallIDs: []string{"call-2"}, Reason: "busy", Status: 486}, nil
}

func ExampleConnector() {
	f, err := flow.Parse([]byte(`[
		{"type": "connect", "option": {"destinations": [{"type": "extension", "target": "2000"}]}},
		{"type": "connect", "option": {"destinations": [{"type": "extension", "target": "2001"}]}},
		{"type": "hangup"}
	]`), flow.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := f.Run(context.Background(), new(exchange)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// connect: [extension:2000]
	// connect: [extension:2001]
	// hang up: normal
}

func ExampleVars() {
	var v action.Vars
	if err := v.Set("name", "Ann"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(v.Substitute("Hello ${name}, you are ${age} years old"))
	raw, err := v.SubstituteJSON(json.RawMessage(`{"text":"Hello ${name}","n":1}`))
	fmt.Println(string(raw), err)
	// Output:
	// Hello Ann, you are  years old
	// {"text":"Hello Ann","n":1} <nil>
}

func ExampleRegistry_Decode() {
	reg := action.NewRegistry()
	action.Register[Lucky](reg, "lucky")
	_, err := reg.Decode("lucky", json.RawMessage(`{"ending": 7, "winer": "yes"}`))
	fmt.Println(err)
	// Output:
	// action: byte 11: option "ending" must be a string, not a number
	// action: byte 14: option "winer" is unknown, did you mean "winner"?
}

func ExampleNeed() {
	p := new(phone)
	if _, err := action.Need[action.Echoer](p); err != nil {
		fmt.Println("no echo here")
	}
	hanger, err := action.Need[action.Hanger](p)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := hanger.Hangup(context.Background(), action.Ending{Reason: "busy"}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// no echo here
	// hang up: busy
}
