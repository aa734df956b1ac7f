package sip

import (
	"context"
	"strings"
)

// undecided is an INVITE of which Config.Admit has not decided yet.
type undecided struct {
	key       string // of its transaction
	cancelled bool   // guarded by Endpoint.mu
}

func inviteKeyOf(m *message) inviteKey { return inviteKey{m.callID, m.fromTag, m.cseq} }

// askAdmit has Config.Admit decide about m. Until then nothing is answered: a copy of m is absorbed, and a CANCEL remembered.
func (e *Endpoint) askAdmit(m *message, req *Request) {
	key, a := inviteKeyOf(m), &undecided{key: m.via.key()}
	m.body = req.Body // not the reader's
	e.mu.Lock()
	room := len(e.asking) < maxChecks
	if room {
		e.asking[key] = a
	}
	e.mu.Unlock()
	if !room || !e.start(func() { e.asked(m, req, a) }) {
		e.mu.Lock()
		delete(e.asking, key)
		e.mu.Unlock()
		e.unavailable(m, checkTimeout)
	}
}

// asked lets m in, or refuses it.
func (e *Endpoint) asked(m *message, req *Request, a *undecided) {
	adm := e.admission(req)
	if adm.Status != 0 {
		if e.settled(m, a) {
			e.refuse(m, 487, "")
			return
		}
		e.refuseAs(m, adm)
		return
	}
	if adm.User != "" {
		req.Authenticated = adm.User
		req.Headers = withoutCredentials(req.Headers)
		m.from.sticky = true
	}
	// The dialog is there before the INVITE ceases to be asked about, so that no copy of it is a new call.
	d := e.begin(m, req)
	cancelled := e.settled(m, a)
	switch {
	case d == nil:
	case cancelled:
		_ = d.Reject(487, "")
	default:
		e.invite(d)
	}
}

// admission calls Config.Admit; a panic in it refuses the call.
func (e *Endpoint) admission(req *Request) (adm Admission) {
	adm.Status = 500
	defer e.recovered("Config.Admit", nil)
	ctx, cancel := context.WithTimeout(e.life, checkTimeout)
	defer cancel()
	return e.cfg.Admit(ctx, req)
}

// settled ends the asking, and tells whether the caller has given up meanwhile.
func (e *Endpoint) settled(m *message, a *undecided) (cancelled bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if key := inviteKeyOf(m); e.asking[key] == a {
		delete(e.asking, key)
	}
	return a.cancelled
}

// isAsked tells whether m is being asked about, and absorbs a copy of it or refuses one by another way.
func (e *Endpoint) isAsked(m *message) bool {
	e.mu.Lock()
	a := e.asking[inviteKeyOf(m)]
	e.mu.Unlock()
	switch {
	case a == nil:
		return false
	case a.key != m.via.key():
		e.refuse(m, 482, "")
	default:
		e.stats.repeated.Add(1)
	}
	return true
}

// cancelAsked takes the CANCEL of an INVITE that is being asked about.
func (e *Endpoint) cancelAsked(m *message) bool {
	e.mu.Lock()
	a := e.asking[inviteKeyOf(m)]
	ok := a != nil && a.key == m.via.key() && m.toTag == ""
	if ok {
		a.cancelled = true
	}
	e.mu.Unlock()
	if ok {
		e.reply(m, 200, "")
	}
	return ok
}

func withoutCredentials(hs []Header) (left []Header) {
	for _, h := range hs {
		if !strings.EqualFold(h.Name, "Authorization") && !strings.EqualFold(h.Name, "Proxy-Authorization") {
			left = append(left, h)
		}
	}
	return left
}
