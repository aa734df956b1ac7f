package flowtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// defaultRing is how long somebody rings where nothing says otherwise.
const defaultRing = 60 * time.Second

// ringing is one connect.
type ringing struct {
	leg    *Leg
	o      action.ConnectOptions
	screen flow.Program // nil: none
	how    string
	start  time.Time
	got    action.Connected
	rank   int // of got.Reason in telling
}

// Connect calls all at once, or one after the other, and joins the first who answers, and accepts.
func (l *Leg) Connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	if err := l.fault(ctx, "connect"); err != nil {
		return action.Connected{}, err
	}
	if ctx.Err() != nil { // the call ended while a sound of the step before did
		return action.Connected{}, context.Cause(ctx)
	}
	r := ringing{leg: l, o: o, how: shown(o.Source, o.Anonymous), start: time.Now(), rank: -1}
	if o.EarlyMedia {
		r.how += " early"
	}
	if o.Screening != nil {
		var err error
		if r.screen, err = l.screening(ctx, *o.Screening); err != nil {
			return action.Connected{}, err
		}
	}
	winner, err := r.ring(ctx)
	r.got.Ring = time.Since(r.start)
	if winner == nil {
		return r.got, err
	}
	r.got.CallID, r.got.Reason, r.got.Status, r.got.Destination, r.got.EndedBy = winner.id, "normal", 200, winner.to, ""
	if err := l.Answer(ctx); err != nil {
		return r.got, err
	}
	r.got.Ring = time.Since(r.start)
	l.Log(KindJoins, "%s", winner.to)
	joined := time.Now()
	r.got.EndedBy, err = l.talk(ctx, o.HangupKey, o.MaxDuration)
	r.got.Talk = time.Since(joined)
	switch r.got.EndedBy {
	case "key":
		l.Log("parts", "by key")
	case "duration":
		r.got.Reason = "timeout"
		l.Log("parts", "by duration")
	}
	return r.got, err
}

// ring returns who answered, nil: nobody.
func (r *ringing) ring(ctx context.Context) (*callee, error) {
	limit := defaultRing
	for _, t := range []time.Duration{r.o.Timeout, r.o.RingTimeout} {
		if t > 0 && (t < limit || limit == defaultRing) {
			limit = t
		}
	}
	if r.o.RingMethod != "linear" {
		return r.round(ctx, r.leg.dial(r.o.Destinations, r.how), limit)
	}
	for i := range r.o.Destinations {
		if left := r.o.Timeout - time.Since(r.start); r.o.Timeout > 0 {
			if left <= 0 {
				break
			}
			limit = min(limit, left)
		}
		winner, err := r.round(ctx, r.leg.dial(r.o.Destinations[i:i+1], r.how), limit)
		if winner != nil || err != nil {
			return winner, err
		}
	}
	return nil, nil
}

// telling are the reasons of attempts, the one that says most last: an engine tells that one.
var telling = []string{"cancel", "failed", "dialout", "noanswer", "busy"}

func (r *ringing) failed(reason string, status int) {
	if rank := slices.Index(telling, reason); r.got.Reason == "" || rank > r.rank {
		r.rank, r.got.Reason, r.got.Status = rank, reason, status
	}
}

