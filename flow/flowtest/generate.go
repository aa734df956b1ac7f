package flowtest

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// generator makes up one script: it walks through the flow as a caller might, with a rough idea of the time that each
// step takes, and notes what the caller has to do for that.
type generator struct {
	*study
	*rand.Rand
	world   Script
	moves   Script
	idle    time.Duration // that the caller has been still for
	pressed string        // since the flow looked at digits
	peers   map[string]Peer
	stays   bool   // until the call is over: a flow that does not end can only be seen so
	only    string // the only key that is pressed; "": any
}

// The first scripts are of callers that each flow should stand: one who does nothing, ones who hang up early, and for
// each key one who presses it wherever digits are asked for.
const (
	oneKeys  = 3 // the first of these
	someKeys = "1234567890*#"
)

// script makes up the nth script.
func (s *study) script(seed uint64, n int) Script {
	g := &generator{study: s, Rand: rand.New(rand.NewPCG(seed, uint64(n))), peers: make(map[string]Peer)}
	g.world = append(g.world, s.given...)
	switch n {
	case 0:
		return g.world
	case 1:
		return append(g.world, Hangup())
	case 2:
		return append(g.world, Wait(time.Second), Hangup())
	}
	if n -= oneKeys; n < len(someKeys) {
		g.stays, g.only = true, someKeys[n:n+1]
		g.walk(20)
		return append(g.world, g.moves...)
	}
	g.stays = g.chance(50)
	g.around()
	g.walk(3 + g.IntN(40))
	if !g.stays && g.chance(70) {
		g.hangup()
	}
	return append(g.world, g.moves...)
}

// hangup hangs up at any moment: it cuts the script anywhere.
func (g *generator) hangup() {
	g.moves = g.moves[:g.IntN(len(g.moves)+1)]
	g.idle = g.short()
	if g.chance(50) {
		g.idle = g.between(0, 3*time.Second)
	}
	g.move(Hangup())
}

// chance is true in so many of 100 cases.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, all []T) (one T) {
	if len(all) > 0 {
		one = all[g.IntN(len(all))]
	}
	return one
}

// between is a time from a to b, in hundredths of a second.
func (g *generator) between(a, b time.Duration) time.Duration {
	return (a + time.Duration(g.Int64N(int64(b-a)+1))).Round(10 * time.Millisecond)
}

// short is a while, or just before or after something of the flow ends.
func (g *generator) short() time.Duration {
	if len(g.times) > 0 && g.chance(40) {
		d := pick(g, g.times) + pick(g, []time.Duration{-time.Second, -10 * time.Millisecond, 0, 10 * time.Millisecond, time.Second})
		return max(d, 0)
	}
	return g.between(0, pick(g, []time.Duration{300 * time.Millisecond, 3 * time.Second, 20 * time.Second}))
}

// around makes up the world around the call.
func (g *generator) around() {
	targets := g.targets
	if len(targets) == 0 || g.chance(30) {
		targets = append([]string{"*"}, targets...)
	}
	for _, target := range targets {
		if g.chance(85) {
			g.peer(target)
		}
	}
	if g.types["webhook_send"] || g.types["fetch"] {
		if g.chance(50) {
			g.add("http", "* "+g.answer())
		} else {
			for range 1 + g.IntN(3) {
				g.add("http", g.answer())
			}
		}
	}
	if len(g.vars) > 0 && g.chance(40) {
		g.add("var", pick(g, g.vars)+"="+g.word())
	}
	if g.chance(20) {
		g.add("caller", pick(g, g.callers))
	}
	if g.types["condition_datetime"] {
		day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, g.IntN(366))
		g.add("date", day.Format(time.DateOnly)+" "+pick(g, g.clock))
	}
	if g.chance(8) {
		g.add("leg", pick(g, []string{"play", "speaker", "prompts", "connect", "digits", "bridge", "echo"})+" "+pick(g, []string{"fails", "takes 2s"}))
	}
	for i, l := range g.world {
		if l.Verb == "queue" {
			id, _, _ := strings.Cut(l.Args, " ")
			g.world[i].Args = id + pick(g, []string{" answers ", " answers ", " leaves "}) + g.between(time.Second, 2*time.Minute).String()
		}
	}
	if g.types["amd"] {
		g.add("machine", g.between(0, 5*time.Second).String()+" "+pick(g, []string{"human", "machine", "notsure", "error"}))
	}
	if g.types["ai_talk"] || g.types["ai_task"] || g.types["ai_summary"] {
		for range 1 + g.IntN(4) {
			g.add("assistant", pick(g, []string{"1s Hello.", "500ms Well|, well.", "1s Bye. END", "1s Bye. END", "error", "hang"}))
		}
	}
	if g.types["message_send"] || g.types["email_send"] || g.types["case_create"] {
		g.add("send", pick(g, []string{"0s", "1s", "error", "hang"}))
	}
	if g.types["transcribe_recording"] || g.types["email_send"] {
		g.add("recording", "rec-1 "+pick(g, []string{"some words", "error", "hang"}))
	}
}

