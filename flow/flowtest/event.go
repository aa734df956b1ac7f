package flowtest

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Event is something that happened in a call.
type Event struct {
	At   time.Duration // since the start of the call
	Kind Kind
	Text string
}

// Kind says what an Event is about.
type Kind string

// Kinds of events. Their Text is given behind them.
const (
	KindStep     Kind = "step"     // an action begins: ID TYPE OPTION
	KindResult   Kind = "="        // of the step, a line each: KEY: VALUE
	KindFailed   Kind = "!"        // the step has failed: the error
	KindAnswered Kind = "answered" // the call is
	KindSound    Kind = "sound"    // begins: the text in quotes or the file; or it is over: NAME done after TIME, NAME cut after TIME
	KindPress    Kind = "press"    // the caller presses keys
	KindSays     Kind = "says"     // the caller says something
	KindDials    Kind = "dials"    // somebody is called: ADDRESS as LEG, and how
	KindJoins    Kind = "joins"    // the caller and somebody hear each other: ADDRESS
	KindCancels  Kind = "cancels"  // somebody is called no longer: ADDRESS
	KindRequest  Kind = "http"     // METHOD URL "CONTENT-TYPE" BODY
	KindRecords  Kind = "records"  // a recording begins: its options
	KindRecorded Kind = "recorded" // it has ended
	KindHangup   Kind = "hangup"   // the flow hangs up: the reason
	KindCaller   Kind = "caller"   // hangs up
	KindEnd      Kind = "end"      // the flow is over: "", "by hang-up" or ": ERROR"

	kindTwo        Kind = "two"         // sounds at once
	kindCannotDial Kind = "cannot dial" // ADDRESS
)

// String is the event as a line of a transcript.
func (e Event) String() string {
	text := fmt.Sprintf("%7.3fs ", e.At.Seconds())
	switch e.Kind {
	case KindStep:
		return text + e.Text
	case KindEnd:
		if strings.HasPrefix(e.Text, ":") {
			return text + "end" + e.Text
		}
		return strings.TrimSuffix(text+"end "+e.Text, " ")
	}
	return strings.TrimSuffix(text+"  "+string(e.Kind)+" "+e.Text, " ")
}

// Transcript writes events, a line each.
func Transcript(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// uuid finds ids.
var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// HideIDs puts <uuid> in place of each id in text that does not stand in known: such are random.
func HideIDs(text, known string) string {
	known = strings.ToLower(known)
	return uuid.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Contains(known, id) {
			return id
		}
		return "<uuid>"
	})
}

// SameButIDs compares texts but for ids, which may be random: one that stands at several places of a must do so in b.
func SameButIDs(a, b string) bool { return a == b || numberIDs(a) == numberIDs(b) }

func numberIDs(text string) string {
	numbers := make(map[string]string)
	return uuid.ReplaceAllStringFunc(text, func(id string) string {
		if numbers[id] == "" {
			numbers[id] = fmt.Sprintf("<id %d>", len(numbers)+1)
		}
		return numbers[id]
	})
}

// OneLine puts the text of an error into one line, without the stack of a panic.
func OneLine(text string) string {
	text, _, _ = strings.Cut(text, "\ngoroutine")
	return strings.ReplaceAll(text, "\n", "; ")
}

func firstLine(err error) string { return OneLine(err.Error()) }