// round rings peers at the same time.
func (r *ringing) round(ctx context.Context, peers []callee, limit time.Duration) (*callee, error) {
	var order []*callee // in which they do something
	for i := range peers {
		p := &peers[i]
		r.got.CallIDs = append(r.got.CallIDs, p.id)
		switch {
		case p.Unknown:
			r.failed(p.Reason, p.Status)
			continue
		case p.After == 0 || p.After > limit:
			p.Peer = Peer{After: limit, Reason: "dialout", Status: 487}
		}
		order = append(order, p)
	}
	slices.SortStableFunc(order, func(a, b *callee) int { return int(a.After - b.After) })
	begun := time.Now()
	ended := make(chan ending, len(peers))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var screened []*callee // that are up
	next := 0
	for next < len(order) || len(screened) > 0 {
		var timer <-chan time.Time
		if next < len(order) {
			timer = time.After(order[next].After - time.Since(begun))
		}
		select {
		case <-ctx.Done():
			r.cancel(peers, order[next:], screened, nil)
			if next < len(order) {
				r.failed("cancel", 487)
			}
			for range screened {
				<-ended
			}
			return nil, context.Cause(ctx)
		case <-timer:
			p := order[next]
			next++
			switch {
			case p.Reason != "":
				if p.Reason == "dialout" { // it has rung for long enough
					r.leg.Log(KindCancels, "%s", p.to)
				}
				r.failed(p.Reason, p.Status)
			case r.screen == nil:
				r.cancel(peers, order[next:], nil, p)
				return p, nil
			default:
				screened = append(screened, p)
				go func() { ended <- ending{p, r.leg.screen(ctx, p, r.screen, r.o)} }()
			}
		case e := <-ended:
			screened = slices.DeleteFunc(screened, func(c *callee) bool { return c == e.of })
			if e.accepts {
				r.cancel(peers, order[next:], screened, e.of)
				cancel(action.ErrHangup) // of the screenings of others
				for range screened {
					<-ended
				}
				return e.of, nil
			}
			r.failed("noanswer", 603)
			r.got.EndedBy = "screening"
		}
	}
	return nil, nil
}

// ending is that of a screening.
type ending struct {
	of      *callee
	accepts bool
}

// cancel gives up who rings still or is screened, in the order of the destinations.
func (r *ringing) cancel(all []callee, ringing, screened []*callee, but *callee) {
	for i := range all {
		p := &all[i]
		if p != but && (slices.Contains(ringing, p) || slices.Contains(screened, p)) {
			r.leg.Log(KindCancels, "%s", p.to)
		}
	}
}

// talk lasts until the far end leaves, or until one of keys or the limit ends it.
func (l *Leg) talk(ctx context.Context, keys string, limit time.Duration) (by string, err error) {
	defer l.with()()
	l.mu.Lock()
	left := l.left
	l.mu.Unlock()
	before, _ := l.digits.PeekDigits()
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	for {
		digits, pressed := l.digits.PeekDigits()
		cut := keys != "" && strings.ContainsAny(digits[min(len(before), len(digits)):], keys)
		if cut {
			return "key", nil
		}
		select {
		case <-left:
			return "callee", nil
		case <-pressed:
		case <-over:
			return "duration", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// screening finds what runs on who answers.
func (l *Leg) screening(ctx context.Context, s action.Screening) (flow.Program, error) {
	if s.FlowID == "" {
		return flow.Parse(s.Actions, flow.ParseOptions{Registry: l.registry, Name: "inline", Dir: s.Dir})
	}
	p, err := l.FlowByID(ctx, s.FlowID)
	if err != nil {
		return nil, fmt.Errorf("screening: %w", err)
	}
	return p, nil
}

// screen runs p on who has answered, and tells whether it lets the two be joined.
func (l *Leg) screen(ctx context.Context, c *callee, p flow.Program, o action.ConnectOptions) (accepts bool) {
	ctx, hangup := context.WithCancelCause(ctx)
	defer hangup(nil)
	s := &screened{World: l.World, id: c.id, hangup: hangup}
	for name, value := range map[string]string{
		"voipbin.call.id": c.id, "voipbin.call.direction": "outgoing", "voipbin.call.master_call_id": l.ID(),
		"voipbin.call.source.type": string(o.Source.Type), "voipbin.call.source.target": o.Source.Target,
		"voipbin.call.destination.type": string(c.to.Type), "voipbin.call.destination.target": c.to.Target,
	} {
		if value != "" {
			_ = s.vars.Set(name, value) // within the limits
		}
	}
	l.Log("screens", "%s", c.id)
	if c.Keys != "" {
		t := time.AfterFunc(c.KeysAfter, func() { s.press(c.Keys) })
		defer t.Stop()
	}
	err := p.Run(ctx, s)
	switch {
	case ctx.Err() != nil:
		if errors.Is(context.Cause(ctx), errRefused) {
			l.Log("refuses", "%s", c.id)
		}
		return false
	case err != nil:
		l.Log("refuses", "%s: %s", c.id, firstLine(err))
		return false
	}
	l.Log("accepts", "%s", c.id)
	return true
}
