package sip

import (
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// response gives a response to the client transaction that waits for it.
func (e *Endpoint) response(m *message) {
	switch {
	case m.faultStatus != 0:
		e.junk(m.from.remote, m.fault)
		return
	case m.vias > 1:
		e.junk(m.from.remote, "response for somebody else") // RFC 3261 8.1.3.3
		return
	}
	if e.log.Enabled(e.life, slog.LevelDebug) {
		e.log.Debug("response", "status", m.status, "method", m.method, "peer", m.from.remote, "call_id", clip(m.callID))
	}
	if m.method == "INVITE" || m.method == "CANCEL" {
		e.inviteResponse(m)
		return
	}
	e.mu.Lock()
	tx := e.clients[m.via.branch]
	e.mu.Unlock()
	if tx == nil && isPong(m) {
		return
	}
	if tx == nil {
		e.stats.stray.Add(1)
		return
	}
	tx.Receive(m.sipResponse())
}

// request does what RFC 3261 8.2 and 12.2.2 ask of a UAS, in that order.
//
// It keeps no server transaction for what it refuses by itself: the same
// request gets the same answer when it comes again, To tag included, so that
// strangers cost no memory (RFC 3261 8.2.7).
func (e *Endpoint) request(m *message) {
	if e.log.Enabled(e.life, slog.LevelDebug) {
		e.log.Debug("request", "method", m.method, "uri", clip(m.uri), "peer", m.from.remote, "call_id", clip(m.callID))
	}
	switch {
	case m.method == "ACK":
		e.ack(m)
		return
	case e.dropped(m):
		return
	case m.faultStatus != 0:
		e.refuse(m, m.faultStatus, m.fault)
		return
	case m.method == "CANCEL":
		e.cancel(m)
		return
	}
	if e.strays.has(e.strays.key(m)) {
		e.stats.repeated.Add(1)
		if m.method != "INVITE" { // that one was acknowledged: the peer has its answer
			e.reply(m, 200, "")
		}
		return
	}
	var d *Dialog
	if m.toTag != "" && !e.ofNotifier(m) {
		if d = e.dialog(m); d == nil {
			e.refuse(m, 481, "")
			return
		}
	}
	switch m.method {
	case "INVITE", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK":
	case "REFER":
		if !e.cfg.Transfer {
			e.refuse(m, 405, "", Header{"Allow", e.allowed()})
			return
		}
		if d == nil {
			e.refuse(m, 403, "")
			return
		}
	case "REGISTER":
		if e.cfg.Registrar == nil {
			e.refuse(m, 405, "", Header{"Allow", e.allowed()})
			return
		}
	case "SUBSCRIBE":
		if e.cfg.Notifier == nil && (d == nil || !e.cfg.Transfer) {
			e.refuse(m, 405, "", Header{"Allow", e.allowed()})
			return
		}
	case "NOTIFY":
		if !e.cfg.Transfer {
			e.refuse(m, 405, "", Header{"Allow", e.allowed()})
			return
		}
	case "MESSAGE", "PUBLISH":
		e.refuse(m, 405, "", Header{"Allow", e.allowed()})
		return
	default:
		e.refuse(m, 501, "", Header{"Allow", e.allowed()})
		return
	}
	u, err := parseURI(m.uri)
	switch {
	case err != nil:
		e.refuse(m, 400, "Malformed Request-URI")
		return
	case u.scheme != "sip" && u.scheme != "sips" && u.scheme != "tel":
		e.refuse(m, 416, "")
		return
	case u.header:
		e.refuse(m, 400, "Headers In Request-URI")
		return
	}
	if d == nil && m.method == "INVITE" {
		if e.known(m) {
			return
		}
	} else if e.cfg.Transfer && len(m.values("replaces")) > 0 {
		e.refuse(m, 400, "Replaces Is For A New Call") // RFC 3891 3
		return
	}
	// RFC 3261 8.2.2.3.
	if not := e.unsupported(m.list("require")); len(not) > 0 {
		e.refuse(m, 420, "", Header{"Unsupported", strings.Join(not, ", ")})
		return
	}
	switch {
	case d != nil:
		d.request(m)
	case m.method == "INVITE":
		e.newCall(m)
	case m.method == "REGISTER":
		e.register(m)
	case m.method == "SUBSCRIBE":
		e.subscribe(m)
	case m.method == "OPTIONS":
		e.options(m)
	default:
		e.refuse(m, 481, "")
	}
}

// dropped tells whether m is not even refused.
func (e *Endpoint) dropped(m *message) bool {
	if e.cfg.Drop == nil || m.toTag != "" || !e.cfg.Drop(m.method, m.value("user-agent"), m.from.remote) {
		return false
	}
	if n := e.stats.dropped.Add(1); n&(n-1) == 0 { // the 1st, 2nd, 4th, 8th: whoever scans sends thousands
		e.log.Debug("request dropped", "method", m.method, "peer", m.from.remote, "user_agent", clip(m.value("user-agent")), "dropped_so_far", n)
	}
	return true
}

// dialog finds the dialog of a request with a To tag.
func (e *Endpoint) dialog(m *message) *Dialog {
	e.mu.Lock()
	d := e.dialogs[m.toTag]
	if d == nil {
		d = e.usages[m.toTag] // its call is over
	}
	e.mu.Unlock()
	if d == nil || d.callID != m.callID || !d.knows(m.fromTag) {
		return nil
	}
	return d
}

// ofNotifier tells whether m is of a subscription that Config.Notifier knows; those that a REFER made belong to their dialog.
func (e *Endpoint) ofNotifier(m *message) bool {
	if m.method != "SUBSCRIBE" || e.cfg.Notifier == nil {
		return false
	}
	event, _ := cutOutside(m.value("event"), ';')
	return !e.cfg.Transfer || !strings.EqualFold(event, eventPackageRefer)
}

// known deals with an INVITE that is not the first of its kind: it came again,
// or took two ways to us (RFC 3261 8.2.2.2).
func (e *Endpoint) known(m *message) bool {
	e.mu.Lock()
	d := e.invites[inviteKey{m.callID, m.fromTag, m.cseq}]
	e.mu.Unlock()
	switch {
	case d == nil && e.strays.has(e.strays.keyOf("INVITE", m.callID, m.fromTag, anyVia, m.cseq)):
		e.refuse(m, 482, "") // by another way, and the call is over already
	case d == nil:
		return e.isAsked(m)
	case d.inviteVia == m.via.key():
		e.stats.repeated.Add(1)
		d.inviteAgain()
	default:
		e.refuse(m, 482, "")
	}
	return true
}

// newCall checks an INVITE outside of a dialog and makes a Dialog of it.
func (e *Endpoint) newCall(m *message) {
	if e.turnedAway(m) {
		return
	}
	if m.maxForward == 0 {
		// A final destination may take it, but what takes calls here can send them on.
		e.refuse(m, 483, "")
		return
	}
	if status, h := m.checkBody(); status != 0 {
		e.refuse(m, status, "", h)
		return
	}
	if status, phrase, hs := e.checkSession(m); status != 0 {
		e.refuse(m, status, phrase, hs...)
		return
	}
	if m.contact == "" {
		e.refuse(m, 400, "Missing Contact")
		return
	}
	req, err := m.request()
	if err != nil {
		e.refuse(m, 400, badPhrase(err))
		return
	}
	if u, err := parseURI(req.Contact.URI); err != nil || u.scheme != "sip" && u.scheme != "sips" {
		e.refuse(m, 400, "Contact Is Not A SIP URI")
		return
	}
	if _, status, phrase := e.replaced(m); status != 0 {
		e.refuse(m, status, phrase)
		return
	}
	if e.cfg.Admit != nil {
		e.askAdmit(m, req)
		return
	}
	if d := e.begin(m, req); d != nil && !e.start(func() { e.invite(d) }) {
		_ = d.Reject(503, "")
	}
}

// begin makes the dialog of an INVITE that may come in; nil: there is no room, or what it was to replace is over meanwhile.
func (e *Endpoint) begin(m *message, req *Request) *Dialog {
	old, status, phrase := e.replaced(m)
	if status != 0 {
		e.refuse(m, status, phrase)
		return nil
	}
	d := e.newDialog(m, req, old)
	if d == nil {
		e.unavailable(m, 5*time.Second)
		return nil
	}
	e.stats.invites.Add(1)
	return d
}

// invite hands d to the application.
func (e *Endpoint) invite(d *Dialog) {
	defer e.recovered("Config.Invite", d)
	e.cfg.Invite(d)
}

// turnedAway refuses an INVITE that is not welcome. One that was refused stays so: its peer has the answer, or will
// get it, and would not know of a call.
func (e *Endpoint) turnedAway(m *message) bool {
	if e.cfg.Ready == nil {
		return false
	}
	key := e.turned.key(m)
	if e.turned.has(key) {
		e.stats.repeated.Add(1)
		e.unavailable(m, 5*time.Second)
		return true
	}
	ok, after := e.cfg.Ready(m.waited)
	if ok {
		return false
	}
	e.turned.add(key)
	e.unavailable(m, after)
	return true
}

// maxTurned is how many INVITEs that were not welcome are known again.
const maxTurned = 1 << 16

// badPhrase makes a reason phrase of err, which may hold text of the peer.
func badPhrase(err error) string {
	s := strings.TrimPrefix(err.Error(), "sip: ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, "Bad Request: "+s)
}

func (e *Endpoint) unavailable(m *message, after time.Duration) {
	if after <= 0 {
		e.refuse(m, 503, "")
		return
	}
	e.refuse(m, 503, "", retryAfter(int((after+time.Second-1)/time.Second)))
}

func retryAfter(seconds int) Header { return Header{"Retry-After", strconv.Itoa(seconds)} }

// retrySoon is what RFC 3261 14.2 wants with a 500: 0 to 10 seconds.
func retrySoon() Header { return retryAfter(rand.IntN(11)) }

// checkBody says whether a session description, or nothing, is in the body
// (RFC 3261 8.2.3). A body marked as optional is none.
func (m *message) checkBody() (status int, h Header) {
	if len(m.body) == 0 {
		return 0, Header{}
	}
	if enc := strings.ToLower(m.value("content-encoding")); enc != "" && enc != "identity" {
		return 415, Header{"Accept-Encoding", "identity"}
	}
	t := mediaType(m.ctype)
	if t == "application/sdp" {
		return 0, Header{}
	}
	if _, ok := sdpPart(m.ctype, m.body); ok {
		return 0, Header{}
	}
	if _, params := cutOutside(m.value("content-disposition"), ';'); params != "" {
		if v, _ := param(params, "handling"); strings.EqualFold(v, "optional") {
			m.body = nil
			return 0, Header{}
		}
	}
	return 415, Header{"Accept", accepted}
}

// options answers as an INVITE would be (RFC 3261 11.2).
func (e *Endpoint) options(m *message) {
	if _, err := m.request(); err != nil {
		e.refuse(m, 400, badPhrase(err))
		return
	}
	if e.cfg.Ready != nil {
		if ok, after := e.cfg.Ready(m.waited); !ok {
			e.unavailable(m, after)
			return
		}
	}
	e.reply(m, 200, "", e.abilities()...)
}

func (e *Endpoint) abilities() []Header {
	hs := []Header{{"Allow", e.allowed()}, {"Accept", accepted}, {"Accept-Encoding", "identity"}, {"Supported", e.supported()}}
	if e.cfg.Notifier != nil {
		hs = append(hs, Header{"Allow-Events", allowEvents})
	}
	return hs
}

// allowed are the methods that are taken outside of a dialog.
func (e *Endpoint) allowed() string {
	methods := e.inDialogAllowed()
	if e.cfg.Registrar != nil {
		methods += ", REGISTER"
	}
	if e.cfg.Notifier != nil {
		methods += ", SUBSCRIBE"
	}
	return methods
}

// inDialogAllowed are the methods that are taken within a dialog.
func (e *Endpoint) inDialogAllowed() string {
	if e.cfg.Transfer {
		return allowed + ", REFER, NOTIFY"
	}
	return allowed
}

// refuse answers m without a trace.
func (e *Endpoint) refuse(m *message, status int, phrase string, hs ...Header) {
	e.stats.rejected.Add(1)
	e.reply(m, status, phrase, hs...)
}

func (e *Endpoint) reply(m *message, status int, phrase string, hs ...Header) {
	rep := m.reply(e.statelessTag(m))
	hs = append(hs, Header{"Server", e.cfg.UserAgent})
	res := rep.response(status, phrase, "", hs...)
	_ = encode(res, func(b []byte) error { return e.send(rep.to, b) })
}

// statelessTag is the same each time a request comes.
func (e *Endpoint) statelessTag(m *message) string {
	if m.toTag != "" {
		return ""
	}
	return strconv.FormatUint(e.strays.key(m)^e.secret, 36)
}

// ack finds the INVITE transaction that an ACK ends; an ACK is never answered.
func (e *Endpoint) ack(m *message) {
	d := e.dialog(m)
	if d == nil || m.faultStatus != 0 {
		e.stats.stray.Add(1)
		return
	}
	d.ack(m)
}

// cancel answers a CANCEL (RFC 3261 9.2).
func (e *Endpoint) cancel(m *message) {
	var d *Dialog
	if m.toTag != "" {
		d = e.dialog(m) // of a re-INVITE
	} else {
		e.mu.Lock()
		d = e.invites[inviteKey{m.callID, m.fromTag, m.cseq}]
		e.mu.Unlock()
	}
	switch {
	case d == nil && e.cancelAsked(m):
	case d != nil && d.cancel(m):
	case e.strays.has(e.strays.keyOf("INVITE", m.callID, m.fromTag, m.via.key(), m.cseq)):
		e.reply(m, 200, "") // the call is over, but there was one
	default:
		e.refuse(m, 481, "")
	}
}