func (g *generator) add(verb, args string) { g.world = append(g.world, Around(verb, args)) }

// peer makes up what somebody does who is called.
func (g *generator) peer(target string) {
	after := g.between(500*time.Millisecond, 12*time.Second)
	p := Peer{After: after}
	text := "answers " + after.String()
	switch g.IntN(10) {
	case 0:
		p.Reason, text = "busy", "busy "+after.String()+" 486"
	case 1:
		p.Reason, text = "failed", "failed "+after.String()+" 503"
	case 2:
		p.Reason, text = "busy", "busy "+after.String()+" 603"
	case 3:
		p, text = Peer{}, "silent"
	case 4, 5:
		p, text = Peer{Unknown: true}, "unknown"
	}
	g.peers[target] = p
	g.add("peer", target+" "+text)
}

// word is mostly one that the flow looks for.
func (g *generator) word() string {
	if g.chance(60) && len(g.own) > 0 {
		return pick(g, g.own)
	}
	return pick(g, g.words)
}

// answer makes up what a web server does.
func (g *generator) answer() string {
	switch g.IntN(10) {
	case 0:
		return "500"
	case 1:
		return "404 " + g.body()
	case 2:
		return "error"
	case 3:
		return "hang"
	case 4:
		return g.between(time.Second, 15*time.Second).String() + " 200 " + g.body()
	}
	return strings.TrimSpace("200 " + g.body())
}

// body is mostly one that the flow looks into.
func (g *generator) body() string {
	if g.chance(60) && len(g.objects) > 0 {
		return pick(g, g.objects)
	}
	return pick(g, g.bodies)
}

// still lets time pass.
func (g *generator) still(d time.Duration) { g.idle += d }

// move does something, after the time in which nothing was done.
func (g *generator) move(l Line) {
	if g.idle > 0 {
		g.moves = append(g.moves, Wait(g.idle))
		g.idle = 0
	}
	g.moves = append(g.moves, l)
}

func (g *generator) press(keys string) {
	if keys != "" {
		g.move(Press(keys))
		g.pressed = keys
	}
}

// walk goes through the flow, most steps of it, and wherever it may go on in several ways it takes any.
func (g *generator) walk(most int) {
	if len(g.actions) == 0 {
		for range g.IntN(6) {
			g.still(g.short())
			g.any()
		}
		return
	}
	for at, n := 0, 0; at < len(g.actions) && n < most; n++ {
		a := &g.actions[at]
		if g.only == "" && g.chance(3) {
			g.still(g.short())
			g.any()
		}
		label := ""
		switch {
		case a.Type == "connect":
			label = g.connect(a)
		case a.Timing == action.TimePrompt:
			g.prompt(a)
		case a.Timing == action.TimeDigits:
			label = g.digits(a)
		case a.Timing == action.TimeWait:
			g.stay(a)
		case len(a.Shape.Cases) > 0:
			label = "target_ids." + g.pressed
			g.pressed = ""
		case a.Shape.Ends:
			return
		}
		at = g.next(a, label)
	}
	g.still(g.short())
}

// any does something that the flow does not expect here.
func (g *generator) any() {
	switch g.IntN(8) {
	case 1:
		g.move(Leave())
	case 2:
		g.move(Says(g.word()))
	case 3:
		if g.types["block"] {
			g.move(Line{Verb: "continue"})
		}
	default:
		g.press(g.someKeys())
	}
}

// someKeys are keys that the flow may wait for, or any.
func (g *generator) someKeys() string {
	switch {
	case len(g.keys) > 0 && g.chance(60):
		return pick(g, g.keys)
	case len(g.lengths) > 0 && g.chance(50):
		return g.anyDigits(pick(g, g.lengths) + g.IntN(3) - 1)
	}
	return g.anyDigits(1 + g.IntN(3))
}

func (g *generator) anyDigits(n int) string { return g.digitsOf(n, someKeys) }

