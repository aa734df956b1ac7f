// Command goaction is a server with an action of its own, "add": the caller presses two keys and hears their sum in beeps.
package main

import (
	"context"
	"flag"
	"log"
	"strconv"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// Add is {"type": "add", "option": {"a": "1", "b": "${other}", "into": "sum"}}.
type Add struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Into string `json:"into"`
}

// Run is called with ${variables} filled in. Its error would be noted, and the flow would go on.
func (x *Add) Run(_ context.Context, leg action.Leg) (action.Outcome, error) {
	a, aerr := strconv.Atoi(x.A)
	b, berr := strconv.Atoi(x.B)
	if aerr != nil || berr != nil {
		return action.Goto("again"), nil // a choice of way is a result, not an error
	}
	return action.Continue(), leg.Vars().Set(x.Into, strconv.Itoa(a+b))
}

const text = `[{"type": "answer"},
  {"id": "again", "type": "digits_receive", "option": {"duration": 10000, "length": 1}},
  {"type": "variable_set", "option": {"key": "first", "value": "${voipbin.call.digits}"}},
  {"type": "digits_receive", "option": {"duration": 10000, "length": 1}},
  {"type": "add", "option": {"a": "${first}", "b": "${voipbin.call.digits}", "into": "sum"}},
  {"id": "beep", "type": "beep"},
  {"type": "add", "option": {"a": "${sum}", "b": "-1", "into": "sum"}},
  {"type": "condition_variable", "option": {"variable": "${sum}", "condition": "<=", "value_type": "number", "false_target_id": "beep"}}]`

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	actions := action.Builtin(call.NewDeps(settings, nil, nil))
	action.Register[Add](actions, "add")
	sum := must(flow.Parse([]byte(text), flow.ParseOptions{Registry: actions, Name: "sum"}))
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return sum, nil }
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
