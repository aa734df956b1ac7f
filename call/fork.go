package call

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// fork is one call of ours to several phones: all of a stage ring with the same offer, the first that answers is the
// far end, and the others get CANCEL. The loop of the call sees it as one dialog.
//
// No method of a sip.Dialog is called with mu held: events may come from within it.
type fork struct {
	call  *Call
	offer string

	mu       sync.Mutex // guards the rest
	stages   []stage    // not rung yet
	branches []*branch
	winner   *branch
	stop     string // value of the Reason that the call was given up with
	over     bool   // the loop was told that nobody has answered
	timer    *time.Timer

	unwatched bool // the call is over: nobody watches it any more
}

// branch is one phone that rings.
type branch struct {
	target target
	dialog *sip.Dialog
	begun  time.Time
	live   bool
	rings  bool
	tries  []sip.Attempt
	end    *sip.Event // how it came to nothing
}

const completedElsewhere = `SIP;cause=200;text="Call completed elsewhere"` // RFC 3326 2

// ring places the INVITEs of the first stage that takes any. It runs on the loop.
func (c *Call) ring(offer string) Input {
	f := &fork{call: c, offer: offer, stages: c.out.stages}
	c.fork = f
	f.mu.Lock()
	end := f.next()
	f.watch()
	id := ""
	if len(f.branches) > 0 && f.branches[0].dialog != nil {
		id = f.branches[0].dialog.CallID()
	}
	f.mu.Unlock()
	if end != nil {
		return Input{Kind: KindSIP, SIP: end}
	}
	return Input{Kind: KindInvited, Invited: &InvitedInput{SIPCallID: id}}
}

// next rings the next stage; an event: there is none, and nobody has answered. f.mu is held, which keeps the events of a branch
// back until it is complete: sip.Endpoint.Call hands out none by itself.
func (f *fork) next() *sip.Event {
	if f.timer != nil {
		f.timer.Stop()
	}
	for len(f.stages) > 0 && f.stop == "" {
		s := f.stages[0]
		f.stages = f.stages[1:]
		ringing := 0
		for _, t := range s.targets {
			b := &branch{target: t, begun: time.Now()}
			f.branches = append(f.branches, b)
			o := f.call.sipOutgoing(t)
			o.Body = []byte(f.offer)
			o.Handle = func(ev sip.Event) { f.event(b, ev) }
			d, err := f.call.engine.sip.Call(o)
			if err != nil {
				b.end = &sip.Event{Kind: sip.EventRefused, Local: true, Status: 503, Reason: err.Error()}
				b.tries = []sip.Attempt{b.attempt(503, err.Error())}
				continue
			}
			b.dialog, b.live = d, true
			ringing++
		}
		if ringing == 0 {
			continue
		}
		if s.patience > 0 && len(f.stages) > 0 {
			f.timer = time.AfterFunc(s.patience, func() { f.tired(len(f.stages)) })
		}
		return nil
	}
	f.over = true
	return f.result()
}

func (b *branch) attempt(status int, why string) sip.Attempt {
	a := sip.Attempt{URI: b.target.way.uri, Network: b.target.flow.Network, Status: status, Reason: why, At: b.begun, MS: time.Since(b.begun).Milliseconds()}
	if !b.target.flow.IsZero() {
		a.Addr = b.target.flow.Remote.String()
	}
	return a
}

// tired ends a stage that has rung for long enough; left are the stages that were still to come when it began.
func (f *fork) tired(left int) {
	f.mu.Lock()
	if f.winner != nil || f.over || f.stop != "" || len(f.stages) != left {
		f.mu.Unlock()
		return
	}
	old := f.alive(nil)
	end := f.next()
	f.watch()
	f.mu.Unlock()
	cancelAll(old, q850(16))
	f.tell(end)
}

// alive are the dialogs of all branches that ring but b. f.mu is held.
func (f *fork) alive(b *branch) (ds []*sip.Dialog) {
	for _, o := range f.branches {
		if o != b && o.live {
			ds = append(ds, o.dialog)
		}
	}
	return ds
}

func cancelAll(ds []*sip.Dialog, reason string) {
	h := sip.Header{Name: "Reason", Value: reason}
	for _, d := range ds {
		if d.Cancel(h) != nil { // it was faster: its answer is on its way, or here
			_ = d.Bye(h)
		}
	}
}

// cancel gives all of it up, for reason; false: somebody has answered.
func (f *fork) cancel(reason string) bool {
	f.mu.Lock()
	if f.winner != nil {
		f.mu.Unlock()
		return false
	}
	f.stop = reason
	if f.timer != nil {
		f.timer.Stop()
	}
	ds := f.alive(nil)
	f.watch()
	f.mu.Unlock()
	cancelAll(ds, reason)
	return true
}

