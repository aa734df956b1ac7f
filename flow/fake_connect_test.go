package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// peer is what somebody does who is called. The zero value rings for ever.
type peer struct {
	unknown bool          // no leg can be made
	after   time.Duration // of what follows; 0: never
	reason  string        // of the refusal; empty: answers
	status  int
}

var (
	_ action.Connector   = (*caller)(nil)
	_ action.Dialer      = (*caller)(nil)
	_ action.Bridger     = (*caller)(nil)
	_ action.Conferencer = (*caller)(nil)
	_ action.DigitSender = (*caller)(nil)
	_ action.Muter       = (*caller)(nil)
)

// wait lets d pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave ends what the caller is joined with.
func (c *caller) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked("  leave")
	close(c.left)
	c.left = make(chan struct{})
}

// stay waits for leave.
func (c *caller) stay(ctx context.Context) error {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// legs makes a leg for each destination that is one, and has a peer.
func (c *caller) legs(destinations []address.Address) (ids []string, peers []peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range destinations {
		p := c.peers[d.Target]
		if p.unknown || d.Validate() != nil || d.Type == address.TypeNone {
			continue
		}
		c.made++
		ids = append(ids, fmt.Sprintf("leg-%d", c.made))
		peers = append(peers, p)
	}
	return ids, peers
}

func show(source address.Address, destinations []address.Address, anonymous string) string {
	var b strings.Builder
	for _, d := range destinations {
		fmt.Fprintf(&b, " %s", d)
	}
	if !source.IsZero() {
		fmt.Fprintf(&b, " from %s", source)
	}
	if anonymous != "" {
		fmt.Fprintf(&b, " anonymous:%s", anonymous)
	}
	return b.String()
}

func (c *caller) Connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	if err := c.fault(ctx, "connect"); err != nil {
		return action.Connected{}, err
	}
	text := show(o.Source, o.Destinations, o.Anonymous)
	if o.EarlyMedia {
		text += " early"
	}
	c.logf("  connect%s", text)
	if o.Timeout == 0 {
		o.Timeout = 60 * time.Second
	}
	ids, peers := c.legs(o.Destinations)
	got := action.Connected{CallIDs: ids}
	if len(ids) == 0 {
		got.Reason, got.Status = "failed", 404
		return got, nil
	}
	winner, ringing := -1, time.Duration(0)
	for i, p := range peers {
		if p.after == 0 || p.after > o.Timeout {
			peers[i] = peer{after: o.Timeout, reason: "dialout", status: 480}
		} else if p.reason == "" && (winner < 0 || p.after < peers[winner].after) {
			winner = i
		}
		ringing = max(ringing, peers[i].after)
	}
	if winner >= 0 {
		ringing = peers[winner].after
	}
	if err := wait(ctx, ringing); err != nil {
		c.logf("  cancelled %s", strings.Join(ids, " "))
		return got, err
	}
	if winner < 0 {
		got.Reason, got.Status = peers[0].reason, peers[0].status
		return got, nil
	}
	for i, p := range peers {
		if i != winner && p.after >= ringing {
			c.logf("  cancelled %s", ids[i])
		}
	}
	got.CallID, got.Reason, got.Status = ids[winner], "normal", 200
	if err := c.Answer(ctx); err != nil {
		return got, err
	}
	c.logf("  joined with %s", got.CallID)
	return got, c.stay(ctx)
}

func (c *caller) Dial(_ context.Context, o action.DialOptions) ([]string, error) {
	c.logf("  dial%s flow:%s %s chained:%t early:%t dir:%s", show(o.Source, o.Destinations, o.Anonymous),
		o.FlowID, o.Actions, o.Chained, o.EarlyExecution, o.Dir)
	ids, _ := c.legs(o.Destinations)
	if len(ids) == 0 {
		return nil, errors.New("no call could be made")
	}
	return ids, nil
}

func (c *caller) JoinBridge(ctx context.Context, id string) error {
	if err := c.fault(ctx, "bridge"); err != nil {
		return err
	}
	c.logf("  bridge %s", id)
	return c.stay(ctx)
}

func (c *caller) JoinConference(ctx context.Context, id string) error {
	if !slices.Contains(c.conferences, id) {
		return fmt.Errorf("%q: %w", id, action.ErrNoConference)
	}
	if err := c.fault(ctx, "conference"); err != nil {
		return err
	}
	c.logf("  conference %s", id)
	return c.stay(ctx)
}

func (c *caller) SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error {
	if err := c.fault(ctx, "digits"); err != nil {
		return err
	}
	c.logf("  send %s, each %s, %s between", digits, duration, interval)
	n := time.Duration(len(digits))
	return wait(ctx, n*duration+(n-1)*interval)
}

func (c *caller) Mute(_ context.Context, d media.Direction, on bool) error {
	c.logf("  mute %s: %t", d, on)
	return nil
}
