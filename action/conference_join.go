package action

import (
	"context"
	"errors"
	"fmt"
)

// conferenceJoin puts the leg into a conference until it is out of it again.
type conferenceJoin struct {
	ConferenceID string `json:"conference_id"`
}

func (a *conferenceJoin) Timing() Timing { return TimeWait }

func (a *conferenceJoin) Check(c *CheckContext) { c.At("conference_id").Required(a.ConferenceID != "") }

func (a *conferenceJoin) Needs(c *CheckContext) { c.Need(CanConference) }

func (a *conferenceJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	StopPlaying(ctx)
	l, err := Need[Conferencer](leg)
	if err != nil {
		return Continue(), err
	}
	id := CanonicalID(a.ConferenceID)
	if id == "" {
		return Continue(), Fatal(fmt.Errorf("action: conference_join: conference_id is empty: %w", ErrNoConference))
	}
	err = l.JoinConference(ctx, id)
	if errors.Is(err, ErrNoConference) {
		err = Fatal(err) // as at VoIPBIN: a flow that leads to a room has no plan for its absence
	}
	return Continue(), err
}
