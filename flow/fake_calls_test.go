package flow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
)

var (
	_ action.Connector   = (*caller)(nil)
	_ action.Dialer      = (*caller)(nil)
	_ action.Bridger     = (*caller)(nil)
	_ action.Conferencer = (*caller)(nil)
	_ action.DigitSender = (*caller)(nil)
	_ action.Muter       = (*caller)(nil)
)

// Connect does as the name of its first destination says: "answer" after a second, who leaves after three
// more; "busy" and "noanswer"; "denied", for which no leg is made; "broken".
func (c *caller) Connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	c.logf("  connect %s", shown(o))
	got := action.Connected{}
	for i := range o.Destinations {
		got.CallIDs = append(got.CallIDs, fmt.Sprintf("leg-%d", i+1))
	}
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			c.logf("  connect cut")
			return context.Cause(ctx)
		}
	}
	switch name, _, _ := strings.Cut(o.Destinations[0].Target, "@"); name {
	case "answer":
		if err := wait(time.Second); err != nil {
			return got, err
		}
		c.logf("  connected")
		err := wait(3 * time.Second)
		got.CallID, got.Reason, got.Status = got.CallIDs[len(got.CallIDs)-1], "normal", 200
		return got, err
	case "busy":
		got.Reason, got.Status = "busy", 486
	case "noanswer":
		if err := wait(o.Timeout); err != nil {
			return got, err
		}
		got.Reason, got.Status = "dialout", 487
	case "denied":
		return action.Connected{Reason: "failed", Status: 403}, nil
	default:
		return action.Connected{}, errors.New("broken")
	}
	return got, nil
}

// shown is o without what is not set.
func shown(o action.ConnectOptions) string {
	var b strings.Builder
	for _, d := range o.Destinations {
		fmt.Fprintf(&b, "%s ", d)
	}
	fmt.Fprintf(&b, "early %v anonymous %q timeout %v", o.EarlyMedia, o.Anonymous, o.Timeout)
	if o.Source.Target != "" {
		fmt.Fprintf(&b, " from %s", o.Source)
	}
	return b.String()
}

func (c *caller) Dial(_ context.Context, o action.DialOptions) ([]string, error) {
	c.logf("  dial %v flow %q %s in %s chained %v early %v", o.Destinations, o.FlowID, o.Actions, o.Dir, o.Chained, o.EarlyExecution)
	if strings.HasPrefix(o.Destinations[0].Target, "denied") {
		return nil, errors.New("may not be dialled")
	}
	return []string{"new-1"}, nil
}

// stay is a room until the script's "kick"; that called none does not exist.
func (c *caller) stay(ctx context.Context, what, id string) error {
	if id == "none" {
		return fmt.Errorf("there is no %q: %w", id, action.ErrNoConference)
	}
	c.logf("  joins %s %s", what, id)
	defer c.logf("  leaves")
	select {
	case <-c.kicked:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *caller) JoinBridge(ctx context.Context, id string) error { return c.stay(ctx, "bridge", id) }

func (c *caller) JoinConference(ctx context.Context, id string) error {
	return c.stay(ctx, "conference", id)
}

func (c *caller) SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error {
	c.logf("  sends %s, %v each, %v apart", digits, duration, interval)
	select {
	case <-time.After(time.Duration(len(digits))*duration + time.Duration(len(digits)-1)*interval):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *caller) Mute(_ context.Context, d media.Direction, on bool) error {
	c.logf("  mute %s %v", d, on)
	return nil
}
