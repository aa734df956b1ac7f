package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// InviteOptions say who is called into a conference. Only Destinations are needed.
type InviteOptions struct {
	Destinations []address.Address // 1 to action.MaxDestinations; each one is called
	Source       address.Address   // as in DialOptions
	Role         string            // "": as the conference says
	RingTimeout  time.Duration     // 0: Config.RingTimeout
	Anonymous    string            // "yes", "no", ""
	Variables    map[string]string
	Metadata     map[string]string
	Headers      []sip.Header
	JourneyID    string // "": a new one for each
	MasterCallID string // a call whose end is theirs; "": none
}

// Invite calls others into the conference and returns at once; who answers is in, without a PIN and whether it is locked or not, and is
// hung up when it is out again. PreFlowID and PostFlowID do not run. Each destination passes Config.Outbound and the trunks
// like any other call of ours; the error tells, joined, which of them were not let out.
func (f *Conference) Invite(ctx context.Context, o InviteOptions) ([]*Call, error) {
	if n := len(o.Destinations); n == 0 || n > action.MaxDestinations {
		return nil, fmt.Errorf("call: invite to conference %.40q: %d destinations are not 1 to %d", f.ID(), n, action.MaxDestinations)
	}
	if err := checkRole(o.Role, true); err != nil {
		return nil, fmt.Errorf("call: invite to conference %.40q: %w", f.ID(), err)
	}
	if s := f.Record().Status; s != store.ConferenceProgressing {
		return nil, fmt.Errorf("call: invite to conference %.40q: it is %s: %w", f.ID(), s, ErrBridgeEnded)
	}
	program := flow.Func(func(ctx context.Context, leg action.Leg) error {
		c, err := action.Need[*Call](leg)
		if err != nil {
			return err
		}
		_, err = f.join(ctx, c, entry{role: o.Role, invited: true})
		return err
	})
	var calls []*Call
	var errs []error
	for _, to := range o.Destinations {
		c, err := f.engine.Dial(ctx, DialOptions{
			Destination: to, Source: o.Source, Flow: program, RingTimeout: o.RingTimeout, Anonymous: o.Anonymous,
			Variables: o.Variables, Metadata: o.Metadata, Headers: o.Headers, JourneyID: o.JourneyID, MasterCallID: o.MasterCallID, by: byConference,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("call: invite %.80q to conference %.40q: %w", to.Target, f.ID(), err))
		}
		if c != nil {
			calls = append(calls, c)
		}
	}
	return calls, errors.Join(errs...)
}

// connectRoom is a connect to a conference: it answers at once. A room that lets nobody in is busy.
func (c *Call) connectRoom(ctx context.Context, id string) (action.Connected, error) {
	got, err := c.joinConference(ctx, action.ConferenceOptions{ID: id, SkipPreFlow: true})
	if err == nil && !got.Joined {
		return action.Connected{Reason: store.ReasonBusy, Status: 486}, nil
	}
	return action.Connected{Reason: store.ReasonNormal, Status: 200}, err
}
