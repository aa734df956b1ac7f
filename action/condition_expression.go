package action

import (
	"context"
	"fmt"
)

// conditionExpression goes on when an expression is true, else it jumps.
type conditionExpression struct {
	Expression    string `json:"expression" opt:"required" doc:"condition in which variables stand by name"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`
	deps          Deps
}

func (a *conditionExpression) Timing() Timing { return TimeNone }

func (a *conditionExpression) Shape() Shape {
	s := Shape{Result: []string{"result"}}
	if a.deps.Expressions != nil {
		if e, err := a.deps.Expressions.Compile(a.Expression); err == nil {
			s.Reads = e.Reads()
		}
	}
	return s
}

func (a *conditionExpression) Check(c *CheckContext) {
	if a.deps.Expressions == nil || a.Expression == "" {
		return
	}
	if _, err := a.deps.Expressions.Compile(a.Expression); err != nil {
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

func (a *conditionExpression) Run(_ context.Context, leg Leg) (Outcome, error) {
	holds, err := a.holds(leg.Vars())
	if err != nil {
		return unknown(fmt.Errorf("action: condition_expression: %w", err), a.FalseTargetID)
	}
	return conditional(holds, a.FalseTargetID)
}

func (a *conditionExpression) holds(v *Vars) (bool, error) {
	if a.deps.Expressions == nil {
		return false, missing(HasExpressions)
	}
	e, err := a.deps.Expressions.Compile(a.Expression)
	if err != nil {
		return false, err
	}
	return e.Holds(v.Lookup)
}
