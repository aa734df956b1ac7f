package flowtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/flow"
)

// Invariant is something that holds in each call, whatever the caller does. Check returns an error where it does not;
// the same Result must give the same answer always.
type Invariant struct {
	Name  string
	Check func(r *Result) error
}

// Names of the invariants that Invariants returns.
const (
	Ends            = "the call ends"
	EndsAfterHangup = "the flow ends soon after the hang-up"
	SilentAfterEnd  = "nothing is played after the end"
	NoDialsAfterEnd = "nobody is called after the end"
	OneSoundAtOnce  = "one sound is played at once"
	RecordingsEnd   = "each recording is ended"
	AllClosed       = "sounds and recordings that are read are closed"
	NoError         = "the flow ends without error"
	NoPanic         = "no action panics"
)

// afterHangup is when a flow has to be over.
const afterHangup = time.Second

// Invariants are those that hold for any flow.
//
// The call ends when the caller says and presses nothing any more. One who is with somebody, or whom a block keeps, may
// stay, but not one whom an ai_talk without duration goes on listening to. A hang-up of either side ends the flow within
// a second. A recording that runs when the flow ends by itself is one that was forgotten, if its duration is not over:
// put RecordingsEnd into Explore.Without where the end of the call is the end that is meant. At a hang-up of the caller
// the engine ends it. A flow that is over leaves the call to the engine, which hangs up: that is no fault.
func Invariants() []Invariant {
	return []Invariant{
		{NoPanic, noPanic},
		{NoError, func(r *Result) error {
			if noPanic(r) != nil {
				return nil
			}
			return r.Err
		}},
		{Ends, ends},
		{EndsAfterHangup, endsAfterHangup},
		{SilentAfterEnd, func(r *Result) error { return noneAfterEnd(r, KindSound) }},
		{NoDialsAfterEnd, func(r *Result) error { return noneAfterEnd(r, KindDials) }},
		{OneSoundAtOnce, func(r *Result) error {
			for _, e := range r.Events {
				if e.Kind == kindTwo {
					return fmt.Errorf("two sounds at %s", e.At.Round(time.Millisecond))
				}
			}
			return nil
		}},
		{RecordingsEnd, func(r *Result) error {
			if !r.records || r.endless || len(r.Of(KindCaller)) > 0 {
				return nil
			}
			return errors.New("a recording still runs when the flow ends")
		}},
		{AllClosed, func(r *Result) error { return errors.Join(r.leaks...) }},
	}
}

func noPanic(r *Result) error {
	if p := (*flow.PanicError)(nil); errors.As(r.Err, &p) {
		return errors.New(firstLine(r.Err))
	}
	return nil
}

func ends(r *Result) error {
	if !r.endless || r.joined || r.stuck {
		return nil
	}
	return fmt.Errorf("it still runs after %s, in %s", r.Duration().Round(time.Second), r.lastStep())
}

// lastStep names the step that the call was in at last.
func (r *Result) lastStep() string {
	if len(r.trail) == 0 {
		return "no step"
	}
	s := r.trail[len(r.trail)-1].step
	return fmt.Sprintf("%q (%s)", s.ID, s.Type)
}

func endsAfterHangup(r *Result) error {
	if r.stuck {
		return fmt.Errorf("%w: %s", errStuck, r.lastStep())
	}
	i := r.over()
	if i < 0 || r.Events[i].Kind == KindEnd {
		return nil
	}
	for _, e := range r.Events[i:] {
		if late := e.At - r.Events[i].At; e.Kind == KindEnd && late > afterHangup {
			return fmt.Errorf("it ends %s later: %s goes on", late.Round(time.Millisecond), r.lastStep())
		}
	}
	return nil
}

// over is the index of the event with which the call is over, the hang-up or the end of the flow; -1: none.
func (r *Result) over() int {
	return slices.IndexFunc(r.Events, func(e Event) bool {
		return e.Kind == KindCaller || e.Kind == KindHangup || e.Kind == KindEnd
	})
}

func noneAfterEnd(r *Result, k Kind) error {
	i := r.over()
	if i < 0 {
		return nil
	}
	for _, e := range r.Events[i:] {
		if e.Kind == k && !(k == KindSound && IsOver(e.Text)) {
			return fmt.Errorf("%s %s, %s after it", k, e.Text, (e.At - r.Events[i].At).Round(time.Millisecond))
		}
	}
	return nil
}

