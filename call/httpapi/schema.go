package httpapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"unicode"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/store"
)

// schema is what we need of JSON Schema. Types are one word each, and null is none of them, since generators of clients do not know lists
// of types; that package flow's schemas are made for editors, and are of no use here.
type schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Type                 string             `json:"type,omitempty"`
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Deprecated           bool               `json:"deprecated,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Minimum              *float64           `json:"minimum,omitempty"`
	Maximum              *float64           `json:"maximum,omitempty"`
	MinLength            int                `json:"minLength,omitempty"`
	MinItems             int                `json:"minItems,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties *schema            `json:"additionalProperties,omitempty"`
}

const refPrefix = "#/components/schemas/"

// schemas makes the schemas of Go types, each once.
type schemas struct {
	defs  map[string]*schema
	types map[string]reflect.Type // by the names of defs
}

// described is a type that has a schema other than that of its fields.
type described interface{ schema(b *schemas) *schema }

// of is the schema of what a Go type is in JSON.
func (b *schemas) of(t reflect.Type) (*schema, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Implements(reflect.TypeFor[described]()):
		return reflect.Zero(t).Interface().(described).schema(b), nil
	case t == reflect.TypeFor[store.Time]():
		return &schema{Type: "string", Format: "date-time"}, nil
	case t == reflect.TypeFor[rating.Amount]():
		return &schema{Type: "number", Description: "in units of the currency, decimal"}, nil
	case t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface:
		return &schema{}, nil // anything
	case t == reflect.TypeFor[address.Type]():
		return &schema{Type: "string", Description: "tel, sip, extension or agent can be dialled"}, nil
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &schema{Type: "string"}, nil
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return nil, fmt.Errorf("httpapi: what %s is in JSON only it knows: give it a method schema", t)
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}, nil
	case reflect.Bool:
		return &schema{Type: "boolean"}, nil
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		return &schema{Type: "integer", Format: "int64"}, nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &schema{Type: "integer"}, nil
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number", Format: "double"}, nil
	case reflect.Slice, reflect.Array:
		items, err := b.of(t.Elem())
		return &schema{Type: "array", Items: items}, err
	case reflect.Map:
		values, err := b.of(t.Elem())
		return &schema{Type: "object", AdditionalProperties: values}, err
	case reflect.Struct:
		return b.object(t)
	}
	return nil, fmt.Errorf("httpapi: %s is nothing in JSON", t)
}

// object refers to the schema of a struct.
func (b *schemas) object(t reflect.Type) (*schema, error) {
	name := nameOf(t)
	ref := &schema{Ref: refPrefix + name}
	if was := b.types[name]; was == t {
		return ref, nil
	} else if was != nil {
		return nil, fmt.Errorf("httpapi: %s and %s would both be called %s in the document", was, t, name)
	}
	s := &schema{Type: "object", Properties: map[string]*schema{}}
	b.defs[name], b.types[name] = s, t // before its fields: they may be of the type
	for _, f := range fieldsOf(t) {
		p, err := b.field(&f)
		if err != nil {
			return nil, fmt.Errorf("%w (%s.%s)", err, t, f.Name)
		}
		s.Properties[f.Name] = p
		if f.required || f.Required {
			s.Required = append(s.Required, f.Name)
		}
	}
	return ref, nil
}

// field is the schema of a key.
func (b *schemas) field(f *field) (*schema, error) {
	s, err := b.of(f.Type)
	if err != nil {
		return nil, err
	}
	if s.Ref != "" { // in OpenAPI 3.1 others may stand beside it, but not each generator knows
		return s, nil
	}
	if f.Doc != "" {
		s.Description = f.Doc
	}
	s.Deprecated, s.Enum = f.Old, f.Enum
	if f.Enum != nil && !f.Required {
		s.Enum = append([]string{""}, f.Enum...)
	}
	switch s.Type {
	case "integer", "number":
		s.Minimum, s.Maximum = f.Min, f.Max
	case "string":
		if f.Required {
			s.MinLength = 1
		}
	case "array":
		if f.Required {
			s.MinItems = 1
		}
	}
	return s, nil
}

// nameOf is what the document calls a struct: a type of this package by its name alone, one of another package with that before it, and a page of
// a list by what it lists.
func nameOf(t reflect.Type) string {
	if base, _, ok := strings.Cut(t.Name(), "["); ok && base == "list" {
		f, _ := t.FieldByName("Result")
		return nameOf(f.Type.Elem()) + "List"
	}
	if t.PkgPath() == reflect.TypeFor[api]().PkgPath() {
		r := []rune(t.Name())
		r[0] = unicode.ToUpper(r[0])
		return string(r)
	}
	return path.Base(t.PkgPath()) + "." + t.Name()
}
