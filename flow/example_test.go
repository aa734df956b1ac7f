package flow_test

import (
	"context"
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// phone is a small leg: it has variables, and can be answered and hung up.
type phone struct{ vars action.Vars }

func (p *phone) ID() string         { return "call-1" }
func (p *phone) Vars() *action.Vars { return &p.vars }

func (p *phone) Answer(context.Context) error {
	fmt.Println("answered")
	return nil
}

func (p *phone) Hangup(_ context.Context, e action.Ending) error {
	fmt.Println("hung up:", e.Reason)
	return nil
}

func ExampleFlow() {
	f, err := flow.Parse([]byte(`{"name": "night", "actions": [
		{"type": "condition_variable", "option": {
			"variable": "${hour}", "condition": ">=", "value_type": "number", "value_number": 18, "false_target_id": "day"}},
		{"type": "hangup", "option": {"reason": "busy"}},
		{"id": "day", "type": "answer"}
	]}`), flow.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, hour := range []string{"9", "20"} {
		p := new(phone)
		if err := p.Vars().Set("hour", hour); err != nil {
			fmt.Println(err)
		}
		if err := f.Run(context.Background(), p); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// answered
	// hung up: busy
}

func ExampleParse() {
	_, err := flow.Parse([]byte(`[
	{"type": "answer"},
	{"id": "menu", "type": "digits_receive", "option": {"lenght": 1, "duration": "5000"}},
	{"type": "goto", "option": {"target_id": "meun", "loop_count": 2}}
]`), flow.ParseOptions{File: "100.json"})
	fmt.Println(err)
	// Output:
	// 100.json:3:54: error: action "menu" (digits_receive): option "lenght" is unknown, did you mean "length"?
	// 100.json:3:79: error: action "menu" (digits_receive): option "duration" must be a whole number, not a string
	// 100.json:4:43: error: action "action-3" (goto): target_id: there is no action with the id "meun", did you mean "menu"?
}

func ExampleCheck() {
	f, err := flow.Parse([]byte(`[{"id": "hello", "type": "talk", "option": {"text": "Hello"}}]`), flow.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range flow.Check(f, action.AbilitiesOf(action.CanAnswer, action.CanPlay)) {
		fmt.Println(finding)
	}
	// Output:
	// 1:2: error: action "hello" (talk): needs Deps.Speaker, which there is not
}

func ExampleFunc() {
	var p flow.Program = flow.Func(func(ctx context.Context, leg action.Leg) error {
		answerer, err := action.Need[action.Answerer](leg)
		if err != nil {
			return err
		}
		return answerer.Answer(ctx)
	})
	if err := p.Run(context.Background(), new(phone)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// answered
}

func ExampleDir() {
	d, err := flow.FromFS(fstest.MapFS{
		"100.json":     {Data: []byte(`[{"type": "answer"}]`)},
		"default.json": {Data: []byte(`[{"type": "hangup", "option": {"reason": "failed"}}]`)},
	}, flow.ParseOptions{}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, destination := range []string{"100", "200", "../../etc/passwd"} {
		f, ok := d.Lookup(destination)
		if !ok {
			fmt.Println("no flow for", destination)
			continue
		}
		if err := f.Run(context.Background(), new(phone)); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// answered
	// hung up: failed
	// no flow for ../../etc/passwd
}

// pause is an action of one's own: {"type": "pause", "option": {"seconds": 5}}.
type pause struct {
	Seconds int `json:"seconds" opt:"required,s,min=1" doc:"how long"`
}

func (p *pause) Run(ctx context.Context, _ action.Leg) (action.Outcome, error) {
	select {
	case <-ctx.Done():
		return action.Continue(), context.Cause(ctx)
	case <-time.After(time.Duration(p.Seconds) * time.Second):
		return action.Continue(), nil
	}
}

func ExampleSchema() {
	reg := action.Builtin(action.Deps{})
	action.Register[pause](reg, "pause")
	text, err := flow.Schema(reg)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, after, _ := strings.Cut(string(text), `"option_pause": {`)
	_, after, _ = strings.Cut(after, `"seconds": {`)
	option, _, _ := strings.Cut(after, "}")
	fmt.Println(strings.Join(strings.Fields(option), " "))
	// Output:
	// "description": "how long; seconds", "type": [ "integer", "string" ], "pattern": "\\$\\{", "minimum": 1
}
