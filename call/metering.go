package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// BudgetOptions say how a call ends whose account has nothing left.
type BudgetOptions struct {
	// Warning is a prompt, as the play action has them, that the peer hears WarnBefore the end. "": none.
	Warning    string
	WarnBefore time.Duration // 0: 10 s where there is a Warning
}

const (
	// leadTime is how long before it is needed more is reserved: the accounts may be slow.
	leadTime = 2 * time.Second
	// reserveAtOnce is how long a time is reserved for at once where increments are shorter; less where that is too much.
	reserveAtOnce = 10 * time.Second
)

// metering is what is set aside for a call. Before the first input it belongs to who makes the call; then to the one that
// reserves, of whom there is one at a time (Meter.Asking), and to the end.
type metering struct {
	tickets  []*verify.Ticket
	reserved rating.Amount
}

// metersCalls tells whether calls have accounts at all.
func (e *Engine) metersCalls() bool {
	return e.cfg.Velocity != nil || e.cfg.Rates != nil || e.cfg.Accounts != nil
}

func (b BudgetOptions) lead() time.Duration {
	if b.Warning == "" {
		return leadTime
	}
	return cmp.Or(b.WarnBefore, 10*time.Second)
}

// accountOf is on whose account a call comes in: the extension's, or the trunk's.
func (e *Engine) accountOf(ctx context.Context, extension string, l *line) (string, error) {
	switch {
	case !e.metersCalls():
	case extension != "" && e.cfg.Extensions != nil:
		account := ""
		err := guarded(func() error {
			x, _, err := e.cfg.Extensions.Extension(ctx, extension)
			account = x.Account
			return err
		})
		return account, err
	case l != nil:
		return l.trunk.Account, nil
	}
	return "", nil
}

// inherited is the account of who a call of ours is placed for: of its parent, else of the oldest call of its journey that has one.
func (e *Engine) inherited(o *outgoing) string {
	for _, id := range []string{o.parent, o.master} {
		if p, ok := e.Call(id); ok && p.account != "" {
			return p.account
		}
	}
	first, account := "", ""
	for c := range e.journeyCalls(o.journey) {
		if c.account != "" && (first == "" || c.id < first) {
			first, account = c.id, c.account
		}
	}
	return account
}

// meterIn asks whether an incoming call may come in, beyond what verification has found: nil where it may.
func (c *Call) meterIn(in *Incoming, v *Verdict) (*Meter, *End) {
	e := c.engine
	p := c.metering.tickets[0]
	if e.cfg.Velocity != nil && !p.Begun() { // else Config.Verify has it among its checks, and has decided
		before := len(v.Checks)
		e.cfg.Velocity.Check(verify.WithTicket(c.flowCtx, p), in.caller(), v)
		if !p.Passed() {
			r := refusedByChecks(v.Checks[before:])
			v.Result, v.Status, v.Code, v.Sentence = VerdictReject, r.Status, r.Code, r.Sentence
			return nil, refusal(r)
		}
	}
	if c.account == "" && !p.Metered() {
		return nil, nil
	}
	return &Meter{Account: c.account, Reserves: p.Metered(), Lead: e.cfg.Budget.lead(), Warns: e.cfg.Budget.Warning != ""}, nil
}

// refusedByChecks is what the first check says that refuses.
func refusedByChecks(checks []Check) *Refusal {
	for _, k := range checks {
		if k.Status > 0 {
			return &Refusal{Status: k.Status, Code: k.Code, Sentence: k.Evidence}
		}
	}
	return &Refusal{Status: 403, Code: CodeRefused, Sentence: "velocity"}
}

// meterOut asks whether a call of ours may go out, and sets aside what its first increment takes, before any INVITE. What it refuses
// stands in o.refused.
func (c *Call) meterOut(o *outgoing) *Meter {
	e := c.engine
	if !e.metersCalls() {
		return nil
	}
	o.account = cmp.Or(o.account, e.inherited(o))
	c.account = o.account
	t := &Meter{Account: o.account, Lead: e.cfg.Budget.lead(), Warns: e.cfg.Budget.Warning != ""}
	if o.refused != nil || o.isEmergency() { // nobody counts, or asks for money, where somebody needs help
		return t
	}
	out := o.leaving()
	for _, a := range out {
		if a.Type == address.TypeTel && o.refused == nil {
			o.refused = t.rate(e, a)
		}
	}
	initial, _ := t.steps()
	first, _ := t.cost(0)
	for _, a := range out {
		if e.cfg.Velocity == nil || o.refused != nil {
			break
		}
		p := new(verify.Ticket)
		checks, ok := e.cfg.Velocity.Begin(p, verify.Attempt{
			Direction: verify.DirectionOutgoing, Source: o.source.Target, Destination: a.Target, Trunk: o.trunkName(), Account: o.account, Time: initial, Spend: int64(first),
		})
		o.checks = append(o.checks, checks...)
		for _, k := range checks {
			c.log().Warn("velocity", "code", k.Code, "evidence", k.Evidence)
		}
		if !ok {
			o.refused = refusedByChecks(checks)
			break
		}
		c.metering.tickets = append(c.metering.tickets, p)
		t.Reserves = t.Reserves || p.Metered()
	}
	if o.refused == nil && e.cfg.Accounts != nil && t.Rate != nil {
		t.Reserves = true
		if err := c.reserveUpTo(e.callCtx, t, first); err != nil {
			o.refused = &Refusal{Status: 402, Code: CodeBudgetExhausted, Sentence: err.Error()}
		}
	}
	return t
}

