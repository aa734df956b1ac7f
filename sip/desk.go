package sip

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxChecks bounds the requests whose password is being looked up.
	maxChecks = 1000
	// checkTimeout bounds one such look-up.
	checkTimeout = 5 * time.Second
)

// desk is where requests come to that want a password and are no calls: REGISTER and SUBSCRIBE. What has no password gets a
// challenge at once and leaves nothing behind; the look-up of a password may wait for the host, so it has a goroutine of
// its own; the answer to who knew it is kept for copies of the request.
type desk struct {
	auth     *Authenticator
	requests *addrLimit
	replies  *replyTable
}

// newDesk lets an address send most requests at once; after that it has one every 10 milliseconds.
func newDesk(auth *Authenticator, most int) desk {
	return desk{auth: auth, requests: newAddrLimit(10*time.Millisecond, most, maxAddrs), replies: newReplyTable()}
}

// take reads m; false: it is one too many, a copy, or broken, and nothing is left to be done.
func (d *desk) take(e *Endpoint, m *message) (req *Request, ok bool) {
	if !d.requests.take(m.from.remote.Addr()) {
		e.stats.throttled.Add(1)
		return nil, false
	}
	if wire, known := d.replies.find(e.strays.key(m)); known {
		e.stats.repeated.Add(1)
		if wire != nil { // nil: it is being worked on
			_ = e.send(m.reply("").to, wire)
		}
		return nil, false
	}
	req, err := m.request()
	if err != nil {
		e.refuse(m, 400, badPhrase(err))
		return nil, false
	}
	return req, true
}

// answering sends the final response to a request and keeps it; tag is that of To, "": one that needs no memory.
type answering func(tag string, status int, phrase string, hs []Header)

// check has serve answer m, in a goroutine, once its sender has shown to be user; else m is refused.
func (d *desk) check(e *Endpoint, m *message, req *Request, serve func(ctx context.Context, user string, answer answering)) {
	if !d.auth.Answers(req, false) {
		e.refuseAs(m, d.auth.challenge(req, false, false))
		return
	}
	m.body = nil // the reader's
	key := e.strays.key(m)
	ok := e.checks.Add(1) <= maxChecks && d.replies.begin(key)
	if !ok || !e.start(func() {
		defer e.checks.Add(-1)
		defer e.recovered(m.method, nil)
		defer d.replies.drop(key) // unless it is kept
		ctx, cancel := context.WithTimeout(e.life, checkTimeout)
		defer cancel()
		adm := d.auth.Check(ctx, req, false)
		if adm.Status != 0 {
			d.replies.drop(key) // before somebody can know the answer
			e.refuseAs(m, adm)
			return
		}
		serve(ctx, adm.User, func(tag string, status int, phrase string, hs []Header) {
			rep := m.reply(cmp.Or(tag, e.statelessTag(m)))
			res := rep.response(status, phrase, "", append(hs, Header{"Server", e.cfg.UserAgent})...)
			_ = encode(res, func(b []byte) error {
				d.replies.keep(key, b)
				return e.send(rep.to, b)
			})
		})
	}) {
		e.checks.Add(-1)
		d.replies.drop(key)
		e.unavailable(m, checkTimeout)
	}
}

// refuseAs refuses m as a says.
func (e *Endpoint) refuseAs(m *message, a Admission) { e.refuse(m, a.Status, "", a.Headers...) }

// replyTable keeps what such requests were answered for as long as they can come again, so that a lost 200 does not
// become a challenge: see strayTable. Only who knows a password gets into it.
type replyTable struct {
	mu    sync.Mutex // guards the rest
	known map[uint64][]byte
	order []timedKey
}

type timedKey struct {
	key uint64
	end time.Time
}

// maxReplies bounds the answers, of 700 bytes, that are kept.
const maxReplies = 10_000

func newReplyTable() *replyTable { return &replyTable{known: make(map[uint64][]byte)} }

// find returns the answer; nil, when there is none yet.
func (t *replyTable) find(key uint64) (wire []byte, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	wire, known = t.known[key]
	return wire, known
}

// begin notes that key is being worked on; false: it is already.
func (t *replyTable) begin(key uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.known[key]; known {
		return false
	}
	t.known[key] = nil
	return true
}

// keep notes the answer.
func (t *replyTable) keep(key uint64, wire []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[key] = slices.Clone(wire)
	t.order = append(t.order, timedKey{key, time.Now().Add(strayLife)})
	t.forget()
}

// drop forgets that key was being worked on.
func (t *replyTable) drop(key uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wire, known := t.known[key]; known && wire == nil {
		delete(t.known, key)
	}
}

// forget makes room. t.mu is held.
func (t *replyTable) forget() {
	now := time.Now()
	n := 0
	for n < len(t.order) && (!t.order[n].end.After(now) || len(t.order)-n > maxReplies) {
		delete(t.known, t.order[n].key)
		n++
	}
	if n > 0 {
		t.order = slices.Delete(t.order, 0, n)
	}
}
