package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/callbin/callbin/action"
)

// maxDetails is how many faults of one body are told.
const maxDetails = 100

// field is one key of a struct: an option, and whether it has to be there.
type field struct {
	action.Option
	index    []int
	required bool // the key has to be there: its json tag has neither omitempty nor omitzero
}

// fieldsOf are the keys of a struct, with those of embedded ones.
func fieldsOf(t reflect.Type) []field {
	options := action.FieldsOf(t)
	all := make([]field, 0, len(options))
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			continue
		}
		all = append(all, field{options[len(all)], f.Index, !strings.Contains(rest, "omitempty") && !strings.Contains(rest, "omitzero")})
	}
	return all
}

// bounds tells what is wrong with a number; "": nothing.
func (f *field) bounds(n float64) string {
	switch {
	case f.Min != nil && f.Max != nil && (n < *f.Min || n > *f.Max):
		return fmt.Sprintf("not a number from %v to %v", *f.Min, *f.Max)
	case f.Min != nil && n < *f.Min:
		return fmt.Sprintf("must be at least %v", *f.Min)
	case f.Max != nil && n > *f.Max:
		return fmt.Sprintf("must be at most %v", *f.Max)
	}
	return ""
}

// decode reads a body into what v points at: unknown keys, keys that stand twice, values of another type and what the tags of v refuse
// are faults, all of which are told with their places. An empty body is an empty object.
func decode(text []byte, v any) (*action.Node, []Detail) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	if at := invalidUTF8(text); at >= 0 {
		return nil, details(text, nil, action.Problems{{Offset: at, Message: "not valid JSON: this is not UTF-8"}})
	}
	tree, problems := action.ParseJSON(text)
	if tree == nil {
		return nil, details(text, nil, problems)
	}
	if tree.Kind != action.Object {
		return nil, details(text, tree, action.Problems{{Offset: tree.Start, Message: "the body must be an object, not " + tree.Kind.String()}})
	}
	problems = append(problems, action.CheckType(text, tree, reflect.ValueOf(v).Elem().Interface(), "key")...)
	c := bodyCheck{}
	c.value(tree, reflect.TypeOf(v).Elem(), "")
	list := append(details(text, tree, problems), c.details(text)...)
	if len(list) > 0 {
		return nil, list
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), v); err != nil {
		at := 0
		var typ *json.UnmarshalTypeError // a variable in place of a number passes CheckType
		if errors.As(err, &typ) {
			at = max(0, int(typ.Offset)-1)
		}
		return nil, details(text, tree, action.Problems{{Offset: at, Message: "not what is wanted here: " + strings.TrimPrefix(err.Error(), "json: ")}})
	}
	return tree, nil
}

// invalidUTF8 is the offset of the first byte that is no UTF-8; -1: there is none.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// details gives problems of a text their places.
func details(text []byte, tree *action.Node, problems action.Problems) []Detail {
	var list []Detail
	for _, p := range problems {
		d := Detail{Field: tree.Pointer(p.Offset), Message: p.Message}
		d.Line, d.Column = action.Position(text, p.Offset)
		if list = append(list, d); len(list) == maxDetails {
			break
		}
	}
	return list
}

// find is the value that a JSON pointer names, or as near to it as there is one.
func find(n *action.Node, pointer string) *action.Node {
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		var next *action.Node
		if n == nil {
			return nil
		} else if i, err := strconv.Atoi(part); n.Kind == action.Array && err == nil && i >= 0 && i < len(n.Elems) {
			next = n.Elems[i]
		} else if n.Kind == action.Object {
			next = n.Member(unescape.Replace(part))
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)

// bodyCheck looks for what the tags of the fields refuse.
type bodyCheck struct {
	found []fault
}

type fault struct {
	offset         int
	field, message string
}

func (c *bodyCheck) add(n *action.Node, field, format string, args ...any) {
	if len(c.found) < maxDetails {
		c.found = append(c.found, fault{n.Start, field, fmt.Sprintf(format, args...)})
	}
}

func (c *bodyCheck) details(text []byte) []Detail {
	list := make([]Detail, 0, len(c.found))
	for _, f := range c.found {
		line, column := action.Position(text, f.offset)
		list = append(list, Detail{f.field, line, column, f.message})
	}
	return list
}

// value checks n, which stands at the pointer at, and what is within it.
func (c *bodyCheck) value(n *action.Node, t reflect.Type, at string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
	case t.Kind() == reflect.Struct && n.Kind == action.Object:
		for _, f := range fieldsOf(t) {
			c.field(n, &f, at+"/"+escape.Replace(f.Name))
		}
	case t.Kind() == reflect.Slice && n.Kind == action.Array:
		for i, e := range n.Elems {
			c.value(e, t.Elem(), fmt.Sprintf("%s/%d", at, i))
		}
	case t.Kind() == reflect.Map && n.Kind == action.Object:
		for _, m := range n.Members {
			c.value(m.Value, t.Elem(), at+"/"+escape.Replace(m.Key))
		}
	}
}

func (c *bodyCheck) field(outer *action.Node, f *field, at string) {
	n := outer.Member(f.Name)
	if n == nil || n.Kind == action.Null {
		if f.required || f.Required {
			c.add(outer, at, "key %q is required", f.Name)
		}
		return
	}
	switch {
	case f.Required && (n.Kind == action.String && strings.TrimSpace(n.Text) == "" || n.Kind == action.Array && len(n.Elems) == 0 || n.Kind == action.Object && len(n.Members) == 0):
		c.add(n, at, "key %q must not be empty", f.Name)
	case len(f.Enum) > 0 && n.Kind == action.String && n.Text != "" && !slices.Contains(f.Enum, n.Text):
		c.add(n, at, "key %q is none of %s", f.Name, strings.Join(f.Enum, ", "))
	case n.Kind == action.Number:
		if x, err := strconv.ParseFloat(n.Text, 64); err == nil {
			if wrong := f.bounds(x); wrong != "" {
				c.add(n, at, "key %q: %s", f.Name, wrong)
			}
		}
	default:
		c.value(n, f.Type, at)
	}
}
