package flowtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Script is what the caller of a simulated call does, and what is around the call. It is a value:
// ParseScript reads it from text, String writes it, and the functions Wait, Press, Hears and so
// on make its lines in Go. The package's documentation lists all lines.
type Script []Line

// Line is one line of a Script.
type Line struct {
	Timed bool          // it waits until At
	At    time.Duration // from the start of the call
	Verb  string
	Args  string // as they are written
}

func (l Line) String() string {
	text := l.Verb
	if l.Args != "" {
		text += " " + l.Args
	}
	if l.Timed {
		return fmt.Sprintf("at %s %s", l.At, text)
	}
	return text
}

// String writes the script, a line each.
func (s Script) String() string {
	var b strings.Builder
	for _, l := range s {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// ParseScript reads a script: a line each; empty lines and those that begin with # say nothing. Its
// error names each line that is wrong.
func ParseScript(text string) (Script, error) {
	var s Script
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		l, err := parseLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("flowtest: line %d: %q: %w", n, line, err))
			continue
		}
		s = append(s, l)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, s.check()
}

// check tells what is wrong with a script that was made in Go, or with the order of its lines.
func (s Script) check() error {
	var errs []error
	var at time.Duration
	for i, l := range s {
		if _, err := parseLine(l.String()); err != nil {
			errs = append(errs, fmt.Errorf("flowtest: line %d: %q: %w", i+1, l, err))
		}
		if l.Timed {
			if l.At < at {
				errs = append(errs, fmt.Errorf("flowtest: line %d: %q comes after a line for %s", i+1, l, at))
			}
			at = l.At
		}
	}
	return errors.Join(errs...)
}

func parseLine(text string) (Line, error) {
	var l Line
	if rest, ok := strings.CutPrefix(text, "at "); ok {
		at, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
		d, err := parseDelay(at)
		if err != nil {
			return l, err
		}
		l.Timed, l.At, text = true, d, strings.TrimSpace(rest)
	}
	verb, args, _ := strings.Cut(text, " ")
	l.Verb, l.Args = verb, strings.TrimSpace(args)
	v, ok := verbs[verb]
	switch {
	case !ok:
		return l, fmt.Errorf("there is no line %q", verb)
	case v.move == nil && l.Timed:
		return l, fmt.Errorf("%s holds for the whole call, not from a time on", verb)
	}
	return l, v.try(l.Args)
}

// verb is what the first word of a line means: one of the two.
type verb struct {
	set     func(w *World, args string) error     // of a line that tells what is around the call
	move    func(args string) (func(*run), error) // of one that says what somebody does
	expects bool                                  // it looks at what happened, also when the call is over
}

// try tells whether args are such that the line means something.
func (v verb) try(args string) error {
	if v.move != nil {
		_, err := v.move(args)
		return err
	}
	return v.set(emptyWorld(), args)
}

// moves tells whether the line is something that somebody does.
func (l Line) moves() bool { return verbs[l.Verb].move != nil }

func parseDelay(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time, as 1.5s and 300ms are", s)
	}
	return d, nil
}

// dateForm is how a date stands in a script.
const dateForm = "2006-01-02 15:04"

// date is when the call begins, if the script says it: not before the year 2000, in which a bubble begins.
func (s Script) date() (when time.Time) {
	for _, l := range s {
		if l.Verb == "date" {
			when, _ = time.Parse(dateForm, l.Args)
		}
	}
	return when
}

// fields splits args into words, at least n of them; the last is the rest of the line.
func fields(args string, n int, form string) ([]string, error) {
	words := make([]string, 0, n)
	for rest := strings.TrimSpace(args); rest != "" && len(words) < n; {
		if len(words) == n-1 {
			words = append(words, rest)
			break
		}
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		words, rest = append(words, word), strings.TrimSpace(rest)
	}
	if len(words) < n {
		return nil, fmt.Errorf("want %q", form)
	}
	return words, nil
}

// The lines of a caller, for scripts in Go. Each begins when the one before is done.

// Wait lets time pass.
func Wait(d time.Duration) Line { return Line{Verb: "wait", Args: d.String()} }

// Press presses keys: 0-9 * # A-D.
func Press(digits string) Line { return Line{Verb: "press", Args: digits} }

// Hears waits until sound begins whose text, or file, has text in it, or did so since the last such line. If
// it does not within Patience, the run has failed and the caller hangs up.
func Hears(text string) Line { return Line{Verb: "hears", Args: text} }

// Dials is like Hears for somebody who is called: target is in the address, as of "tel:+16062067563".
func Dials(target string) Line { return Line{Verb: "dials", Args: target} }

// Requests is like Hears for a request of HTTP: text is in its method, URL or body.
func Requests(text string) Line { return Line{Verb: "requests", Args: text} }

// Says is what the caller says, as a transcriber understands it.
func Says(text string) Line { return Line{Verb: "says", Args: text} }

// Hangup hangs up.
func Hangup() Line { return Line{Verb: "hangup"} }

// Leave ends what the caller is joined with: the other one hangs up.
func Leave() Line { return Line{Verb: "leave"} }

// At makes l wait until d after the start of the call.
func At(d time.Duration, l Line) Line {
	l.Timed, l.At = true, d
	return l
}

// Around is a line that holds for the whole call, as Around("peer", "+16062067563", "busy", "2s", "486").
func Around(verb string, args ...string) Line {
	return Line{Verb: verb, Args: strings.Join(args, " ")}
}

// with is the script with lines around the call in front of it.
func (s Script) with(around ...Line) Script { return append(slices.Clone(Script(around)), s...) }
