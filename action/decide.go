package action

import (
	"context"
	"time"
)

// Decider is an Action in which no time passes and that asks nobody: what it does follows from its
// options, the leg's variables and state, and the time. Run is Decide at the present, so that what a
// flow would do can also be told without a call (flow.Explain).
type Decider interface {
	Action
	Decide(ctx context.Context, leg Leg, now time.Time) (Outcome, error)
}

// Chooser is a Decider that may go several ways. Choices tells all of them, for where nobody knows yet what
// it will decide; what is said by a variable of its options may be left out or be as it is written.
type Chooser interface {
	Decider
	Choices() []Choice
}

// Choice is one way that a Chooser may go.
type Choice struct {
	When    string // what makes it go there: "it holds"
	Outcome Outcome
	Err     error
	Empties string // a variable that is empty afterwards
	Open    bool   // Outcome.Result is not all there
}

// Repeater is a Chooser that goes its first way so often, and then the second.
type Repeater interface {
	Chooser
	Rounds() int
}

// DigitTaker is an Action that waits for digits of the caller.
type DigitTaker interface {
	Action
	// TakeDigits is what Run comes to, the variables included, where the caller has typed digits ahead, and then presses
	// what next gives each time that the action asks. known is false where next was false; rest was not taken.
	TakeDigits(vars *Vars, typed string, next func() (digits string, ok bool)) (o Outcome, rest string, known bool, err error)
}

// holdsOrNot are the ways of a condition.
func holdsOrNot(falseTarget string) []Choice {
	yes, yesErr := conditional(true, falseTarget)
	no, noErr := conditional(false, falseTarget)
	return []Choice{
		{When: "it holds", Outcome: yes, Err: yesErr},
		{When: "it does not hold", Outcome: no, Err: noErr},
	}
}
