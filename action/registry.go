package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Registry is the list of actions that flows may use, by the name that stands as
// "type" in a flow. Fill it, then share it: Add and Register must not run beside
// other methods, all others are safe for concurrent use.
type Registry struct {
	mk  map[string]func() Action
	old map[string]string // older name to the one of today
}

// NewRegistry returns an empty registry; Builtin returns one with the built-in actions.
func NewRegistry() *Registry {
	return &Registry{mk: make(map[string]func() Action), old: make(map[string]string)}
}

// Add makes an action known by name. mk returns a new one with its defaults: a pointer
// to a struct whose exported fields are the options, or an action without options.
// Add panics when the name is empty or taken.
func (r *Registry) Add(name string, mk func() Action) {
	if name == "" || mk == nil {
		panic("action: Registry.Add needs a name and a function")
	}
	if _, ok := r.mk[name]; ok {
		panic(fmt.Sprintf("action: %q is registered twice", name))
	}
	r.mk[name] = mk
}

// Alias makes old another name of the action name, which must be known. It panics when old is
// taken.
func (r *Registry) Alias(old, name string) {
	mk := r.mk[name]
	if mk == nil {
		panic(fmt.Sprintf("action: alias %q: there is no %q", old, name))
	}
	r.Add(old, mk)
	r.old[old] = r.Canonical(name)
}

// Canonical returns the name of today for one that Alias made; any other name is itself.
func (r *Registry) Canonical(name string) string {
	if today, ok := r.old[name]; ok {
		return today
	}
	return name
}

// Options describes the options of the action of that name; none if it is unknown.
func (r *Registry) Options(name string) []Option {
	if !r.Has(name) {
		return nil
	}
	return OptionsOf(r.mk[name]())
}

// New returns a new action of that name with its defaults, or nil.
func (r *Registry) New(name string) Action {
	if !r.Has(name) {
		return nil
	}
	return r.mk[name]()
}

// Register makes the struct T known by name; it is Add for structs without defaults.
func Register[T any, P interface {
	*T
	Action
}](r *Registry, name string) {
	r.Add(name, func() Action { return P(new(T)) })
}

// Names returns all names, sorted, with those that Alias made.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.mk)) }

// Has tells whether there is an action of that name.
func (r *Registry) Has(name string) bool { return r.mk[name] != nil }

// Decode returns the action of that name with option, one JSON object or nothing, as
// its fields. It is strict: unknown and doubled keys and wrong types are an error,
// which is of type Problems unless the name is unknown.
func (r *Registry) Decode(name string, option json.RawMessage) (Action, error) {
	if !r.Has(name) {
		return nil, fmt.Errorf("action: type %q is unknown%s", name, Suggest(name, r.Names(), "there are"))
	}
	if len(option) == 0 {
		option = json.RawMessage("{}")
	}
	n, problems := ParseJSON(option)
	if n == nil {
		return nil, problems
	}
	t, more := r.Template(name, option, n)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems
	}
	return t.example, nil
}

// Template is one step's action as it is written in a flow, variables not yet filled
// in. It never changes and is safe for concurrent use.
type Template struct {
	mk      func() Action
	option  json.RawMessage      // compact
	example Action               // decoded from option as it is written
	subst   Substituter          // nil: the usual substitution
	dynamic bool                 // option holds variables
	loose   bool                 // option has values of a wrong type, which are left out
	typed   map[int]reflect.Kind // see typeCheck; places in option
}

// Substituter is an Action that says itself how variables go into the strings of
// its options; SubstituteOption stands in for v.Substitute(text). option is the key
// of the option that the string belongs to. The fields of the receiver mean nothing then.
type Substituter interface {
	SubstituteOption(option, text string, v *Vars) string
}

