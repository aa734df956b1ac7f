package flowtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// study is what a flow listens to: that is what callers are made up of.
type study struct {
	actions []flow.Action
	keys    []string        // that mean something to it, one or several digits
	lengths []int           // of what it collects
	times   []time.Duration // in which something of it ends
	targets []string        // who is called
	bodies  []string        // of web servers
	objects []string        // those that it looks into
	members []string        // of those
	words   []string        // that the caller may say, and variables may hold
	own     []string        // those that it looks for
	vars    []string        // names
	callers []string        // numbers that it may know
	clock   []string        // times of the day that it may look at
	given   Script          // what it takes to be there: conferences, flows, mailboxes
	types   map[string]bool // of its actions
}

// study reads the flow. Of a program in plain Go nothing is known.
func (f *Flow) study(t testing.TB) *study {
	t.Helper()
	s := &study{types: make(map[string]bool)}
	p, err := f.program(f.registry(emptyWorld()))
	if err != nil {
		t.Fatalf("flowtest: %v", err)
	}
	if parsed, ok := p.(*flow.Flow); ok {
		s.actions = parsed.Actions()
	}
	for i := range s.actions {
		a := &s.actions[i]
		s.types[a.Type] = true
		s.times = append(s.times, a.Times...)
		if d := soundLength(a); d > 0 {
			s.times = append(s.times, d)
		}
		for _, text := range a.Shape.Says {
			s.keys = append(s.keys, spokenKeys(text)...)
		}
		if slices.Contains(a.Shape.Reads, action.VarDigits) {
			s.keys = append(s.keys, a.Shape.Cases...)
		}
		if root, _ := action.ParseJSON(a.Option); root != nil {
			s.read(a.Type, "", root)
		}
	}
	s.given = slices.DeleteFunc(s.given, func(l Line) bool { return slices.ContainsFunc(f.around, l.isAbout) })
	for _, k := range unique(s.members) {
		for _, v := range append([]string{"true", "1"}, s.words...) {
			s.objects = append(s.objects, `{"`+k+`":`+strconv.Quote(v)+`}`)
		}
	}
	s.bodies = []string{"", "[]", `[{"type":"stop"}]`, "oops"}
	for _, w := range s.words {
		if strings.HasPrefix(w, "+") || someDigit.MatchString(w) {
			s.callers = append(s.callers, w)
		}
	}
	s.callers = append(s.callers, "+16062067563", "100", "sip:bob@example.com")
	s.clock = append(s.clock, "03:00", "08:00", "12:00", "18:00", "23:00")
	s.own = unique(s.words)
	s.words = append(s.words, "hello", "yes", "42", "-1")
	s.vars = slices.DeleteFunc(s.vars, func(name string) bool {
		first, _, _ := strings.Cut(name, ".")
		return first == "voipbin" || first == "last" || slices.ContainsFunc(s.actions, func(a flow.Action) bool { return a.ID == first })
	})
	s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return strings.Trim(k, "0123456789*#ABCD") != "" || k == "" })
	for _, all := range []*[]string{&s.keys, &s.targets, &s.objects, &s.words, &s.vars, &s.callers} {
		*all = unique(*all)
	}
	return s
}

// given are the lines for what has to be there, in s.
func (s Script) given() (n int) {
	for _, l := range s {
		if slices.Contains([]string{"conference", "flow", "queue", "mailbox"}, l.Verb) {
			n++
		}
	}
	return n
}

// isAbout tells whether l says something of the same thing as other.
func (l Line) isAbout(other Line) bool {
	name, _, _ := strings.Cut(l.Args, " ")
	known, _, _ := strings.Cut(other.Args, " ")
	return l.Verb == other.Verb && name == known
}

// unique keeps the first of each.
func unique(all []string) []string {
	seen := make(map[string]bool)
	return slices.DeleteFunc(all, func(s string) bool {
		had := seen[s]
		seen[s] = true
		return had
	})
}

// spokenKeys are those that a text tells the caller to press.
func spokenKeys(text string) (keys []string) {
	for _, word := range spoken.FindAllString(strings.ToLower(text), -1) {
		if i := slices.Index(numerals, word); i >= 0 {
			word = numerals[i-i%2]
		}
		keys = append(keys, word)
	}
	return keys
}

