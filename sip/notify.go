package sip

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// notifyAgain is how long a NOTIFY waits that was refused for a reason that may pass.
const notifyAgain = 10 * time.Second

// SetDialog tells those who watch user how d stands. One that is WatchTerminated is forgotten once they know.
func (n *Notifier) SetDialog(user string, d WatchedDialog) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ds := n.dialogs[user]
	i := slices.IndexFunc(ds, func(o WatchedDialog) bool { return o.ID == d.ID })
	switch {
	case i >= 0 && ds[i] == d, i < 0 && d.State == WatchTerminated:
		return
	case d.State == WatchTerminated:
		ds = slices.Delete(ds, i, i+1)
	case i >= 0:
		ds[i] = d
	default:
		ds = append(ds, d)
	}
	if n.dialogs[user] = ds; len(ds) == 0 {
		delete(n.dialogs, user)
	}
	for s := range n.watchers[watchKey{EventPackageDialog, user}] {
		if d.State == WatchTerminated && len(s.ended) < maxWatched {
			s.ended = append(s.ended, d)
		}
		s.changed = true
		s.tell()
	}
}

// SetMessages tells those who watch user how many messages there are.
func (n *Notifier) SetMessages(user string, sum MessageSummary) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.messages[user] == sum {
		return
	}
	if n.messages[user] = sum; sum == (MessageSummary{}) {
		delete(n.messages, user)
	}
	for s := range n.watchers[watchKey{EventPackageMessage, user}] {
		s.changed = true
		s.tell()
	}
}

// Shutdown ends all subscriptions with the reason "deactivated", takes no more, and waits until the watchers have
// answered or ctx ends.
func (n *Notifier) Shutdown(ctx context.Context) {
	n.mu.Lock()
	n.closed = true
	wait := make(chan struct{})
	if n.empty = wait; len(n.subs) == 0 {
		close(wait)
		n.empty = nil
	}
	for _, s := range n.subs {
		s.end("deactivated")
	}
	n.mu.Unlock()
	select {
	case <-wait:
	case <-ctx.Done():
	}
}

// stop ends the timers: the endpoint closes.
func (n *Notifier) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, s := range n.subs {
		s.remove()
	}
}

// tell sends a NOTIFY if there is something to be told: one at a time, and no more often than NotifierConfig.Interval. n.mu is held.
func (s *subscription) tell() {
	if !s.changed || s.sending || s.gone {
		return
	}
	if wait := time.Until(s.earliest); wait > 0 {
		if s.next == nil {
			s.next = time.AfterFunc(wait, func() { s.e.start(s.tellNow) })
		}
		return
	}
	if s.next != nil {
		s.next.Stop()
		s.next = nil
	}
	s.sending = s.e.start(s.notify)
}

func (s *subscription) tellNow() {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.next = nil
	s.tell()
}

// notify sends one NOTIFY, with the state of this moment, and waits for its answer.
func (s *subscription) notify() {
	s.n.mu.Lock()
	req, f, err := s.request()
	last := s.over != ""
	s.n.mu.Unlock()
	var res *sip.Response
	if err == nil {
		res, err = s.e.exchangeBy(s.e.life, req, f)
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.sending = false
	switch {
	case s.e.closing():
		return
	case last || err != nil || res == nil || endsUsage(res.StatusCode):
		if err != nil {
			s.e.log.Debug("subscription ended", "peer", s.flow.Remote, "event", s.key.event, "err", err)
		}
		s.remove()
		return
	case res.StatusCode >= 300:
		wait := notifyAgain
		if n := finalOf(res).retryAfter(); n > 0 {
			wait = max(wait, time.Duration(n)*time.Second)
		}
		if s.over == "" {
			s.changed, s.earliest = true, time.Now().Add(wait)
		}
	}
	s.tell()
}

// endsUsage tells whether a response to NOTIFY ends the subscription (RFC 6665 4.2.2, RFC 5057 5.1). We have no password to
// give to who asks for one.
func endsUsage(status int) bool {
	switch status {
	case 401, 403, 404, 405, 407, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 603, 604:
		return true
	}
	return false
}

// request writes a NOTIFY with what there is now. n.mu is held.
func (s *subscription) request() (*sip.Request, flow, error) {
	f, err := s.e.flowOf(s.flow)
	if err != nil {
		return nil, f, err
	}
	target, routes, _, err := routed(s.target, s.routes)
	if err != nil {
		return nil, f, err
	}
	var recipient sip.Uri
	if err := sip.ParseUri(target, &recipient); err != nil {
		return nil, f, fmt.Errorf("sip: NOTIFY: target %q: %w", clip(target), err)
	}
	body, err := s.body()
	if err != nil {
		return nil, f, fmt.Errorf("sip: NOTIFY: %w", err)
	}
	s.changed, s.earliest = false, time.Now().Add(s.n.cfg.Interval)
	s.localSeq++
	req := sip.NewRequest("NOTIFY", recipient)
	add := func(name, value string) { req.AppendHeader(sip.NewHeader(name, value)) }
	for _, r := range routes {
		add("Route", r)
	}
	add("Max-Forwards", strconv.Itoa(maxForwards))
	add("From", s.local)
	add("To", s.remote)
	add("Call-ID", s.callID)
	add("CSeq", cseqValue(s.localSeq, "NOTIFY"))
	add("Contact", s.contact)
	add("Event", s.event)
	state := "terminated;reason=" + s.over
	if s.over == "" {
		state = "active;expires=" + strconv.Itoa(int(math.Ceil(max(0, time.Until(s.expires).Seconds()))))
	}
	add("Subscription-State", state)
	add("User-Agent", s.e.cfg.UserAgent)
	add("Content-Type", eventTypes[s.key.event])
	req.SetBody(body)
	return req, f, nil
}

// body is the state of this moment. n.mu is held.
func (s *subscription) body() ([]byte, error) {
	if s.key.event == EventPackageMessage {
		return s.n.messages[s.key.user].body(s.entity), nil
	}
	ds := slices.Concat(s.n.dialogs[s.key.user], s.ended)
	s.ended = nil
	b, err := dialogInfo(s.entity, s.version, ds)
	s.version++
	return b, err
}
