package action

import (
	"context"
	"strings"
)

// VarCaseID is VoIPBIN's name of the case that case_create has opened.
const VarCaseID = "contact_case_id"

// caseCreate opens a case for the peer in a customer database.
type caseCreate struct {
	Name   string `json:"name" doc:"of the case"`
	Detail string `json:"detail" doc:"of the case"`
	Note   string `json:"note" doc:"of the case"`
	Sync   bool   `json:"sync" opt:"old" doc:"means nothing"`
	deps   Deps
}

func (a *caseCreate) Shape() Shape {
	return Shape{Sets: []string{VarCaseID}, Result: []string{"case_id"}}
}

func (a *caseCreate) Needs(c *CheckContext) { c.Need(HasCases) }

func (a *caseCreate) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Cases == nil {
		return Continue(), missing(HasCases)
	}
	var id string
	err := limited(ctx, "case_create", SendTimeout, func(ctx context.Context) (err error) {
		id, err = a.deps.Cases.CreateCase(ctx, Case{
			Name: strings.TrimSpace(a.Name), Detail: a.Detail, Note: a.Note, ReferenceID: leg.ID(),
		})
		return err
	})
	if err != nil {
		return Continue(), err
	}
	return Resulting("case_id", id), leg.Vars().Set(VarCaseID, id)
}
