package action

import (
	"context"
	"errors"
	"fmt"
)

// conferenceJoin puts the leg into a conference until it leaves.
type conferenceJoin struct {
	ConferenceID string `json:"conference_id" opt:"required" doc:"the conference"`
}

func (a *conferenceJoin) Timing() Timing { return TimeWait }

func (a *conferenceJoin) Needs(c *CheckContext) { c.Need(CanConference) }

func (a *conferenceJoin) Shape() Shape { return Shape{Answers: true} }

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
	if err = l.JoinConference(ctx, id); errors.Is(err, ErrNoConference) {
		return Continue(), Fatal(err)
	}
	return Continue(), err
}