// OnlyDials says that nobody else is called: targets are addresses, with their type (tel:+16062067563) or without.
func OnlyDials(targets ...string) Invariant {
	return Invariant{"only " + strings.Join(targets, " ") + " is dialled", func(r *Result) error {
		for _, who := range r.Dialled() {
			_, target, _ := strings.Cut(who, ":")
			if !slices.Contains(targets, who) && !slices.Contains(targets, target) {
				return fmt.Errorf("%s is dialled", who)
			}
		}
		return nil
	}}
}

// DialsOnce says that nobody is called twice in one call.
func DialsOnce() Invariant {
	return Invariant{"nobody is dialled twice", func(r *Result) error {
		who := r.Dialled()
		for i, w := range who {
			if slices.Contains(who[:i], w) {
				return fmt.Errorf("%s is dialled again", w)
			}
		}
		return nil
	}}
}

// OnlyRequests says that no other web server is asked than those whose URLs begin with one of prefixes.
func OnlyRequests(prefixes ...string) Invariant {
	return Invariant{"only " + strings.Join(prefixes, " ") + " is requested", func(r *Result) error {
		for _, q := range r.Requests {
			if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(q.URL, p) }) {
				return fmt.Errorf("%s %s", q.Method, q.URL)
			}
		}
		return nil
	}}
}

// NoDigitLost says that the flow does not ask again for a digit that the caller has pressed: each one that came while
// a prompt or a digits_receive ran is read by a later digits_receive, or a condition looks at it, or no more digits
// are asked for.
func NoDigitLost() Invariant {
	return Invariant{"no digit is lost", func(r *Result) error {
		if r.lost == "" {
			return nil
		}
		return fmt.Errorf("nobody reads %q", r.lost)
	}}
}

// AlwaysAnswers says that each call is answered, if the caller does not hang up before and no capability fails.
func AlwaysAnswers() Invariant {
	return Invariant{"the call is answered", func(r *Result) error {
		if r.faulty || len(r.Of(KindAnswered))+len(r.Of(KindCaller)) > 0 {
			return nil
		}
		return errors.New("the call is never answered")
	}}
}

// EndsWithin says that no call takes longer than d, without the time that the caller is with somebody.
func EndsWithin(d time.Duration) Invariant {
	return Invariant{"the call ends within " + d.String(), func(r *Result) error {
		if got := r.Duration() - r.stayed; got > d {
			return fmt.Errorf("it takes %s", got.Round(time.Millisecond))
		}
		return nil
	}}
}

// HearsAtMost says that the caller hears what has text in it not more than n times.
func HearsAtMost(text string, n int) Invariant {
	return Invariant{fmt.Sprintf("%q is heard %d times at most", text, n), func(r *Result) error {
		got := 0
		for _, heard := range r.Heard() {
			if strings.Contains(heard, text) {
				got++
			}
		}
		if got > n {
			return fmt.Errorf("it is heard %d times", got)
		}
		return nil
	}}
}

// Leads says what the first choice of the caller leads to: when the first branch or condition that looks at
// the caller's digits finds just these, an event of kind k with text in it follows, as in
// Leads("1", KindDials, "+16062067563"). Calls in which the caller hangs up or a capability fails do not count, nor,
// for KindDials, those in which somebody cannot be dialled.
func Leads(digits string, k Kind, text string) Invariant {
	return Invariant{fmt.Sprintf("%s leads to %s %s", digits, k, text), func(r *Result) error {
		chosen, at := r.choice()
		if chosen != digits || r.faulty || len(r.Of(KindCaller)) > 0 || k == KindDials && len(r.Of(kindCannotDial)) > 0 {
			return nil
		}
		var last string
		for _, e := range r.Events {
			if e.At < at || e.Kind != k || k == KindSound && IsOver(e.Text) {
				continue
			}
			if last = e.Text; strings.Contains(e.Text, text) {
				return nil
			}
		}
		if last != "" {
			return fmt.Errorf("%s leads to %s %s", digits, k, last)
		}
		return fmt.Errorf("it does not come after %s at %s", digits, at.Round(time.Millisecond))
	}}
}

// choice is what the first step that looks at the caller's digits finds, and when.
func (r *Result) choice() (digits string, at time.Duration) {
	for _, p := range r.trail {
		if p.digits != "" && readsDigits(p.step) {
			return p.digits, p.at
		}
	}
	return "", 0
}
