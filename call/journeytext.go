package call

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/callbin/callbin/store"
)

// JourneyStyle says how a journey is shown. The zero value shows everything.
type JourneyStyle struct {
	// Mask hides who calls and is called: of numbers and other addresses the last two characters are left, names are left out.
	Mask bool
	// Steps are shown in the text, too: each action of the flows.
	Steps bool
}

// label is the text of a node.
func (s JourneyStyle) label(n *JourneyNode) string {
	if n.Kind == NodeParty && s.Mask {
		return masked(n.Label)
	}
	return s.detail(n.Label)
}

// detail is a text in which a number may stand, as rooms and mailboxes have in their names.
func (s JourneyStyle) detail(text string) string {
	if !s.Mask {
		return text
	}
	return longNumber.ReplaceAllStringFunc(text, func(n string) string { return strings.Repeat("*", len(n)-2) + n[len(n)-2:] })
}

var longNumber = regexp.MustCompile(`[0-9]{5,}`)

// masked leaves two characters of an address.
func masked(label string) string {
	if i := strings.LastIndexByte(label, '('); i >= 0 && strings.HasSuffix(label, ")") {
		label = label[i+1 : len(label)-1]
	}
	user, host, at := strings.Cut(label, "@")
	r := []rune(user)
	for i := range max(0, len(r)-2) {
		if r[i] != '+' || i > 0 {
			r[i] = '*'
		}
	}
	if at && host != "" {
		return string(r) + "@..."
	}
	return string(r)
}

// Mermaid draws the journey as a flow chart in Mermaid's language: what caused what, and how long after its beginning. The same journey
// gives the same text, and nothing in it can break out of it.
func (j *Journey) Mermaid(s JourneyStyle) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i := range j.Nodes {
		n := &j.Nodes[i]
		id := fmt.Sprintf("n%d", i+1)
		ids[n.ID] = id
		open, end := shapes(n.Kind)
		text := escapeMermaid(s.label(n))
		if n.Kind == NodeLeg && n.Leg != nil && n.Leg.Status == store.StatusHangup {
			text += "<br>" + escapeMermaid(n.Leg.Direction+", "+ended(n.Leg))
		}
		fmt.Fprintf(&b, "  %s%s\"%s\"%s\n", id, open, text, end)
	}
	for i := range j.Edges {
		e := &j.Edges[i]
		text := strings.ReplaceAll(e.What, "_", " ")
		if e.Detail != "" && e.What != EdgeRecorded {
			text += " (" + s.detail(e.Detail) + ")"
		}
		fmt.Fprintf(&b, "  %s -->|\"%s %s\"| %s\n", ids[e.From], escapeMermaid(text), since(j.begin(), e.At), ids[e.To])
	}
	return b.String()
}

func ended(r *store.Call) string {
	s := cmp.Or(r.Code, r.HangupReason)
	if r.TalkMS > 0 {
		s += fmt.Sprintf(", talked %.1f s", float64(r.TalkMS)/1000)
	}
	return s
}

// shapes are the brackets around a node's text.
func shapes(kind string) (open, end string) {
	switch kind {
	case NodeParty, NodeProgram, NodeUnknown:
		return "([", "])"
	case NodeBridge, NodeConference:
		return "((", "))"
	case NodeQueue, NodeGroupcall, NodePark:
		return "[/", "/]"
	case NodeTransfer:
		return "{{", "}}"
	case NodeRecording, NodeVoicemail:
		return "[(", ")]"
	}
	return "[", "]"
}

// escapeMermaid makes a text of a quoted string of Mermaid's: whatever it is, it stays a text.
func escapeMermaid(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == ' ' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("+-.,:@()*_/=", r):
			b.WriteRune(r)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case unicode.IsControl(r):
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

// begin is when the journey began.
func (j *Journey) begin() store.Time {
	var t store.Time
	for i := range j.legs {
		if b := j.legs[i].begin(); t.IsZero() || b.Before(t.Time) {
			t = b
		}
	}
	if t.IsZero() && len(j.Edges) > 0 { // read from JSON: there are no traces
		t = j.Edges[0].At
	}
	return t
}

// since is a time after the beginning, to a tenth of a second: "+1.2s".
func since(begin, at store.Time) string {
	return fmt.Sprintf("+%.1fs", at.Sub(begin.Time).Round(time.Millisecond).Seconds())
}

// journeyLine is one line of a text.
type journeyLine struct {
	at   store.Time
	text string
}

// Text tells the journey as a list of what happened, in the order of its time, one line each:
//
//	+0.0s   alice calls leg 1
//	+0.1s   leg 1 creates leg 2
func (j *Journey) Text(s JourneyStyle) string {
	names := map[string]string{}
	for i := range j.Nodes {
		n := &j.Nodes[i]
		names[n.ID] = oneLine(s.label(n))
	}
	var lines []journeyLine
	for _, e := range j.Edges {
		text := names[e.From] + " " + verb(e.What) + " " + names[e.To]
		if e.Detail != "" {
			text += " (" + oneLine(s.detail(e.Detail)) + ")"
		}
		lines = append(lines, journeyLine{at: e.At, text: text})
	}
	for _, m := range j.Moments {
		if m.What == "answered" || m.What == "step" && !s.Steps { // an edge tells the answer
			continue
		}
		text := names[m.Node] + ": " + m.What
		if m.Detail != "" {
			text += " " + oneLine(s.detail(m.Detail))
		}
		lines = append(lines, journeyLine{at: m.At, text: text})
	}
	slices.SortStableFunc(lines, func(a, b journeyLine) int { return a.at.Compare(b.at.Time) })
	var b strings.Builder
	fmt.Fprintf(&b, "journey %s\n", j.ID)
	for _, l := range lines {
		fmt.Fprintf(&b, "%-8s %s\n", since(j.begin(), l.at), l.text)
	}
	for _, c := range j.Costs {
		fmt.Fprintf(&b, "cost %v %s\n", c.Cost, c.Currency)
	}
	for _, id := range j.Partial {
		fmt.Fprintf(&b, "the trace of call %s is not whole\n", id)
	}
	return b.String()
}

// verb is what an edge tells in a sentence.
func verb(what string) string {
	switch what {
	case EdgeCalled:
		return "calls"
	case EdgeDialled:
		return "dials"
	case EdgeCreated:
		return "creates"
	case EdgeAnswered:
		return "answers"
	case EdgeJoined:
		return "joins"
	case EdgeLeft:
		return "leaves"
	case EdgeMember:
		return "is a member of"
	case EdgeTransferred:
		return "transfers to"
	case EdgeReplaced:
		return "replaces"
	case EdgeQueued:
		return "enters"
	case EdgeOffered:
		return "offers the caller to"
	case EdgeLeftQueue:
		return "lets go"
	case EdgeParked:
		return "is parked in"
	case EdgePickedUp:
		return "gives back"
	case EdgeRecorded:
		return "is recorded by"
	case EdgeVoicemail:
		return "leaves a message in"
	case EdgeSupervised:
		return "listens to"
	case EdgeHungUp:
		return "hangs up"
	}
	return what
}

// oneLine keeps a text from being two.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
