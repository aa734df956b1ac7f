package flow

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
)

// wayStep is an action of a random flow, as the slow walk understands it.
type wayStep struct {
	kind      string // sleep, variable_set, goto, branch, condition_variable, stop, block, mute
	next      int    // -1: none
	targets   []int  // of branch; the last one may be the default
	def       bool   // the last of targets is the default
	count     int    // of goto
	onError   int    // -1: none
	onTimeout int    // -1: none
}

func randomWays(rnd *rand.Rand) []wayStep {
	n := 1 + rnd.IntN(12)
	maybe := func(odds int) int {
		if rnd.IntN(odds) > 0 {
			return -1
		}
		return rnd.IntN(n)
	}
	steps := make([]wayStep, n)
	kinds := []string{"variable_set", "variable_set", "goto", "goto", "branch", "branch", "condition_variable", "mute", "sleep", "stop", "block"}
	for i := range steps {
		s := wayStep{kind: kinds[rnd.IntN(len(kinds))], next: maybe(4), onError: maybe(8), onTimeout: maybe(8), count: rnd.IntN(3)}
		for range 1 + rnd.IntN(3) {
			s.targets = append(s.targets, rnd.IntN(n))
		}
		s.def = rnd.IntN(2) == 0
		steps[i] = s
	}
	return steps
}

// text writes the flow as JSON.
func waysText(t *testing.T, steps []wayStep) []byte {
	var actions []map[string]any
	id := func(i int) string { return fmt.Sprintf("s%d", i) }
	for i, s := range steps {
		a := map[string]any{"id": id(i), "type": s.kind}
		for key, to := range map[string]int{"next_id": s.next, "on_error": s.onError, "on_timeout": s.onTimeout} {
			if to >= 0 {
				a[key] = id(to)
			}
		}
		switch s.kind {
		case "sleep":
			a["option"] = map[string]any{"duration": 1000}
		case "variable_set":
			a["option"] = map[string]any{"key": "k"}
		case "goto":
			a["option"] = map[string]any{"target_id": id(s.targets[0]), "loop_count": s.count}
		case "condition_variable":
			a["option"] = map[string]any{"condition": "==", "variable": "${k}", "value_type": "string", "false_target_id": id(s.targets[0])}
		case "branch":
			option := map[string]any{}
			cases := map[string]string{}
			for n, to := range s.targets {
				if s.def && n == len(s.targets)-1 {
					option["default_target_id"] = id(to)
				} else {
					cases[fmt.Sprint(n)] = id(to)
				}
			}
			option["target_ids"] = cases
			a["option"] = option
		}
		actions = append(actions, a)
	}
	b, err := json.Marshal(actions)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// walk explores every state that a run can come to, a step and the rounds that each goto has left, with
// whatever may happen in a step. It knows nothing of Shape and graph.
type walk struct {
	steps  []wayStep
	states map[string]*state
	todo   []*state
}

type state struct {
	step int
	left []int // of each goto; -1: it starts afresh
	next []*state
	goal bool // the flow may end here, or time passes
	ends bool
}

func (w *walk) state(step int, left []int) *state {
	key := fmt.Sprint(step, left)
	s, ok := w.states[key]
	if !ok {
		s = &state{step: step, left: slices.Clone(left)}
		w.states[key] = s
		w.todo = append(w.todo, s)
	}
	return s
}

func (w *walk) run() {
	left := make([]int, len(w.steps))
	for i := range left {
		left[i] = -1
	}
	w.state(0, left)
	for len(w.todo) > 0 {
		s := w.todo[0]
		w.todo = w.todo[1:]
		st := &w.steps[s.step]
		to := func(step int, left []int) {
			if step == len(w.steps) {
				s.goal, s.ends = true, true
				return
			}
			s.next = append(s.next, w.state(step, left))
		}
		ahead := s.step + 1
		if st.next >= 0 {
			ahead = st.next
		}
		switch st.kind {
		case "goto":
			left := slices.Clone(s.left)
			have := left[s.step]
			if have < 0 {
				have = st.count
			}
			if have > 0 {
				left[s.step] = have - 1
				to(st.targets[0], left)
			} else {
				left[s.step] = -1
				to(ahead, left)
			}
		case "branch":
			for _, target := range st.targets {
				to(target, s.left)
			}
			if !st.def {
				s.goal, s.ends = true, true
			}
		case "condition_variable":
			to(ahead, s.left)
			to(st.targets[0], s.left)
		case "stop":
			s.goal, s.ends = true, true
		default:
			if st.kind == "sleep" || st.kind == "block" {
				s.goal = true
			}
			to(ahead, s.left)
		}
		for _, target := range []int{st.onError, st.onTimeout} {
			if target >= 0 {
				to(target, s.left)
			}
		}
	}
}

// canReach tells which states lead to one of which good is true, by trying again until nothing changes.
func (w *walk) canReach(good func(*state) bool) map[*state]bool {
	can := make(map[*state]bool)
	for changed := true; changed; {
		changed = false
		for _, s := range w.states {
			if !can[s] && (good(s) || slices.ContainsFunc(s.next, func(n *state) bool { return can[n] })) {
				can[s], changed = true, true
			}
		}
	}
	return can
}

// round tells whether s is in a loop that nothing leads out of: whatever follows it leads back to it.
func (w *walk) round(s *state) bool {
	seen := map[*state]bool{}
	todo := slices.Clone(s.next)
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[n] {
			seen[n] = true
			todo = append(todo, n.next...)
		}
	}
	if !seen[s] {
		return false
	}
	for n := range seen {
		back := map[*state]bool{}
		todo := []*state{n}
		for len(todo) > 0 && !back[s] {
			m := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !back[m] {
				back[m] = true
				todo = append(todo, m.next...)
			}
		}
		if !back[s] {
			return false
		}
	}
	return true
}

