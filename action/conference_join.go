package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// conferenceJoin puts the leg into a conference until it leaves.
type conferenceJoin struct {
	ConferenceID string `json:"conference_id" opt:"required" doc:"the conference"`

	Role        string `json:"role" opt:"enum=moderator|participant|listener" doc:"as what the caller is in it; without it as the conference says"`
	SkipPreFlow bool   `json:"skip_pre_flow" doc:"the conference's pre_flow does not run"`
}

func (a *conferenceJoin) Timing() Timing { return TimeWait }

func (a *conferenceJoin) Needs(c *CheckContext) { c.Need(CanConference) }

func (a *conferenceJoin) Shape() Shape {
	return Shape{
		Answers: true, Sets: []string{VarConferenceID, VarConferencecallID, VarConferencecallStatus},
		Result: []string{"conferencecall_id", "role", "ended_by", "stay_ms"},
	}
}

func (a *conferenceJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Conferencer](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the others
	id := CanonicalID(a.ConferenceID)
	if id == "" {
		return Continue(), Fatal(fmt.Errorf("action: conference_join: the id is empty: %w", ErrNoConference))
	}
	got, err := l.JoinConference(ctx, ConferenceOptions{ID: id, Role: a.Role, SkipPreFlow: a.SkipPreFlow})
	switch {
	case errors.Is(err, ErrNoConference):
		return Continue(), Fatal(err)
	case err != nil:
		return Continue(), err
	}
	if err := leg.Vars().Set(VarConferenceID, id); err != nil {
		return Continue(), err
	}
	if got.Before != "" {
		return a.after(FlowInfo(ctx).ID, got.Before)
	}
	o := Outcome{Result: got.result()}
	if got.After != "" {
		o.Push = &Push{FlowID: got.After}
	}
	return o, errors.Join(
		leg.Vars().Set(VarConferencecallID, got.ConferencecallID),
		leg.Vars().Set(VarConferencecallStatus, got.status()),
	)
}

// after runs a flow, and then this action again, as VoIPBIN does, by the name of this step, so that its result is found under that. The
// id of the conference goes by a variable: in the text it would be looked through for variables once more.
func (a *conferenceJoin) after(step, flowID string) (Outcome, error) {
	again := map[string]any{"type": "conference_join", "option": map[string]any{"conference_id": "${" + VarConferenceID + "}", "role": a.Role, "skip_pre_flow": true}}
	if step != "" {
		again["id"] = step
	}
	steps, err := json.Marshal([]any{map[string]any{"type": "fetch_flow", "option": map[string]any{"flow_id": flowID}}, again})
	if err != nil {
		return Continue(), fmt.Errorf("action: conference_join: %w", err)
	}
	return Outcome{Push: &Push{Actions: steps}}, nil
}

func (c Conferenced) status() string { return cmp.Or(c.Status, StatusOK) }

func (c Conferenced) result() map[string]string {
	r := map[string]string{ResultStatus: c.status()}
	for key, value := range map[string]string{"conferencecall_id": c.ConferencecallID, "role": c.Role, "ended_by": c.EndedBy} {
		if value != "" {
			r[key] = value
		}
	}
	if c.Joined {
		r["stay_ms"] = strconv.FormatInt(c.Stay.Milliseconds(), 10)
	}
	return r
}
