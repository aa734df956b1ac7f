package action

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestBuiltinNames(t *testing.T) {
	want := strings.Fields("answer beep branch call condition_variable confbridge_join conference_join connect digits_receive digits_send echo goto hangup mute play recording_start recording_stop sleep stop talk variable_set webhook_send")
	r := Builtin(Deps{})
	var ready []string
	for _, name := range r.Names() {
		if _, ok := r.mk[name]().(*notYet); !ok {
			ready = append(ready, name)
		}
	}
	if !slices.Equal(ready, want) {
		t.Errorf("got %q", ready)
	}
	if n := len(r.Names()); n != 43 {
		t.Errorf("%d names, VoIPBIN has 44, one of them internal", n)
	}
}

func TestLaterActionsAreRefusedByName(t *testing.T) {
	for _, name := range later {
		a, err := Builtin(Deps{}).Decode(name, json.RawMessage(`{"any":["option"]}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := NewCheckContext("", nil)
		a.(Needer).Needs(c)
		if needs := c.Abilities(); len(needs) != 1 || !strings.Contains(string(needs[0]), name) {
			t.Errorf("%s needs %q", name, needs)
		}
		if _, err := a.Run(t.Context(), nil); !IsFatal(err) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s runs: %v", name, err)
		}
	}
}

func TestRegistryPanicsWhenItIsWiredWrongly(t *testing.T) {
	for what, f := range map[string]func(r *Registry){
		"twice":   func(r *Registry) { Register[stop](r, "stop") },
		"no name": func(r *Registry) { r.Add("", func() Action { return &stop{} }) },
		"no func": func(r *Registry) { r.Add("x", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(Builtin(Deps{}))
		})
	}
}

// counter writes to its own fields when it runs, also through a default.
type counter struct {
	Runs int    `json:"runs"`
	Text string `json:"text"`
}

func (c *counter) Run(context.Context, Leg) (Outcome, error) {
	c.Runs++
	c.Text += "!"
	return Continue(), nil
}

func TestEachRunHasItsOwnCopy(t *testing.T) {
	r := NewRegistry()
	r.Add("counter", func() Action { return &counter{Runs: 7} })
	var v Vars
	for _, option := range []string{`{"text":"x"}`, `{"text":"${none}x"}`, `{"text":"x","runs":null}`} {
		n, problems := ParseJSON([]byte(option))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		tmpl, problems := r.Template("counter", []byte(option), n)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for range 3 {
			a, _, err := tmpl.Make(&v)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Run(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if c := a.(*counter); c.Runs != 8 || c.Text != "x!" {
				t.Errorf("%s: got %+v", option, c)
			}
		}
	}
}

func TestMakeRefusesWhatGetsTooLarge(t *testing.T) {
	var v Vars
	if err := v.Set("a", strings.Repeat("x", MaxVarValue)); err != nil {
		t.Fatal(err)
	}
	option, err := json.Marshal(map[string][]string{"stream_urls": slices.Repeat([]string{"${a}"}, 20)})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := ParseJSON(option)
	tmpl, problems := Builtin(Deps{}).Template("play", option, n)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, _, err := tmpl.Make(&v); err == nil || !strings.Contains(err.Error(), "more than 262144 bytes") {
		t.Errorf("got %v", err)
	}
}