// TestGraphAgreesWithAnExhaustiveWalk: never a false "unreachable", never a missed endless loop, no loop that is none.
func TestGraphAgreesWithAnExhaustiveWalk(t *testing.T) {
	flows := 10_000
	if testing.Short() {
		flows = 1000
	}
	var unreachable, busy, endless, missed int
	for seed := range flows {
		steps := randomWays(rand.New(rand.NewPCG(uint64(seed), 4)))
		text := waysText(t, steps)
		f, err := Parse(text, ParseOptions{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		g := f.ways()
		reachable, isBusy, isEndless := g.reachable(), g.busy(), g.endless()
		w := &walk{steps: steps, states: make(map[string]*state)}
		w.run()
		goes := w.canReach(func(s *state) bool { return s.goal })
		ends := w.canReach(func(s *state) bool { return s.ends })
		visited := make([]bool, len(steps))
		for _, s := range w.states {
			visited[s.step] = true
			switch {
			case !reachable[s.step]:
				t.Fatalf("step %d is reached, and called unreachable: %s", s.step, text)
			case isBusy[s.step] && goes[s]:
				t.Fatalf("step %d is called a busy loop, and is none: %s", s.step, text)
			case isEndless[s.step] && ends[s]:
				t.Fatalf("step %d is called endless, and is not: %s", s.step, text)
			case !goes[s] && !isBusy[s.step] && w.round(s):
				t.Fatalf("step %d is in a busy loop that was missed: %s", s.step, text)
			case !ends[s] && !isEndless[s.step] && w.round(s):
				t.Fatalf("step %d is in an endless loop that was missed: %s", s.step, text)
			}
		}
		for i := range steps {
			switch {
			case !reachable[i]:
				unreachable++
			case !visited[i]:
				missed++
			case isBusy[i]:
				busy++
			case isEndless[i]:
				endless++
			}
		}
		// Each trap is told, once.
		told := map[string]int{}
		for _, finding := range Check(f, nil) {
			told[finding.Rule]++
		}
		if anyOf(both(isBusy, reachable)) != (told[RuleBusyLoop] > 0) {
			t.Fatalf("busy %v, told %v: %s", isBusy, told, text)
		}
		if anyOf(both(both(isEndless, not(isBusy)), reachable)) && told[RuleNeverEnds]+told[RuleBusyLoop] == 0 {
			t.Fatalf("endless %v, told %v: %s", isEndless, told, text)
		}
	}
	t.Logf("steps of %d flows: %d unreachable, %d in busy loops, %d without an end; %d that no run reaches were not found out",
		flows, unreachable, busy, endless, missed)
	if unreachable == 0 || busy == 0 || endless == 0 {
		t.Error("the random flows show too little")
	}
}

func anyOf(all []bool) bool { return slices.Contains(all, true) }

// TestWaysThatAreNotKnownAreOpen: where a step goes is not always in the flow. Then nothing is unreachable,
// and no loop is closed.
func TestWaysThatAreNotKnownAreOpen(t *testing.T) {
	const fetched = `{"id":"f","type":"fetch_flow","option":{"flow_id":"f"}}`
	for what, text := range map[string]string{
		"a goto to a variable": `[{"type":"variable_set","option":{"key":"x","value":"a"}},
			{"type":"goto","option":{"target_id":"${x}","loop_count":1}},{"type":"stop"},{"id":"a","type":"beep"}]`,
		"a branch to a variable": `[{"type":"variable_set","option":{"key":"x","value":"a"}},
			{"type":"branch","option":{"target_ids":{"1":"${x}"},"default_target_id":"e"}},{"id":"e","type":"stop"},{"id":"a","type":"beep"}]`,
		"a default that is a variable": `[{"type":"variable_set","option":{"key":"x","value":"a"}},
			{"id":"b","type":"branch","option":{"target_ids":{"1":"b"},"default_target_id":"${x}"}},{"id":"a","type":"beep"}]`,
		"a fetched flow goes to an action of this one": `[` + fetched + `,{"type":"stop"},{"id":"a","type":"beep"}]`,
		"a fetched flow stops":                         `[` + fetched + `,{"type":"beep","next_id":"f"}]`,
		"a connect that relays is skipped": `[{"type":"connect","option":{"destinations":[{"type":"agent","target":"a"}],"relay_reason":true}},
			{"type":"beep"}]`,
		"a loop out of which a missing target leads": `[{"id":"m","type":"beep"},
			{"type":"branch","option":{"target_ids":{"1":"nowhere"},"default_target_id":"m"}}]`,
		"a next_id that is misspelled": `[{"type":"beep","next_id":"ende"},{"type":"stop"},{"id":"end","type":"beep"}]`,
	} {
		f, err := Parse([]byte(text), ParseOptions{Lenient: true})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, finding := range Check(f, action.AllAbilities()) {
			// An action without an id is reached from before it only.
			if finding.Rule != RuleNoTarget && finding.Type != "stop" {
				t.Errorf("%s: %s", what, finding)
			}
		}
	}
}

// TestCheckTakesNoLongForAnyFlow: flows come from outside, and one must not keep the engine busy.
func TestCheckTakesNoLongForAnyFlow(t *testing.T) {
	const n = MaxActions
	for what, action := range map[string]func(i int) string{
		"targets that are variables": func(i int) string {
			return fmt.Sprintf(`{"id":"s%d","type":"goto","option":{"target_id":"${x}","loop_count":1}}`, i)
		},
		"fetched flows": func(i int) string {
			return fmt.Sprintf(`{"id":"s%d","type":"fetch_flow","option":{"flow_id":"f"}}`, i)
		},
		"targets to nowhere": func(i int) string {
			return fmt.Sprintf(`{"id":"step%d","type":"stop","next_id":"nostep%d"}`, i, i)
		},
		"unset variables": func(i int) string {
			return fmt.Sprintf(`{"type":"variable_set","option":{"key":"a%d","value":"${b%d}"}}`, i, i)
		},
		"a long way back": func(i int) string {
			return fmt.Sprintf(`{"id":"s%d","type":"beep","next_id":"s%d"}`, i, (i+n-1)%n)
		},
		"prompts": func(i int) string { return `{"type":"talk","option":{"text":"press 1"}}` },
		"one id":  func(i int) string { return `{"id":"s","type":"beep"}` },
	} {
		t.Run(what, func(t *testing.T) {
			actions := make([]string, n)
			for i := range actions {
				actions[i] = action(i)
			}
			start := time.Now()
			f, err := Parse([]byte("["+strings.Join(actions, ",")+"]"), ParseOptions{Lenient: true})
			if err != nil {
				t.Fatal(err)
			}
			found := len(Check(f, nil))
			took := time.Since(start)
			t.Logf("%d findings in %v", found, took)
			if took > 20*time.Second { // on a slow machine with the race detector; what is quadratic takes minutes
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestCheckOfLongFlows: 5,000 actions with ways across are checked in no time to speak of.
func TestCheckOfLongFlows(t *testing.T) {
	f, err := Parse([]byte(longFlow(MaxActions/2)), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(Check(f, nil)); n == 0 {
		t.Error("nothing found")
	}
}

// longFlow is a menu of n actions, each of which sets a variable and may go far away.
func longFlow(n int) string {
	var b strings.Builder
	b.WriteString(`[{"id":"s0","type":"variable_set","option":{"key":"a","value":"1"}}`)
	for i := 1; i < n; i++ {
		if i%2 == 0 {
			fmt.Fprintf(&b, `,{"id":"s%d","type":"variable_set","option":{"key":"v%d","value":"${v%d}"}}`, i, i%100, (i+1)%100)
		} else {
			fmt.Fprintf(&b, `,{"id":"s%d","type":"condition_variable","option":{"condition":"==","variable":"${a}","value_type":"string","false_target_id":"s%d"}}`, i, (i*7919)%n)
		}
	}
	return b.String() + "]"
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10, 100, 1000, MaxActions / 2} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, err := Parse([]byte(longFlow(n)), ParseOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				Check(f, nil)
			}
		})
	}
}
