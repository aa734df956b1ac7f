package flowtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// ids are those that a Leg gives to calls, recordings and so on.
var ids = regexp.MustCompile(`\b(activeflow|call|leg|rec|transcribe|queuecall|conferencecall|media)-[0-9]+\b`)

// voice is the party that sounds belong to.
const voice = "voice"

// compared is an event as Compare looks at it.
type compared struct {
	text string
	at   time.Duration
	line int // of the transcript
}

// Compare tells how a call that is real, as by calltest.RunScript, differs from a simulated one: the first event that
// is another or comes more than within earlier or later, and what stood around it. It looks at the steps, their results
// and failures, the answer, keys, sounds, who was called and joined, requests, recordings and how all ended, not at what
// only one of the two can know, and not at ids. The events of one party (the flow, the voice, the caller, each who is
// called, the web) come in the same order; those of several may change places within that time.
func Compare(simulated, real *Result, within time.Duration) error {
	want, got := split(simulated), split(real)
	var first *difference
	for party := range merged(want, got) {
		if d := partingOf(want[party], got[party], within); d != nil && (first == nil || d.at < first.at) {
			first = d
		}
	}
	if first == nil {
		return nil
	}
	return fmt.Errorf("flowtest: %s\nsimulated:\n%sreal:\n%s", first.what, around(simulated, first.want), around(real, first.got))
}

// Drift is the greatest distance in time of two events that Compare finds to be the same.
func Drift(simulated, real *Result) (most time.Duration) {
	want, got := split(simulated), split(real)
	for party := range want {
		for i := range min(len(want[party]), len(got[party])) {
			most = max(most, (want[party][i].at - got[party][i].at).Abs())
		}
	}
	return most
}

// difference is where two calls part: a line of each, or where it should be.
type difference struct {
	what      string
	at        time.Duration
	want, got int
}

func partingOf(want, got []compared, within time.Duration) *difference {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			w := want[i]
			return &difference{fmt.Sprintf("the real call has no %q", w.text), w.at, w.line, lastLine(got)}
		case i >= len(want):
			g := got[i]
			return &difference{fmt.Sprintf("the real call has %q besides", g.text), g.at, lastLine(want), g.line}
		}
		w, g := want[i], got[i]
		d := &difference{"", min(w.at, g.at), w.line, g.line}
		switch {
		case !same(w.text, g.text, within):
			d.what = fmt.Sprintf("the real call has %q in place of %q", g.text, w.text)
		case (w.at - g.at).Abs() > within:
			d.what = fmt.Sprintf("%q is at %s, not at %s, in the real call", w.text, g.at.Round(time.Millisecond), w.at.Round(time.Millisecond))
		default:
			continue
		}
		return d
	}
	return nil
}

// same tells whether a real event is the simulated one. What an engine says of its own failures, which begins
// with call:, need not be the same, and a result in milliseconds may be off like any time.
func same(simulated, real string, within time.Duration) bool {
	if simulated == real {
		return true
	}
	if a, name := milliseconds(simulated); name != "" {
		b, other := milliseconds(real)
		return name == other && (a-b).Abs() <= within
	}
	before, _, ours := strings.Cut(real, "call: ")
	return ours && (strings.HasPrefix(real, "! ") || strings.HasPrefix(real, "end :")) && strings.HasPrefix(simulated, before)
}

// milliseconds reads the text of a result as "ring_ms: 1000"; name is "" for any other text.
func milliseconds(text string) (d time.Duration, name string) {
	name, value, _ := strings.Cut(text, ": ")
	n, err := strconv.Atoi(value)
	if err != nil || !strings.HasSuffix(name, "_ms") {
		return 0, ""
	}
	return time.Duration(n) * time.Millisecond, name
}

func lastLine(list []compared) int {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].line
}

// around are the lines of a transcript that stand around one, with a mark on it.
func around(r *Result, line int) string {
	var b strings.Builder
	for i := max(0, line-6); i < min(len(r.Events), line+4); i++ {
		mark := "  "
		if i == line {
			mark = "> "
		}
		b.WriteString(mark + r.Events[i].String() + "\n")
	}
	return b.String()
}

func merged(a, b map[string][]compared) map[string]bool {
	parties := make(map[string]bool)
	for party := range a {
		parties[party] = true
	}
	for party := range b {
		parties[party] = true
	}
	return parties
}

// split sorts the events that can be compared by whose they are.
func split(r *Result) map[string][]compared {
	by := make(map[string][]compared)
	for i, e := range r.Events {
		party, text := partOf(e)
		if party == "" {
			continue
		}
		text = ids.ReplaceAllString(HideIDs(text, r.known), "<uuid>")
		by[party] = append(by[party], compared{string(e.Kind) + " " + text, e.At, i})
	}
	by[voice] = audible(by[voice])
	return by
}

// audible leaves out sounds that were cut before there was a frame of them: whether such a one is read at all is chance.
func audible(events []compared) (out []compared) {
	begun := func() bool {
		return len(out) > 0 && !IsOver(strings.TrimPrefix(out[len(out)-1].text, "sound ")+" after ")
	}
	for _, e := range events {
		if e.text == "sound cut" {
			if begun() && e.at-out[len(out)-1].at < media.FrameDuration {
				out = out[:len(out)-1]
			}
			if !begun() {
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

// partOf tells whose event e is, and what of its text is the same in each call; "": it is not compared.
func partOf(e Event) (party, text string) {
	text = e.Text
	switch e.Kind {
	case KindStep, KindResult, KindFailed, KindHangup, KindRecords, KindRecorded, KindEnd:
		return "flow", text
	case KindAnswered:
		return "answer", text
	case KindSound:
		if IsOver(text) { // how long it took is told by when it is over
			text, _, _ = strings.Cut(text, " ")
		}
		return voice, text
	case KindPress, KindCaller:
		return "caller", text
	case KindRequest:
		text, _, _ = strings.Cut(text, " sha256=") // of a body that holds ids
		return "web", text
	case KindDials:
		text, _, _ = strings.Cut(text, " as ")
		return text, text
	case KindJoins, KindCancels:
		return text, text
	}
	return "", ""
}