func (g *generator) digitsOf(n int, keys string) string {
	var b strings.Builder
	for range min(max(n, 1), 20) {
		b.WriteByte(keys[g.IntN(len(keys))])
	}
	return b.String()
}

// prompt listens, and presses keys at times. It waits a little longer than the sound, so that what comes next has
// begun.
func (g *generator) prompt(a *flow.Action) {
	long := soundLength(a)
	if g.only == "" && g.chance(25) {
		heard := g.between(10*time.Millisecond, max(long, 20*time.Millisecond))
		g.still(heard)
		g.press(g.someKeys())
		if a.Shape.OneDigit {
			return
		}
		long -= heard
	}
	g.still(max(long, 0))
}

// digits presses what is wanted, something else, or nothing.
func (g *generator) digits(a *flow.Action) (label string) {
	for _, said := range a.Shape.Says {
		if g.chance(70) {
			g.still(time.Duration(len(said)) * perLetter)
		}
	}
	g.still(g.between(20*time.Millisecond, 900*time.Millisecond))
	switch n := g.IntN(10); {
	case g.only != "":
		g.press(g.only)
	case n < 5:
		g.press(g.wanted(a))
	case n < 6: // the next choice, too
		want := g.wanted(a)
		g.press(want + g.someKeys())
		g.pressed = want
	case n < 7:
		for range 1 + g.IntN(4) {
			g.press(g.someKeys())
			g.still(g.short())
		}
	case n < 8:
		g.press(g.someKeys())
	default:
		g.pressed = ""
		g.still(longest(a.Times))
		return "on_timeout"
	}
	return "next"
}

// wanted are keys as the step, and the branch behind it, want them.
func (g *generator) wanted(a *flow.Action) string {
	if len(g.keys) > 0 && g.chance(10) {
		return pick(g, g.keys)
	}
	for i := a.Index + 1; i < len(g.actions) && i <= a.Index+3; i++ {
		if cases := g.actions[i].Shape.Cases; len(cases) > 0 {
			return pick(g, cases)
		}
	}
	root, _ := action.ParseJSON(a.Option)
	keys := pick(g, g.keys)
	var own study
	if root != nil {
		own.read(a.Type, "", root)
	}
	if len(own.lengths) > 0 && g.chance(75) {
		keys = g.digitsOf(pick(g, own.lengths), "0123456789")
	}
	if end := root.Member("key"); end != nil && !strings.ContainsAny(keys, end.Text) && end.Text != "" {
		keys += end.Text[:1]
	}
	return keys
}

func longest(all []time.Duration) (most time.Duration) {
	for _, d := range all {
		most = max(most, d)
	}
	return most
}

// connect lets those who are called do what the script says, and ends a talk with them.
func (g *generator) connect(a *flow.Action) (label string) {
	ring := longest(a.Times)
	if ring == 0 {
		ring = time.Minute
	}
	answered := false
	root, _ := action.ParseJSON(a.Option)
	if all := root.Member("destinations"); all != nil {
		for _, d := range all.Elems {
			target := d.Member("target")
			if target == nil {
				continue
			}
			p, ok := g.peers[target.Text]
			if !ok {
				p = g.peers["*"]
			}
			if p.After > 0 && p.After < ring {
				ring, answered = p.After, p.Reason == ""
			}
		}
	}
	if g.only == "" && g.chance(10) {
		g.still(g.between(0, ring))
		g.any()
		return "next"
	}
	g.still(ring)
	if !answered {
		return pick(g, []string{"next", "on_timeout", "on_error"})
	}
	g.still(g.between(time.Second, time.Minute))
	g.move(Leave())
	return "next"
}

// stay spends the time of a step that has a length, or lasts until the caller leaves.
func (g *generator) stay(a *flow.Action) {
	d := longest(a.Times)
	if d == 0 {
		g.still(g.short())
		g.move(Leave())
		return
	}
	if g.only == "" && g.chance(30) {
		part := g.between(0, d)
		g.still(part)
		g.any()
		d -= part
	}
	g.still(d + 10*time.Millisecond)
}

// next is where the way with that label leads; where there is none, any.
func (g *generator) next(a *flow.Action, label string) int {
	if len(a.Ways) == 0 {
		return len(g.actions)
	}
	for _, w := range a.Ways {
		if w.Label == label {
			return w.To
		}
	}
	if label != "" {
		for _, w := range a.Ways {
			if w.Label == "default_target_id" || w.Label == "next" {
				return w.To
			}
		}
	}
	return pick(g, a.Ways).To
}
