package action

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Option describes one option of an action, as its struct field and the tags of it say:
//
//	Duration int `json:"duration" opt:"ms,min=0,default=5000" doc:"of all digits together"`
//
// The parts of opt are: required; ms or s, the unit of a number; min=N and max=N; default=X, for
// the reader; enum=A|B|C; id, the id of an action to go to; name, the bare name of a variable;
// old, a key that VoIPBIN had once.
type Option struct {
	Name     string
	Type     reflect.Type
	Required bool
	Unit     string // "ms", "s" or ""
	Min, Max *float64
	Default  string
	Enum     []string
	Target   bool // its value, or each of its values, is the id of an action
	Variable bool // names a variable, without ${}
	Old      bool // VoIPBIN had it once
	Doc      string

	index []int
}

// OptionsOf returns the options of a, in the order of its fields; none if it is no struct.
func OptionsOf(a Action) []Option {
	t := reflect.TypeOf(a)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	return fieldOptions(t.Elem())
}

// FieldsOf describes the keys of a struct that stands within an option; none if t is no struct.
func FieldsOf(t reflect.Type) []Option {
	if t.Kind() != reflect.Struct {
		return nil
	}
	return fieldOptions(t)
}

// In returns the field of a that the option is; a is an action that OptionsOf has described.
func (o *Option) In(a Action) reflect.Value { return reflect.ValueOf(a).Elem().FieldByIndex(o.index) }

// fieldOptions returns the JSON keys of a struct, those of embedded structs among them.
func fieldOptions(t reflect.Type) []Option {
	var all []Option
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			continue
		case name == "":
			name = f.Name
		}
		o := Option{Name: name, Type: f.Type, Doc: f.Tag.Get("doc"), index: f.Index}
		o.parse(f.Tag.Get("opt"))
		all = append(all, o)
	}
	return all
}

// parse reads the tag opt; what is wrong with it is the programmer's fault.
func (o *Option) parse(tag string) {
	if tag == "" {
		return
	}
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "required":
			o.Required = true
		case "ms", "s":
			o.Unit = key
		case "min":
			o.Min = o.number(value)
		case "max":
			o.Max = o.number(value)
		case "default":
			o.Default = value
		case "enum":
			o.Enum = strings.Split(value, "|")
		case "id":
			o.Target = true
		case "name":
			o.Variable = true
		case "old":
			o.Old = true
		default:
			panic(fmt.Sprintf("action: option %q: tag opt has an unknown part %q", o.Name, part))
		}
	}
}

func (o *Option) number(s string) *float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("action: option %q: tag opt: %v", o.Name, err))
	}
	return &n
}

// Kind is the kind of JSON value that the option takes; Null stands for any.
func (o *Option) Kind() Kind { return kindOf(o.Type) }

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func kindOf(t reflect.Type) Kind {
	switch {
	case reflect.PointerTo(t).Implements(jsonUnmarshaler):
		return Null
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return String
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return String
	case reflect.Bool:
		return Bool
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return String // base64
		}
		return Array
	case reflect.Map, reflect.Struct:
		return Object
	case reflect.Interface:
		return Null
	default:
		return Number
	}
}

// check tells what is wrong with v, the value of the option at path, by its tags and those within it.
func (o *Option) check(c *CheckContext, path []any, v reflect.Value) {
	at := c.At(path...)
	within := func(p any) []any { return append(slices.Clone(path), p) }
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if o.Variable && v.Kind() == reflect.String && HasVar(v.String()) {
		at.Warnf("names a variable, without ${}: as it stands, the variable's value is taken for a name")
	}
	if at.HasVar() && o.Kind() != Object && o.Kind() != Array { // known at run time only
		if o.Target && v.Kind() == reflect.String {
			at.Target(v.String())
		}
		return
	}
	if o.Required && isEmpty(v) {
		switch {
		case len(o.Enum) > 0:
			at.OneOf("", o.Enum...)
		case o.Target && v.Kind() == reflect.String:
			at.Target("")
		default:
			at.Required(false)
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" && len(o.Enum) > 0 {
			at.OneOf(s, o.Enum...)
		}
		if o.Target && CanonicalID(v.String()) != "" {
			at.Target(v.String())
		}
	case reflect.Map:
		if o.Target {
			keys := v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
			for _, k := range keys {
				c.At(within(k.String())...).Target(v.MapIndex(k).String())
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			e, in := v.Index(i), within(i)
			if e.Kind() == reflect.String && len(o.Enum) > 0 {
				c.At(in...).OneOf(e.String(), o.Enum...)
			} else if n, ok := number(e); ok && at.given() && !c.At(in...).HasVar() {
				o.bounds(c.At(in...), n)
			}
			checkFields(c, in, e)
		}
	case reflect.Struct:
		if at.given() {
			checkFields(c, path, v)
		}
	default:
		if n, ok := number(v); ok && at.given() {
			o.bounds(at, n)
		}
	}
}

// checkFields checks the keys of v, which stands at path, if it is a struct that is an object in JSON.
func checkFields(c *CheckContext, path []any, v reflect.Value) {
	if v.Kind() != reflect.Struct || kindOf(v.Type()) != Object {
		return
	}
	for _, o := range fieldOptions(v.Type()) {
		o.check(c, append(slices.Clone(path), o.Name), v.FieldByIndex(o.index))
	}
}

func (o *Option) bounds(at Spot, n float64) {
	switch {
	case o.Min != nil && *o.Min == 0 && n < 0:
		at.Errorf("must not be negative, as %v is", n)
	case o.Min != nil && n < *o.Min:
		at.Errorf("must be at least %v, not %v", *o.Min, n)
	case o.Max != nil && n > *o.Max:
		at.Errorf("must be at most %v, not %v", *o.Max, n)
	}
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return CanonicalID(strings.TrimSpace(v.String())) == ""
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// typedLiteral makes text, in which variables have been filled in, a JSON value of kind k.
func typedLiteral(text string, k reflect.Kind) (string, error) {
	text = strings.TrimSpace(text)
	switch k {
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return "", fmt.Errorf("must be true or false, not %.40q", text)
		}
		return strconv.FormatBool(b), nil
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if b, merr := json.Marshal(f); err == nil && merr == nil { // no Inf, no NaN
			return string(b), nil
		}
		return "", fmt.Errorf("must be a number, not %.40q", text)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, err := strconv.ParseUint(text, 10, bitsOf(k))
		if err != nil {
			return "", fmt.Errorf("must be a whole number from 0 in range, not %.40q", text)
		}
		return strconv.FormatUint(n, 10), nil
	default:
		n, err := strconv.ParseInt(text, 10, bitsOf(k))
		if err != nil {
			return "", fmt.Errorf("must be a whole number, not %.40q", text)
		}
		return strconv.FormatInt(n, 10), nil
	}
}

func bitsOf(k reflect.Kind) int {
	switch k {
	case reflect.Int8, reflect.Uint8:
		return 8
	case reflect.Int16, reflect.Uint16:
		return 16
	case reflect.Int32, reflect.Uint32:
		return 32
	case reflect.Int, reflect.Uint:
		return strconv.IntSize
	default:
		return 64
	}
}