// numerals are keys, each with the word for it.
var numerals = strings.Fields("0 zero 1 one 2 two 3 three 4 four 5 five 6 six 7 seven 8 eight 9 nine * star # hash # pound")

// soundLength is how long a prompt of the action sounds, by the voice and the files of a World.
func soundLength(a *flow.Action) time.Duration {
	var d time.Duration
	for _, text := range a.Shape.Says {
		d += time.Duration(len(text)) * perLetter
	}
	switch a.Type {
	case "play":
		root, _ := action.ParseJSON(a.Option)
		if urls := root.Member("stream_urls"); urls != nil {
			d += time.Duration(len(urls.Elems)) * promptLength
		}
	case "beep":
		d += beepLength
	}
	return d
}

var (
	varName   = regexp.MustCompile(`\$\{([A-Za-z_][\w.]*)`)
	jsonKey   = regexp.MustCompile(`\.json\.([\w]+)`)
	quoted    = regexp.MustCompile(`['"]([^'"]*)['"]`)
	spoken    = regexp.MustCompile(`\b(\d|zero|one|two|three|four|five|six|seven|eight|nine|star|hash|pound)\b`)
	repeats   = regexp.MustCompile(`\{(\d+)`)
	number    = regexp.MustCompile(`\b(\d+)\b`)
	name      = regexp.MustCompile(`\b([A-Za-z_][\w.]*)`)
	someDigit = regexp.MustCompile(`^[0-9*#]{1,12}$`)
)

// read takes what is of use from an option, or a part of one.
func (s *study) read(typ, key string, n *action.Node) {
	for _, m := range n.Members {
		s.read(typ, m.Key, m.Value)
	}
	for _, e := range n.Elems {
		s.read(typ, key, e)
	}
	if n.Kind == action.Number {
		s.readNumber(key, n.Text)
	}
	if n.Kind != action.String || n.Text == "" {
		return
	}
	text := n.Text
	if strings.Contains(text, "voipbin.call.direction") {
		s.give("", "var", "voipbin.call.direction=incoming")
	}
	for _, m := range varName.FindAllStringSubmatch(text, -1) {
		s.addVar(m[1])
	}
	switch key {
	case "target":
		if !action.HasVar(text) && !strings.ContainsAny(text, " *") {
			s.targets = append(s.targets, text)
		}
	case "key":
		if typ != "variable_set" {
			s.keys = append(s.keys, strings.Split(text, "")...)
		}
	case "pattern":
		for _, m := range repeats.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(m[1])
			s.lengths = append(s.lengths, n)
		}
	case "expression":
		s.words = slices.Concat(s.words, submatches(quoted, text), submatches(number, text))
		s.keys = slices.Concat(s.keys, submatches(quoted, text), submatches(number, text))
		for _, v := range submatches(name, quoted.ReplaceAllString(text, "")) {
			s.addVar(v)
		}
	case "from", "to":
		s.clock = append(s.clock, text)
	case "conference_id":
		s.give(text, "conference", text)
	case "mailbox_id":
		s.give(text, "mailbox", text)
	case "flow_id":
		s.give(text, "flow", text, `[{"type":"empty"}]`)
	case "queue_id":
		s.give(text, "queue", text, "answers 20s")
	case "variable":
		s.addVar(text)
	case "value_string":
		s.words = append(s.words, text)
	}
	if someDigit.MatchString(text) && key != "target" {
		s.keys = append(s.keys, text)
	}
	s.members = append(s.members, submatches(jsonKey, text)...)
}

// readNumber takes what is of use from a number in an option.
func (s *study) readNumber(key, text string) {
	n, _ := strconv.Atoi(text)
	switch key {
	case "length", "value_length":
		s.lengths = append(s.lengths, n)
	case "value_number":
		s.words = append(s.words, strconv.Itoa(n-1), text, strconv.Itoa(n+1))
	case "hour":
		if n >= 0 {
			s.clock = append(s.clock, fmt.Sprintf("%02d:00", n%24))
		}
	}
}

// give adds what has to be there: a flow that names what is not there has another fault than those looked for.
func (s *study) give(id, verb string, args ...string) {
	if l := Around(verb, args...); !action.HasVar(id) && !slices.ContainsFunc(s.given, l.isAbout) {
		s.given = append(s.given, l)
	}
}

func (s *study) addVar(name string) {
	if !strings.Contains(name, "${") {
		s.vars = append(s.vars, name)
	}
}

func submatches(re *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