// Template checks option, a node of data or nil, against the action of that name and
// prepares it for runs. The name must be known. Where there are problems the template does without
// the options that they are about.
func (r *Registry) Template(name string, data []byte, option *Node) (*Template, Problems) {
	mk := r.mk[name]
	t := &Template{mk: mk, option: json.RawMessage("{}"), example: mk()}
	t.subst, _ = t.example.(Substituter)
	if option == nil || option.Kind == Null {
		return t, nil
	}
	rt := reflect.TypeOf(t.example)
	if rt.Kind() != reflect.Pointer || rt.Elem().Kind() != reflect.Struct {
		if option.Kind != Object || len(option.Members) > 0 {
			return t, Problems{{Rule: RuleUnknownKey, Offset: option.Start, Message: fmt.Sprintf("%s has no options", name)}}
		}
		return t, nil
	}
	problems := CheckType(data, option, t.example, "option")
	var b bytes.Buffer
	if err := json.Compact(&b, data[option.Start:option.End]); err != nil {
		return t, append(problems, Problem{Rule: RuleSyntax, Offset: option.Start, Message: err.Error()})
	}
	t.option, t.loose = b.Bytes(), len(problems) > 0
	t.dynamic = option.hasVar() || t.subst != nil
	if option.hasVar() {
		if n, _ := ParseJSON(t.option); n != nil {
			c := typeCheck{data: t.option}
			c.value(n, reflect.TypeOf(t.example), "")
			t.typed = c.typed
		}
	}
	if err := json.Unmarshal(t.option, t.example); err != nil && !option.hasVar() && !t.loose {
		problems = append(problems, Problem{Rule: RuleBadValue, Offset: option.Start, Message: err.Error()})
	}
	return t, problems
}

// Example is the action with its options as they are written, variables not filled
// in. It is for checks and must not be run.
func (t *Template) Example() Action { return t.example }

// Make returns a new action to run, with variables filled in, and its options as JSON.
// It fails where an option gets too large, or its type refuses the value.
func (t *Template) Make(v *Vars) (Action, json.RawMessage, error) {
	if !t.dynamic {
		return clone(t.example), t.option, nil
	}
	option, err := substituteJSON(t.option, func(at int, key, text string) (got, literal string, err error) {
		if t.subst != nil {
			got = t.subst.SubstituteOption(key, text, v)
		} else {
			got = v.Substitute(text)
		}
		if k, ok := t.typed[at]; ok {
			if literal, err = typedLiteral(got, k); err != nil {
				return "", "", fmt.Errorf("action: option %q %w", key, err)
			}
		}
		return got, literal, nil
	})
	if err != nil {
		return nil, nil, err
	}
	a := t.mk()
	err = json.Unmarshal(option, a)
	if _, wrongType := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !(t.loose && wrongType) {
		return nil, option, fmt.Errorf("action: read option: %w", err)
	}
	return a, option, nil
}

// Fill is Make for where the values of some variables are not known: those of which open is true stay as they are
// written, and unknown are their names. Where there are some, the action is for looking at only; options that
// cannot be read with them are left at their defaults.
func (t *Template) Fill(v *Vars, open func(name string) bool) (a Action, option json.RawMessage, unknown []string, err error) {
	if !t.dynamic {
		return clone(t.example), t.option, nil, nil
	}
	option, err = substituteJSON(t.option, func(_ int, key, text string) (got, literal string, err error) {
		known := true
		EachVar(text, func(name string, _ bool) {
			if !open(name) {
				return
			}
			if known = false; !slices.Contains(unknown, name) {
				unknown = append(unknown, name)
			}
		})
		if t.subst != nil && known {
			return t.subst.SubstituteOption(key, text, v), "", nil
		}
		return v.substitute(text, nil, open), "", nil
	})
	if len(unknown) == 0 {
		a, option, err = t.Make(v)
		return a, option, nil, err
	}
	if err != nil {
		return nil, nil, unknown, err
	}
	a = t.mk()
	_ = json.Unmarshal(option, a) // what does not fit is known later
	return a, option, unknown, nil
}

// clone copies the struct behind a, so that a run may write to its fields.
func clone(a Action) Action {
	v := reflect.ValueOf(a)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return a
	}
	c := reflect.New(v.Type().Elem())
	c.Elem().Set(v.Elem())
	return c.Interface().(Action)
}
