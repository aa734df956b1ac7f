package action

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestBuiltinNames(t *testing.T) {
	want := strings.Fields(`ai_summary ai_talk ai_task amd answer beep block branch call case_create condition_call_digits
		condition_call_status condition_datetime condition_expression condition_variable confbridge_join conference_join connect
		conversation_send digits_receive digits_send echo email_send empty external_media_start external_media_stop fetch
		fetch_flow goto hangup message_send mute park pickup play queue_join recording_start recording_stop sleep stop stream_echo talk
		transcribe_recording transcribe_start transcribe_stop variable_set voicemail voicemail_main webhook_send`)
	r := Builtin(Deps{})
	var names, old []string
	for _, name := range r.Names() {
		if r.Canonical(name) != name {
			old = append(old, name)
			continue
		}
		names = append(names, name)
		if _, ok := r.New(name).(Shaped); !ok {
			t.Errorf("%s: its shape is not known", name)
		}
		for _, o := range r.Options(name) {
			if o.Doc == "" && !o.Old {
				t.Errorf("%s: option %q is not described", name, o.Name)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
	if got := strings.Join(old, " "); got != "agent_call chatbot_talk dtmf_receive dtmf_send hangup_relay patch patch_flow recording_to_text" {
		t.Errorf("old names: %s", got)
	}
}

func TestRegistryPanicsWhenItIsWiredWrongly(t *testing.T) {
	for what, f := range map[string]func(r *Registry){
		"twice":                  func(r *Registry) { Register[stop](r, "stop") },
		"no name":                func(r *Registry) { r.Add("", func() Action { return &stop{} }) },
		"no func":                func(r *Registry) { r.Add("x", nil) },
		"alias of nothing":       func(r *Registry) { r.Alias("old", "none") },
		"alias that is taken":    func(r *Registry) { r.Alias("stop", "answer") },
		"alias made twice":       func(r *Registry) { r.Alias("patch", "fetch") },
		"alias without a name":   func(r *Registry) { r.Alias("", "stop") },
		"action after its alias": func(r *Registry) { Register[stop](r, "patch") },
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

func TestAliasIsTheSameAction(t *testing.T) {
	r := NewRegistry()
	Register[tagged](r, "tagged")
	r.Alias("marked", "tagged")
	r.Alias("labelled", "marked") // an alias of an alias
	for name, want := range map[string]string{"marked": "tagged", "labelled": "tagged", "tagged": "tagged", "none": "none", "": ""} {
		if got := r.Canonical(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(r.Names(), " "); got != "labelled marked tagged" {
		t.Errorf("names: %s", got)
	}
	a, err := r.Decode("marked", json.RawMessage(`{"wait":7}`))
	if got, ok := a.(*tagged); err != nil || !ok || got.Wait != 7 {
		t.Errorf("got %+v, %v", a, err)
	}
	if len(r.Options("marked")) != len(r.Options("tagged")) || r.Options("none") != nil || r.New("none") != nil {
		t.Error("the options differ")
	}
	if _, err := r.Decode("marker", nil); err == nil || err.Error() != `action: type "marker" is unknown, did you mean "marked"?` {
		t.Errorf("got %v", err)
	}
}
