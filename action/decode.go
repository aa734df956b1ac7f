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

// typeCheck compares a JSON value with a Go type before it is decoded: encoding/json
// stops at the first fault, takes keys in any case, and drops unknown ones.
type typeCheck struct {
	data     []byte
	what     string // "option" or "key": what a member of the outermost object is called
	problems Problems
	typed    map[int]reflect.Kind // places of strings that hold variables and have to become numbers or bools
}

// CheckType returns everything in n, a node of data, that does not fit the type of v
// exactly: unknown keys, wrong types, numbers out of range. null stands for a key that
// is left out. what is the word for a key, like "option".
func CheckType(data []byte, n *Node, v any, what string) Problems {
	c := typeCheck{data: data, what: what}
	c.value(n, reflect.TypeOf(v), "")
	return c.problems
}

func (c *typeCheck) add(rule string, offset int, path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Rule: rule, Offset: offset, Path: path, Message: fmt.Sprintf(format, args...)})
}

// name is how a fault calls the value at path.
func (c *typeCheck) name(path string) string {
	if path == "" {
		return "the value"
	}
	return fmt.Sprintf("%s %q", c.what, path)
}

func (c *typeCheck) mismatch(n *Node, path, want string) {
	hint := ""
	if n.Kind == String && HasVar(n.Text) {
		hint = "; a variable is a string, a number, or true or false"
	}
	c.add(RuleWrongType, n.Start, path, "%s must be %s, not %s%s", c.name(path), want, n.Kind, hint)
}

func (c *typeCheck) value(n *Node, t reflect.Type, path string) {
	if reflect.PointerTo(t).Implements(jsonUnmarshaler) {
		if n.hasVar() {
			return // its form is known at run time only
		}
		v := reflect.New(t).Interface().(json.Unmarshaler)
		if err := v.UnmarshalJSON(c.data[n.Start:n.End]); err != nil {
			c.add(RuleBadValue, n.Start, path, "%s: %v", c.name(path), err)
		}
		return
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		if n.Kind != String {
			c.mismatch(n, path, "a string")
		} else if !HasVar(n.Text) {
			v := reflect.New(t).Interface().(encoding.TextUnmarshaler)
			if err := v.UnmarshalText([]byte(n.Text)); err != nil {
				c.add(RuleBadValue, n.Start, path, "%s: %v", c.name(path), err)
			}
		}
		return
	}
	if k := kindOf(t); n.Kind == String && HasVar(n.Text) && (k == Number || k == Bool) {
		if c.typed == nil {
			c.typed = make(map[int]reflect.Kind)
		}
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		c.typed[n.Start] = t.Kind()
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.value(n, t.Elem(), path)
	case reflect.String:
		if n.Kind != String {
			c.mismatch(n, path, "a string")
		}
	case reflect.Bool:
		if n.Kind != Bool {
			c.mismatch(n, path, "true or false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n.Kind != Number {
			c.mismatch(n, path, "a whole number")
		} else if _, err := strconv.ParseInt(n.Text, 10, t.Bits()); err != nil {
			c.add(RuleBadValue, n.Start, path, "%s must be a whole number in range, not %.40s", c.name(path), n.Text)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n.Kind != Number {
			c.mismatch(n, path, "a whole number")
		} else if _, err := strconv.ParseUint(n.Text, 10, t.Bits()); err != nil {
			c.add(RuleBadValue, n.Start, path, "%s must be a whole number from 0 in range, not %.40s", c.name(path), n.Text)
		}
	case reflect.Float32, reflect.Float64:
		if n.Kind != Number {
			c.mismatch(n, path, "a number")
		} else if _, err := strconv.ParseFloat(n.Text, t.Bits()); err != nil {
			c.add(RuleBadValue, n.Start, path, "%s: %.40s is out of range", c.name(path), n.Text)
		}
	case reflect.Slice, reflect.Array:
		c.list(n, t, path)
	case reflect.Map:
		if n.Kind != Object {
			c.mismatch(n, path, "an object")
			return
		}
		for _, m := range n.Members {
			c.value(m.Value, t.Elem(), join(path, m.Key))
		}
	case reflect.Struct:
		c.object(n, t, path)
	}
}

func (c *typeCheck) list(n *Node, t reflect.Type, path string) {
	if t.Elem().Kind() == reflect.Uint8 && n.Kind == String {
		return // []byte is base64
	}
	if n.Kind != Array {
		c.mismatch(n, path, "a list")
		return
	}
	for i, e := range n.Elems {
		c.value(e, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (c *typeCheck) object(n *Node, t reflect.Type, path string) {
	if n.Kind != Object {
		c.mismatch(n, path, "an object")
		return
	}
	fields := make(map[string]reflect.Type)
	for _, o := range fieldOptions(t) {
		fields[o.Name] = o.Type
	}
	for _, m := range n.Members {
		ft, ok := fields[m.Key]
		switch {
		case !ok:
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			c.add(RuleUnknownKey, m.Start, join(path, m.Key), "%s is unknown%s", c.name(join(path, m.Key)), Suggest(m.Key, names, "there are"))
		case m.Value.Kind == Null: // as if it were not there
		default:
			c.value(m.Value, ft, join(path, m.Key))
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Suggest ends a message about an unknown word: `, did you mean "length"?` when a
// known one is near, else the list of the known ones after the words list, when they
// are few.
func Suggest(word string, known []string, list string) string {
	known = slices.Sorted(slices.Values(known))
	best, bestDistance := "", 3
	lower := strings.ToLower(word)
	for _, k := range known {
		d := distance(lower, strings.ToLower(k))
		if d >= len(k) {
			continue
		}
		if d < bestDistance || (d == bestDistance && strings.HasPrefix(k, word)) {
			best, bestDistance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf(", did you mean %q?", best)
	case len(known) == 0:
		return ", there are none"
	case len(known) <= 16:
		return ", " + list + " " + strings.Join(known, ", ")
	default:
		return ""
	}
}

// distance is the number of letters to insert, drop, replace or swap with their
// neighbour to get from a to b; it gives up beyond words that could be meant.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 || max(len(a)-len(b), len(b)-len(a)) > 3 {
		return 64
	}
	var older []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, prev = prev, row
	}
	return prev[len(b)]
}
