package flow

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/callbin/callbin/action"
)

// Action is an action of a flow as it is written, for tools that follow the ways of a flow.
type Action struct {
	Index  int             // from 0
	ID     string          // of its own, or action-N
	Type   string          // the name of today
	Line   int             // where it begins in the text, from 1
	Option json.RawMessage // nil: none
	Timing action.Timing
	Shape  action.Shape
	Times  []time.Duration // that its options say or have as default, but 0, in the order of the options
	Ways   []Way
}

// Way is one of the ways from an action to the next one.
type Way struct {
	Label string // next, or the option that names the target: on_error, target_ids.1, false_target_id
	To    int    // index of an action; Flow.Len for the end of the flow
}

// Actions describes the actions of f, in the order of the text, without those of flows within it.
func (f *Flow) Actions() []Action {
	all := make([]Action, 0, len(f.steps))
	for i := range f.steps {
		s := &f.steps[i]
		a := Action{Index: i, ID: s.info.ID, Type: s.info.Type, Timing: s.timing, Shape: s.shape}
		a.Line, _ = action.Position(f.data, s.offset)
		if s.option != nil && s.option.Start != s.offset {
			a.Option = json.RawMessage(f.data[s.option.Start:s.option.End])
		}
		a.Times = f.times(s)
		a.Ways = f.waysOf(s)
		all = append(all, a)
	}
	return all
}

// times are those options of s that have a unit of time.
func (f *Flow) times(s *step) []time.Duration {
	var all []time.Duration
	for _, o := range f.registry.Options(s.info.Type) {
		unit := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second}[o.Unit]
		text := o.Default
		if n := s.option.Member(o.Name); n != nil {
			text = string(f.data[n.Start:n.End])
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 && unit > 0 {
			all = append(all, time.Duration(n*float64(unit)))
		}
	}
	return all
}

func (f *Flow) waysOf(s *step) []Way {
	var all []Way
	add := func(label, id string) {
		if index, ok := f.byID[id]; ok {
			all = append(all, Way{label, index})
		}
	}
	if s.goesOn() {
		if s.next == "" {
			all = append(all, Way{"next", s.info.Index + 1})
		}
		add("next", s.next)
	}
	if !s.shape.Falls {
		c := action.NewCheckContext(f.dir, s.option)
		action.CheckAction(c, s.template.Example())
		for _, t := range c.Targets() {
			add(t.Path, t.ID)
		}
	}
	add("on_error", s.onError)
	add("on_timeout", s.onTimeout)
	return all
}
