package action

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// conditionExpression goes on when an expression is true, else it jumps.
type conditionExpression struct {
	Expression    string `json:"expression" opt:"required" doc:"condition in which variables stand by name"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`
	compiler      *compiler
}

func (a *conditionExpression) Timing() Timing { return TimeNone }

func (a *conditionExpression) Shape() Shape {
	s := Shape{Result: []string{"result"}}
	if e, err := a.compiler.compile(a.Expression); err == nil {
		s.Reads = e.Reads()
	}
	return s
}

func (a *conditionExpression) Check(c *CheckContext) {
	if a.compiler.Expressions == nil || a.Expression == "" {
		return
	}
	if _, err := a.compiler.compile(a.Expression); err != nil {
		c.At("expression").Errorf("is not usable: %v", err)
	}
}

func (a *conditionExpression) Needs(c *CheckContext) { c.Need(HasExpressions) }

// SubstituteOption leaves the expression as it is: the value of a variable must never be read as
// a part of it. It finds its variables by itself.
func (a *conditionExpression) SubstituteOption(option, text string, v *Vars) string {
	if option == "expression" {
		return text
	}
	return v.Substitute(text)
}

func (a *conditionExpression) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *conditionExpression) Choices() []Choice { return holdsOrNot(a.FalseTargetID) }

func (a *conditionExpression) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	holds := false
	e, err := a.compiler.compile(a.Expression)
	if err == nil {
		holds, err = e.Holds(leg.Vars().Lookup)
	}
	if err != nil {
		return unknown(fmt.Errorf("action: condition_expression: %w", err), a.FalseTargetID)
	}
	return conditional(holds, a.FalseTargetID)
}

// maxCompiled is how many expressions a compiler keeps.
const maxCompiled = 1000

// compiler compiles each expression of a registry's flows once: a run compiles nothing that was
// compiled when its flow was loaded.
type compiler struct {
	Expressions // may be nil

	mu   sync.Mutex
	done map[string]Expression // by source, guarded by mu
}

func (c *compiler) compile(source string) (Expression, error) {
	if c.Expressions == nil {
		return nil, missing(HasExpressions)
	}
	c.mu.Lock()
	e := c.done[source]
	c.mu.Unlock()
	if e != nil {
		return e, nil
	}
	e, err := c.Expressions.Compile(source)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil || len(c.done) >= maxCompiled { // fetched flows may bring any number
		c.done = make(map[string]Expression)
	}
	c.done[source] = e
	return e, nil
}
