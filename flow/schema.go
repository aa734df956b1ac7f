package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
)

// Schema returns a JSON Schema (2020-12) of the flows that may use the actions of reg, nil for the
// built-in ones, for editors that complete and check with one. It is the same text each time.
//
// What it refuses, Parse refuses too, with a better message (only what tags say of structs within
// options of own actions is theirs to check); what needs more than a look at each
// value by itself is left to Parse: ids that do not exist, options that exclude each other,
// URLs, keys that stand twice, whole numbers beyond 64 bits or written as 1.0, a required number
// that is 0, text made of spaces, how deep flows stand within flows.
func Schema(reg *action.Registry) ([]byte, error) {
	if reg == nil {
		reg = action.Builtin(action.Deps{})
	}
	b := schemaBuilder{reg: reg, defs: make(map[string]*schema), structs: make(map[reflect.Type]*schema)}
	b.flow()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(&schema{
		Schema:      "https://json-schema.org/draft/2020-12/schema",
		Title:       "Callbin flow",
		Description: "A list of actions, or an object with such a list.",
		Ref:         refTo("flow"),
		Defs:        b.defs,
	})
	if err != nil {
		return nil, fmt.Errorf("flow: write schema: %w", err)
	}
	return out.Bytes(), nil
}

// schema is what we need of JSON Schema. The zero value lets anything through.
type schema struct {
	Schema               string             `json:"$schema,omitempty"`
	Title                string             `json:"title,omitempty"`
	Description          string             `json:"description,omitempty"`
	Deprecated           bool               `json:"deprecated,omitempty"`
	Default              any                `json:"default,omitempty"`
	Examples             []string           `json:"examples,omitempty"`
	Ref                  string             `json:"$ref,omitempty"`
	Type                 types              `json:"type,omitempty"`
	Const                string             `json:"const,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	MinLength            int                `json:"minLength,omitempty"`
	MaxLength            int                `json:"maxLength,omitempty"`
	Minimum              *float64           `json:"minimum,omitempty"`
	Maximum              *float64           `json:"maximum,omitempty"`
	MinItems             int                `json:"minItems,omitempty"`
	MaxItems             int                `json:"maxItems,omitempty"`
	MinProperties        int                `json:"minProperties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"` // false, or a *schema
	If                   *schema            `json:"if,omitempty"`
	Then                 *schema            `json:"then,omitempty"`
	Else                 *schema            `json:"else,omitempty"`
	AnyOf                []*schema          `json:"anyOf,omitempty"`
	AllOf                []*schema          `json:"allOf,omitempty"`
	Defs                 map[string]*schema `json:"$defs,omitempty"`
}

// types are the JSON types that a value may have.
type types []string

// MarshalJSON writes a list, or the one type.
func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

const (
	withVariable = `\$\{`     // a text with a variable: its value is known at run time only
	textOrNone   = `^$|\$\{`  // the same, or an option that is left empty
	maxTypeDepth = 16         // of types within types that have no end
	refPrefix    = "#/$defs/" // where the parts of the schema stand
)

func refTo(def string) string { return refPrefix + def }

// nullable also lets null through, which stands for a key that is left out.
func (s *schema) nullable() *schema {
	switch {
	case s.Ref != "": // not anyOf, of which validators tell badly
		ref := s.Ref
		s.Ref, s.If, s.Else = "", &schema{Type: types{"null"}}, &schema{Ref: ref}
	case s.Type != nil:
		s.Type = append(s.Type, "null")
	}
	return s
}

// oneOf lets through the words of enum, and texts of the pattern other. A list is better than a
// pattern: editors complete from it.
func (s *schema) oneOf(enum []string, other string) {
	s.AnyOf = []*schema{{Enum: enum}, {Pattern: other}}
}

// schemaBuilder makes the schemas of all actions.
type schemaBuilder struct {
	reg     *action.Registry
	defs    map[string]*schema
	structs map[reflect.Type]*schema // references
}

// What the keys of a flow and of an action are, beside their types.
var (
	flowDocs = map[string]string{
		"actions":             "what happens, one after another",
		"detail":              "a description",
		"id":                  "what other flows call it",
		"name":                "what the flow is called",
		"on_complete_flow_id": "flow that is to run when this one is complete",
	}
	actionDocs = map[string]string{
		"id":         "what targets call the action; any text",
		"next_id":    "id of the action to go on with; without it, the next one in the list",
		"on_error":   "id of the action to go on with if this one fails",
		"on_timeout": "id of the action to go on with if what this one waits for does not come",
		"option":     "what the action is to do",
		"type":       "name of the action",
	}
)

// keys returns the properties of a flow or an action; v is the struct that Parse reads it with.
func (b *schemaBuilder) keys(v any, docs map[string]string) map[string]*schema {
	properties := make(map[string]*schema)
	for _, o := range action.FieldsOf(reflect.TypeOf(v)) {
		s := b.value(o.Type, 0).nullable()
		s.Description = docs[o.Name]
		properties[o.Name] = s
	}
	return properties
}

func (b *schemaBuilder) flow() {
	object := b.keys(flowJSON{}, flowDocs)
	object["actions"] = &schema{Ref: refTo("actions"), Description: flowDocs["actions"]}
	b.defs["flow"] = &schema{
		Type: types{"object", "array"},
		If:   &schema{Type: types{"array"}},
		Then: &schema{Ref: refTo("actions")},
		Else: &schema{Ref: refTo("flow_object")},
	}
	b.defs["flow_object"] = &schema{Properties: object, Required: []string{"actions"}, AdditionalProperties: false}
	b.defs["actions"] = &schema{Type: types{"array"}, Items: &schema{Ref: refTo("action")}, MaxItems: MaxActions}

	names := b.reg.Names()
	keys := b.keys(actionJSON{}, actionDocs)
	keys["id"].MaxLength = maxID
	keys["type"] = &schema{Type: types{"string"}, Enum: names, Description: actionDocs["type"]}
	act := &schema{Type: types{"object"}, Properties: keys, Required: []string{"type"}, AdditionalProperties: false}
	b.defs["action"] = act
	for _, name := range names {
		act.AllOf = append(act.AllOf, b.action(name))
	}
}

// action says what an action of that name has as options, and that an alias is old.
func (b *schemaBuilder) action(name string) *schema {
	def := b.define("option_"+name, b.option(name))
	then := &schema{Properties: map[string]*schema{"option": {Ref: refTo(def)}}}
	if len(b.defs[def].Required) > 0 {
		then.Required = []string{"option"}
	}
	if today := b.reg.Canonical(name); today != name {
		then.Properties["type"] = &schema{Deprecated: true, Description: "older name of " + today}
	}
	is := &schema{Properties: map[string]*schema{"type": {Const: name}}, Required: []string{"type"}}
	if name == "" { // Const would be left out
		is.Properties["type"] = &schema{Enum: []string{""}}
	}
	return &schema{If: is, Then: then}
}

// define makes s a part of the schema, and returns its name, which is like the one given.
func (b *schemaBuilder) define(name string, s *schema) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	free := name
	for n := 2; b.defs[free] != nil; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	b.defs[free] = s
	return free
}

func (b *schemaBuilder) option(name string) *schema {
	a := b.reg.New(name)
	s := &schema{Description: "options of " + name, Type: types{"object"}, Properties: make(map[string]*schema), AdditionalProperties: false}
	for _, o := range b.reg.Options(name) {
		required := o.Required && isUnset(o.In(a))
		p := b.field(&o, o.In(a), required)
		if holdsFlow(b.reg.New(name), &o) {
			*p = schema{Ref: refTo("flow"), Description: p.Description}
		}
		if required {
			s.Required = append(s.Required, o.Name)
		} else {
			p.nullable()
		}
		s.Properties[o.Name] = p
	}
	if len(s.Required) == 0 {
		s.nullable()
	}
	return s
}

// isUnset tells whether an option has no default that stands in for a required value.
func isUnset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return action.CanonicalID(strings.TrimSpace(v.String())) == ""
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

// holdsFlow tells whether the option o of a, a new action, is a flow: a is asked about one with it.
func holdsFlow(a action.Action, o *action.Option) bool {
	outer, ok := a.(action.Nested)
	if !ok || o.Type != reflect.TypeFor[json.RawMessage]() {
		return false
	}
	o.In(a).SetBytes([]byte(`[{"type":"stop"}]`))
	for _, key := range outer.NestedOptions() {
		if key == o.Name {
			return true
		}
	}
	return false
}

// field is the schema of an option, or of a key of a struct within one; null is not let through yet.
// v is its default, if there is one.
func (b *schemaBuilder) field(o *action.Option, v reflect.Value, required bool) *schema {
	s := b.value(o.Type, 0)
	s.Description, s.Deprecated = describe(o), o.Old
	if s.Default = defaultOf(o, v); s.Default != nil && o.Default == "" {
		s.Description = strings.TrimPrefix(fmt.Sprintf("%s; default %v", s.Description, s.Default), "; ")
	}
	inner := s // what tags say of the elements of a list
	if s.Items != nil {
		inner = s.Items
		if required {
			s.MinItems = 1
		}
	}
	if inner.Ref == "" {
		bounds(inner, o)
	}
	isText := len(inner.Type) == 1 && inner.Type[0] == "string"
	switch {
	case isText && len(o.Enum) > 0 && (required || inner != s):
		inner.oneOf(o.Enum, withVariable)
	case isText && len(o.Enum) > 0:
		inner.oneOf(o.Enum, textOrNone)
	case isText && inner == s && required:
		s.MinLength = 1
	}
	if elem, ok := s.AdditionalProperties.(*schema); ok {
		if o.Target && len(elem.Type) == 1 && elem.Type[0] == "string" {
			elem.MinLength = 1
		}
		if required {
			s.MinProperties = 1
		}
	}
	return s
}

// bounds sets the smallest and the largest number that a tag or the type allows.
func bounds(s *schema, o *action.Option) {
	if len(s.Type) == 0 || s.Type[0] != "integer" && s.Type[0] != "number" {
		return
	}
	if o.Min != nil {
		s.Minimum = o.Min
	}
	if o.Max != nil {
		s.Maximum = o.Max
	}
}

// describe is what an editor shows of an option.
func describe(o *action.Option) string {
	doc := o.Doc
	switch {
	case doc != "":
	case o.Target:
		doc = "id of an action"
	case o.Variable:
		doc = "name of a variable, without ${}"
	}
	switch o.Unit {
	case "ms":
		doc += "; milliseconds"
	case "s":
		doc += "; seconds"
	}
	if o.Default != "" {
		doc += "; default " + o.Default
	}
	if o.Old {
		doc += "; old, it means nothing"
	}
	return strings.TrimPrefix(doc, "; ")
}

// defaultOf is the default of an option as JSON has it: what its tag says, or v; nil for none.
func defaultOf(o *action.Option, v reflect.Value) any {
	kind := o.Kind()
	if o.Default != "" {
		switch kind {
		case action.String:
			return o.Default
		case action.Number, action.Bool:
			if json.Valid([]byte(o.Default)) {
				return json.RawMessage(o.Default)
			}
		}
		return nil
	}
	if !v.IsValid() || v.IsZero() {
		return nil
	}
	switch {
	case kind == action.String && v.Kind() == reflect.String, kind == action.Bool && v.Kind() == reflect.Bool,
		kind == action.Number && (v.CanInt() || v.CanUint()):
		return v.Interface()
	}
	return nil
}

// value is the schema of what a Go type takes, as action.CheckType sees it.
func (b *schemaBuilder) value(t reflect.Type, depth int) *schema {
	if depth > maxTypeDepth {
		return &schema{}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	o := action.Option{Type: t}
	switch o.Kind() {
	case action.String:
		s := &schema{Type: types{"string"}}
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array { // bytes
			s.Type = append(s.Type, "array")
		}
		if t == reflect.TypeFor[address.Type]() {
			s.Examples = []string{"tel", "sip", "extension", "agent", "conference"}
		}
		return s
	case action.Bool:
		return &schema{Type: types{"boolean", "string"}, Pattern: withVariable}
	case action.Number:
		return numberOf(t)
	case action.Array:
		return &schema{Type: types{"array"}, Items: b.value(t.Elem(), depth+1)}
	case action.Object:
		if t.Kind() == reflect.Map {
			return &schema{Type: types{"object"}, AdditionalProperties: b.value(t.Elem(), depth+1)}
		}
		return b.object(t)
	default:
		return &schema{}
	}
}

func numberOf(t reflect.Type) *schema {
	s := &schema{Type: types{"integer", "string"}, Pattern: withVariable}
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		s.Type[0] = "number"
	case reflect.Int, reflect.Int64:
	case reflect.Int8, reflect.Int16, reflect.Int32:
		limit := float64(int64(1) << (t.Bits() - 1))
		low, high := -limit, limit-1
		s.Minimum, s.Maximum = &low, &high
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		s.Minimum = new(float64)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		high := float64(uint64(1)<<t.Bits() - 1)
		s.Minimum, s.Maximum = new(float64), &high
	default: // not a type that JSON has
		return &schema{}
	}
	return s
}

// object refers to the schema of a struct, so that one may hold others like itself.
func (b *schemaBuilder) object(t reflect.Type) *schema {
	if ref := b.structs[t]; ref != nil {
		return &schema{Ref: ref.Ref}
	}
	s := &schema{Type: types{"object"}, Properties: make(map[string]*schema), AdditionalProperties: false}
	b.structs[t] = &schema{Ref: refTo(b.define("object_"+strings.ToLower(t.Name()), s))}
	for _, o := range action.FieldsOf(t) {
		s.Properties[o.Name] = b.field(&o, reflect.Value{}, false).nullable()
	}
	return &schema{Ref: b.structs[t].Ref}
}