// leaving are the destinations of o that are outside.
func (o *outgoing) leaving() (all []address.Address) {
	if len(o.stages) == 0 {
		return append(all, o.destination)
	}
	for _, s := range o.stages {
		for _, t := range s.targets {
			if t.address.Type != address.TypeExtension {
				all = append(all, t.address)
			}
		}
	}
	return all
}

func (o *outgoing) trunkName() string {
	if t := o.at(0).trunk; t != nil {
		return t.Name
	}
	return ""
}

// rate takes the price of a number into t, which keeps the dearest: which of several answers is not known yet.
func (t *Meter) rate(e *Engine, a address.Address) *Refusal {
	r, ok := e.cfg.Rates.Find(a.Target, time.Now())
	switch {
	case !ok && e.cfg.Accounts != nil: // nobody could tell whether there is money for it
		return &Refusal{Status: 403, Code: CodeNoRate, Sentence: fmt.Sprintf("there is no rate for %s", a.Target)}
	case !ok:
	case t.Rate == nil, t.Rate.PerMinute < r.PerMinute:
		t.Rate = &r
	}
	return nil
}

// won is the price of the one of several phones that has answered.
func (c *Call) won(a address.Address) *rating.Rate {
	e := c.engine
	if !e.metersCalls() {
		return nil
	}
	if a.Type == address.TypeTel {
		if r, ok := e.cfg.Rates.Find(a.Target, time.Now()); ok {
			return &r
		}
	}
	return &rating.Rate{Initial: 60, Increment: 60}
}

var errNoMoney = errors.New("call: the account has not so much left")

// reserveUpTo makes what is reserved for the call total.
func (c *Call) reserveUpTo(ctx context.Context, t *Meter, total rating.Amount) error {
	m := &c.metering
	if c.engine.cfg.Accounts == nil || t.Rate == nil || total <= m.reserved {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ok := false
	err := guarded(func() (err error) {
		ok, err = c.engine.cfg.Accounts.Reserve(ctx, rating.Reservation{CallID: c.id, Account: t.Account, Currency: t.Rate.Currency, Amount: total - m.reserved})
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("call: reserve: %w", err)
	case !ok:
		return errNoMoney
	}
	m.reserved = total
	return nil
}

// reserve asks for more than t covers, and tells the loop.
func (c *Call) reserve(t Meter) {
	_, step := t.steps()
	before, _ := t.cost(t.Covered)
	var err error
	for n := max(1, int64((reserveAtOnce+step-1)/step)); n > 0; n /= 2 {
		d := time.Duration(n) * step
		total, _ := t.cost(t.Covered + d)
		if err = c.reserveUpTo(c.engine.callCtx, &t, total); err == nil {
			if err = c.takeMore(d, total-before); err == nil {
				c.post(Input{Kind: KindReserved, Reserved: &ReservedInput{Seconds: int64(d / time.Second)}})
				return
			}
		}
	}
	c.post(Input{Kind: KindReserved, Reserved: &ReservedInput{Error: err.Error()}})
}

var errNoTime = errors.New("call: a velocity limit has not so much left")

func (c *Call) takeMore(d time.Duration, spend rating.Amount) error {
	for _, p := range c.metering.tickets {
		if !p.Take(d, int64(spend)) {
			return errNoTime
		}
	}
	return nil
}

// settle gives back what the call has not used.
func (c *Call) settle(rec *store.Call) {
	for _, p := range c.metering.tickets {
		p.End(verify.Ended{
			Answered: !rec.TmProgressing.IsZero(), Talk: time.Duration(rec.TalkMS) * time.Millisecond, Spent: rec.Cost,
			Abandoned: rec.Direction == store.DirectionIncoming && rec.HangupBy == store.HangupByRemote && rec.TmProgressing.IsZero(),
		})
	}
	if c.metering.reserved == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := guarded(func() error { return c.engine.cfg.Accounts.Settle(ctx, c.id, rating.Amount(rec.Cost)) }); err != nil {
		c.log().Error("account not settled", "account", c.account, "cost", rec.Cost, "currency", rec.Currency, "err", err)
	}
}

// warn plays the warning to the peer.
func (c *Call) warn() {
	p := c.engine.cfg.Deps.Prompts
	if p == nil {
		return
	}
	src, err := p.OpenPrompt(withCall(c.flowCtx, c), "", c.engine.cfg.Budget.Warning)
	if err == nil {
		err = c.PlayInto(c.flowCtx, src, EarsCall)
	}
	if err != nil && c.flowCtx.Err() == nil {
		c.log().Warn("warning not played", "err", err)
	}
}