// event takes what a branch tells.
func (f *fork) event(b *branch, ev sip.Event) {
	var others []*sip.Dialog
	var end *sip.Event
	pass, bye := false, false
	f.mu.Lock()
	switch {
	case f.winner == b:
		pass = true
	case ev.Kind == sip.EventAccepted && f.winner == nil && f.stop == "":
		f.winner, b.live, pass = b, false, true
		if f.timer != nil {
			f.timer.Stop()
		}
		ev.Attempts = f.attempts(b, ev.Attempts)
		others = f.alive(b)
		f.call.dialog.Store(b.dialog)
		if t := b.target; t.address.Type == address.TypeExtension { // its phone has given the password to be there
			x := extensionName(t.address)
			f.call.extension.Store(&x)
		}
	case ev.Kind == sip.EventAccepted: // it has crossed our CANCEL
		bye = true
	case ev.Kind == sip.EventProgress:
		pass = f.winner == nil && f.stop == "" && b.live
		b.rings = b.rings || ev.Status >= 180
	case b.live && (ev.Kind == sip.EventRefused || ev.Kind == sip.EventByeDone || ev.Kind == sip.EventBye || ev.Kind == sip.EventFailed):
		b.live, b.end, b.tries = false, &ev, ev.Attempts
		switch rest := f.alive(nil); {
		case f.winner != nil || f.over:
		case ev.Kind == sip.EventRefused && ev.Status >= 600 && len(rest) > 0:
			others = rest // one that speaks for all (RFC 3261 16.7)
			f.stages = nil
		case len(rest) == 0:
			end = f.next()
		}
	}
	f.watch()
	f.mu.Unlock()
	if pass {
		if ev.Kind == sip.EventAccepted {
			f.call.post(Input{Kind: KindInvited, Invited: &InvitedInput{SIPCallID: b.dialog.CallID(), Rate: f.call.won(b.target.address)}})
		}
		f.call.sipEvent(ev)
	}
	if bye {
		_ = b.dialog.Bye(sip.Header{Name: "Reason", Value: completedElsewhere})
	}
	reason := completedElsewhere
	if !pass {
		reason = q850(21)
	}
	cancelAll(others, reason)
	f.tell(end)
}

func (f *fork) tell(end *sip.Event) {
	if end != nil {
		f.call.sipEvent(*end)
	}
}

// result is the best answer of those that came to nothing: one for all (6xx), else the one that says most, a busy phone before a
// silent one. f.mu is held.
func (f *fork) result() *sip.Event {
	if f.stop != "" {
		return &sip.Event{Kind: sip.EventRefused, Local: true, Status: 487, Reason: "given up", Attempts: f.attempts(nil, nil)}
	}
	var best *sip.Event
	for _, b := range f.branches {
		if b.end != nil && (best == nil || telling600(b.end) > telling600(best)) {
			best = b.end
		}
	}
	ev := sip.Event{Kind: sip.EventRefused, Local: true, Status: 503, Reason: "no phone could be reached"}
	if best != nil {
		ev = *best
		ev.Kind = sip.EventRefused
	}
	ev.Attempts = f.attempts(nil, nil)
	return &ev
}

// telling600 ranks how calls came to nothing.
func telling600(e *sip.Event) int {
	switch {
	case e.Kind != sip.EventRefused:
		return 0
	case e.Status >= 600:
		return 1000 + e.Status
	case e.Local:
		return 1
	case e.Status == 486:
		return 999
	case e.Status == 487:
		return 2 // that we have cancelled
	}
	return 700 - e.Status // the lowest class
}

// attempts are those of all branches, the winner's last. f.mu is held.
func (f *fork) attempts(winner *branch, own []sip.Attempt) (all []sip.Attempt) {
	for _, b := range f.branches {
		switch {
		case b == winner:
		case b.tries != nil:
			all = append(all, b.tries...)
		case winner != nil:
			all = append(all, b.attempt(487, "another phone has answered"))
		default:
			all = append(all, b.attempt(487, "given up"))
		}
	}
	slices.SortStableFunc(all, func(a, b sip.Attempt) int { return a.At.Compare(b.At) })
	return append(all, own...)
}

// sipOutgoing is the INVITE to t, without its body.
func (c *Call) sipOutgoing(t target) sip.Outgoing {
	o := c.out.as(t.address)
	out := sip.Outgoing{
		URI: t.way.uri, Flow: t.flow, MaxForwards: o.maxForwards, Redirect: c.mayFollow,
		// The loop's own timer comes first, and cancels.
		Timeout: c.patience() + time.Minute,
	}
	out.From, out.Headers = c.engine.from(&o, &t.way)
	if t.address.Type == address.TypeExtension {
		out.To = "sip:" + sipUser(extensionName(t.address)) + "@" + c.engine.ownHost()
	}
	if tr := t.way.trunk; tr != nil {
		out.Credentials = tr.credentials()
	}
	return out
}

// patience is how long the call may ring.
func (c *Call) patience() time.Duration {
	one := cmp.Or(c.out.timeout, c.engine.cfg.RingTimeout, DefaultRingTimeout)
	if len(c.out.stages) < 2 {
		return one
	}
	var all time.Duration
	for _, s := range c.out.stages {
		all += cmp.Or(s.patience, one)
	}
	return all
}

// sipUser escapes the name of an extension for a URI.
func sipUser(name string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', slices.Contains([]byte("-_.!~*'()&=+$,;?/"), c):
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
