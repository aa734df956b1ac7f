package sip

import (
	"errors"
	"fmt"
	"strings"
)

// Replaces names a dialog that an INVITE shall take the place of, as who gets the INVITE sees it: ToTag is its own tag (RFC 3891 6.1).
type Replaces struct {
	CallID    string `json:"call_id"`
	ToTag     string `json:"to_tag"`
	FromTag   string `json:"from_tag"`
	EarlyOnly bool   `json:"early_only,omitempty"` // not if it has been answered
}

// ParseReplaces parses the value of a Replaces header.
func ParseReplaces(s string) (Replaces, error) {
	fail := func(what string) (Replaces, error) { return Replaces{}, errors.New("sip: parse Replaces: " + what) }
	var r Replaces
	id, params, _ := strings.Cut(s, ";") // no part of a Call-ID
	if r.CallID = trim(id); r.CallID == "" || strings.IndexFunc(r.CallID, func(c rune) bool { return !isCallID(c) }) >= 0 || strings.Count(r.CallID, "@") > 1 {
		return fail(fmt.Sprintf("Call-ID %q", clip(r.CallID)))
	}
	seen := make(map[string]bool)
	fault := ""
	for _, p := range strings.Split(params, ";") {
		name, v, _ := strings.Cut(p, "=")
		name, v = strings.ToLower(trim(name)), trim(v)
		if name == "" {
			continue
		}
		if seen[name] {
			fault = "two of " + clip(name)
		}
		seen[name] = true
		switch name {
		case "to-tag":
			r.ToTag = v
		case "from-tag":
			r.FromTag = v
		case "early-only":
			r.EarlyOnly = true
		}
	}
	notToken := func(v string) bool {
		return v == "" || strings.IndexFunc(v, func(c rune) bool { return !isToken(c) }) >= 0
	}
	switch {
	case fault != "":
		return fail(fault)
	case notToken(r.ToTag):
		return fail(fmt.Sprintf("to-tag %q", clip(r.ToTag)))
	case notToken(r.FromTag):
		return fail(fmt.Sprintf("from-tag %q", clip(r.FromTag)))
	}
	return r, nil
}

// String is the value of a Replaces header.
func (r Replaces) String() string {
	s := r.CallID + ";to-tag=" + r.ToTag + ";from-tag=" + r.FromTag
	if r.EarlyOnly {
		s += ";early-only"
	}
	return s
}

// isCallID is RFC 3261 25.1, word, and the @ between two of them.
func isCallID(r rune) bool { return isToken(r) || strings.ContainsRune(`()<>:\"/[]?{}@`, r) }

// Replaces is the dialog that the INVITE of d wants to take the place of (RFC 3891), nil: none. It may have ended
// meanwhile. Whether the caller may do that is for Config.Invite to say, which refuses with 403, or accepts and
// ends that dialog, by Bye, or Cancel where it is not answered yet.
func (d *Dialog) Replaces() *Dialog { return d.replaces }

// Names are what a Replaces header of the peer's side calls d by.
func (d *Dialog) Names(r Replaces) bool {
	return r.CallID == d.callID && r.ToTag == d.localTag && d.knows(r.FromTag)
}

// Identity is d as its peer names it to somebody else, who is to call us with a Replaces header.
func (d *Dialog) Identity() Replaces {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Replaces{CallID: d.callID, ToTag: d.localTag, FromTag: d.remoteTag}
}

// PeerIdentity is d as its peer knows it: what somebody else's INVITE to that peer says who is to take our place.
func (d *Dialog) PeerIdentity() Replaces {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Replaces{CallID: d.callID, ToTag: d.remoteTag, FromTag: d.localTag}
}

// replaced finds the dialog that m, an INVITE, wants to replace: nil and no status where it wants none, else a status
// that refuses m (RFC 3891 3).
func (e *Endpoint) replaced(m *message) (d *Dialog, status int, phrase string) {
	vs := m.values("replaces")
	if !e.cfg.Transfer || len(vs) == 0 {
		return nil, 0, ""
	}
	if len(vs) > 1 {
		return nil, 400, "More Than One Replaces"
	}
	r, err := ParseReplaces(vs[0])
	if err != nil {
		return nil, 400, "Malformed Replaces"
	}
	e.mu.Lock()
	d = e.dialogs[r.ToTag]
	e.mu.Unlock()
	if d == nil || !d.Names(r) {
		if e.strays.has(e.replacedKey(r.CallID, r.ToTag, r.FromTag)) {
			return nil, 603, "" // it has ended already
		}
		return nil, 481, ""
	}
	switch state := d.State(); {
	case state == StateTerminating, state == StateEnded:
		return nil, 603, ""
	case state == StateProceeding, state == StateEarly && !d.outgoing:
		return nil, 481, "" // only who called can be replaced while it rings
	case r.EarlyOnly && (state == StateAccepted || state == StateConfirmed):
		return nil, 486, ""
	}
	return d, 0, ""
}

// replacedKey is by which a dialog that has ended is remembered.
func (e *Endpoint) replacedKey(callID, local, remote string) uint64 {
	return e.strays.keyOf("Replaces", callID, local, remote, 0)
}

// values are all values of the headers with this long name, as they stand.
func (m *message) values(long string) (vs []string) {
	for _, h := range m.headers {
		if longName(h.Name()) == long {
			vs = append(vs, h.Value())
		}
	}
	return vs
}
