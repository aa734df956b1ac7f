package verify

import (
	"context"
	"time"
)

// CodeNoCallBack is the code of a Check that keeps a call from who has rung only to be called back.
const CodeNoCallBack = "never_call_back"

// Ticket is a call that a Velocity has let pass. Who places or takes calls tells it how the call goes on; End has to be
// called once it is over, whatever became of it. The zero value, or one that was not let pass, does nothing. Safe for any goroutine.
type Ticket struct {
	Account string // of an incoming call; set before Check

	// Guarded by the Velocity's mu.
	begun, ok   bool
	checks      []Check
	v           *Velocity // nil: it was not let pass, or is over
	from        int64
	source      string
	time, spend int64 // that are set aside
	holds       []*counter
}

type ticketKey struct{}

// WithTicket hands p to a Velocity that is asked with the context.
func WithTicket(ctx context.Context, p *Ticket) context.Context {
	return context.WithValue(ctx, ticketKey{}, p)
}

// TicketOf is the Ticket of ctx, nil for none.
func TicketOf(ctx context.Context) *Ticket {
	p, _ := ctx.Value(ticketKey{}).(*Ticket)
	return p
}

// Begun tells whether a Velocity was asked for the call.
func (p *Ticket) Begun() bool { return p.begun }

// Passed tells whether it let the call pass.
func (p *Ticket) Passed() bool { return p.ok }

// Metered tells whether a limit of the call is about time or money: then Take has to be asked before what was set aside is used up.
func (p *Ticket) Metered() bool {
	if p.v == nil {
		return false
	}
	for _, c := range p.holds {
		if k := p.v.limits[c.key.limit].Kind; k == LimitMinutes || k == LimitSpend {
			return true
		}
	}
	return false
}

// Take sets more aside, in all limits or, where one of them does not allow it, in none.
func (p *Ticket) Take(d time.Duration, spend int64) bool {
	v := p.v
	if v == nil {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.v == nil {
		return false
	}
	a := asked{Attempt: Attempt{Time: d, Spend: spend}}
	now, wall := v.now(), time.Now()
	for _, c := range p.holds {
		l := &v.limits[c.key.limit]
		if (l.Kind == LimitMinutes || l.Kind == LimitSpend) && l.Action != ActionFlag && a.need(l) > 0 && v.over(c, l, &a, now, wall) {
			return false
		}
	}
	for _, c := range p.holds {
		if l := &v.limits[c.key.limit]; l.Kind == LimitMinutes || l.Kind == LimitSpend {
			v.take(c, l, &a, now, wall)
		}
	}
	p.time += d.Milliseconds()
	p.spend += spend
	return true
}

// Ended is what became of a call.
type Ended struct {
	Answered  bool
	Talk      time.Duration // since the answer
	Spent     int64         // millionths
	Abandoned bool          // the caller gave up before the answer
}

// End tells that the call is over. A second one does nothing.
func (p *Ticket) End(e Ended) {
	v := p.v
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.v == nil {
		return
	}
	p.v = nil
	now := v.now()
	for _, c := range p.holds {
		l := &v.limits[c.key.limit]
		c.passes--
		v.age(c, l, now)
		switch l.Kind {
		case LimitConcurrent:
			c.held--
		case LimitMinutes:
			c.held -= p.time
			if ms := (e.Talk + time.Millisecond - 1).Milliseconds(); ms > 0 {
				v.add(c, l, ms, now)
			}
		case LimitSpend:
			c.held -= p.spend
			if e.Spent > 0 {
				v.add(c, l, e.Spent, now)
			}
		case LimitShortCalls:
			if e.Answered {
				v.addShort(c, l, int64(e.Talk) < l.under, now)
			}
		case LimitOneRing:
			if (e.Abandoned || e.Answered) && now-p.from < l.under {
				v.see(c, p.source, now, maxCounted)
				v.lure(c, l, now)
			}
		}
	}
	p.holds = nil
}

// addShort notes whether an answered call was short, among the last ones.
func (v *Velocity) addShort(c *counter, l *limit, short bool, now int64) {
	n := int64(0)
	if short {
		n = 1
	}
	if len(c.log) >= l.Last || len(c.log) > 0 && v.entries >= maxEntries {
		c.sum -= c.log[0].n
		c.log = append(c.log[:0], c.log[1:]...)
		v.entries--
	}
	c.sum += n
	c.log = append(c.log, entry{now, n})
	v.entries++
}

// lure puts the callers of a one-ring pattern on the list of numbers that must not be called back. Of more than maxLures numbers
// the oldest are forgotten.
func (v *Velocity) lure(c *counter, l *limit, now int64) {
	if int64(len(c.seen)) <= l.Max {
		return
	}
	for _, s := range c.seen {
		if v.lures[s.name] != 0 {
			continue
		}
		v.lures[s.name] = now + v.noCallBack
		v.oldest = append(v.oldest, s.name)
	}
	for len(v.oldest) > 0 && (len(v.oldest) > maxLures || v.lures[v.oldest[0]] <= now) {
		delete(v.lures, v.oldest[0])
		v.oldest = v.oldest[1:]
	}
}

// MayCallBack tells whether number may be called: no LimitOneRing has met it. Begin asks it for outgoing calls.
func (v *Velocity) MayCallBack(number string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mayCallBack(number, v.now())
}

func (v *Velocity) mayCallBack(number string, now int64) bool {
	until, ok := v.lures[short(number)]
	return !ok || until <= now
}
