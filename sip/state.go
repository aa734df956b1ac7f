package sip

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// DialogState is what a dialog needs to go on elsewhere: a plain value that
// survives JSON.
type DialogState struct {
	ID           string         `json:"id"`
	State        State          `json:"state"`
	CallID       string         `json:"call_id"`
	LocalTag     string         `json:"local_tag"`
	RemoteTag    string         `json:"remote_tag"`
	Local        string         `json:"local"`  // our From value, tag included
	Remote       string         `json:"remote"` // our To value, tag included
	LocalSeq     uint32         `json:"local_seq"`
	RemoteSeq    uint32         `json:"remote_seq"`
	RemoteTarget string         `json:"remote_target"`
	Routes       []string       `json:"routes,omitempty"` // values of Route headers, next hop first
	Contact      string         `json:"contact"`          // our Contact value
	Secure       bool           `json:"secure,omitempty"`
	Outgoing     bool           `json:"outgoing,omitempty"` // we placed the call
	Offers       int            `json:"offers,omitempty"`   // number of the last offer
	Network      string         `json:"network"`
	ByFlow       bool           `json:"by_flow,omitempty"` // RemoteAddr is the only way to the peer
	LocalAddr    netip.AddrPort `json:"local_addr"`        // as bound
	RemoteAddr   netip.AddrPort `json:"remote_addr"`       // where the peer was last heard
	InviteVia    string         `json:"invite_via"`        // transaction key of the INVITE
	Invite       *Request       `json:"invite"`

	Session     *SessionState `json:"session,omitempty"`      // nil: it does not expire
	MayUpdate   bool          `json:"may_update,omitempty"`   // the peer takes UPDATE
	Description []byte        `json:"description,omitempty"`  // our session description, as last agreed
	PeerSession []byte        `json:"peer_session,omitempty"` // that of the peer
}

// SessionState is the session timer (RFC 4028) of a dialog.
type SessionState struct {
	Interval time.Duration `json:"interval"`
	Min      time.Duration `json:"min,omitempty"` // the largest Min-SE that was heard
	Mine     bool          `json:"mine,omitempty"`
	Expires  time.Time     `json:"expires"`
	ByInvite bool          `json:"by_invite,omitempty"` // the peer has refused UPDATE
}

// Snapshot returns the dialog's state as it is now.
func (d *Dialog) Snapshot() DialogState {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := DialogState{
		ID: d.id, State: d.state, CallID: d.callID, LocalTag: d.localTag, RemoteTag: d.remoteTag,
		Local: d.local, Remote: d.remote, LocalSeq: d.localSeq, RemoteSeq: d.remoteSeq,
		RemoteTarget: d.target, Routes: slices.Clone(d.routes), Contact: d.contact, Secure: d.secure, Outgoing: d.outgoing,
		Offers: d.offers, Network: d.flow.network(), ByFlow: d.flow.sticky, RemoteAddr: d.flow.remote,
		InviteVia: d.inviteVia, Invite: d.invite,
	}
	if l := d.flow.listener(); l != nil {
		s.LocalAddr = l.bound
	}
	s.MayUpdate, s.Description, s.PeerSession = d.mayUpdate, d.sdp, d.remoteSDP
	if t := &d.session; t.interval > 0 {
		s.Session = &SessionState{Interval: t.interval, Min: t.min, Mine: t.mine, Expires: t.expires.UTC().Round(0), ByInvite: t.byInvite}
	}
	return s
}

// Restore takes up the dialog of s, whose events go to f, with the tags and
// sequence numbers it had. Only an answered dialog can be taken up
// (StateAccepted, whose ACK is no more waited for, or StateConfirmed). A TCP
// connection is opened anew when something is to be sent. Outgoing.Credentials
// are in no state: a request that is challenged afterwards fails.
func (e *Endpoint) Restore(s DialogState, f func(Event)) (*Dialog, error) {
	if s.State != StateAccepted && s.State != StateConfirmed {
		return nil, fmt.Errorf("sip: restore dialog %q: state is %q: %w", s.ID, s.State, ErrState)
	}
	if s.Invite == nil || s.LocalTag == "" || s.CallID == "" || s.ID == "" {
		return nil, fmt.Errorf("sip: restore dialog %q: incomplete", s.ID)
	}
	for _, v := range append([]string{s.CallID, s.Local, s.Remote, s.RemoteTarget, s.Contact}, s.Routes...) {
		if err := checkValue(v); err != nil {
			return nil, fmt.Errorf("sip: restore dialog %q: %w", s.ID, err)
		}
	}
	if _, err := parseURI(s.RemoteTarget); err != nil {
		return nil, fmt.Errorf("sip: restore dialog %q: remote target: %w", s.ID, err)
	}
	d := &Dialog{
		e: e, id: s.ID, callID: s.CallID, localTag: s.LocalTag, remoteTag: s.RemoteTag,
		local: s.Local, remote: s.Remote, secure: s.Secure, outgoing: s.Outgoing, invite: s.Invite,
		inviteVia: s.InviteVia, cseq0: s.Invite.CSeq, contact: s.Contact,
		state: StateConfirmed, localSeq: s.LocalSeq, remoteSeq: s.RemoteSeq,
		target: s.RemoteTarget, routes: slices.Clone(s.Routes), offers: s.Offers,
		handler: f, begun: time.Now(), fresh: s.Outgoing && s.RemoteSeq == 0,
		mayUpdate: s.MayUpdate, sdp: s.Description, remoteSDP: s.PeerSession,
	}
	if s.Session != nil && (s.Session.Interval < 0 || s.Session.Min < 0) {
		return nil, fmt.Errorf("sip: restore dialog %q: session interval is negative", s.ID)
	}
	lis := e.home(s)
	if lis == nil {
		return nil, fmt.Errorf("sip: restore dialog %q: endpoint has no socket", s.ID)
	}
	d.flow.remote, d.flow.sticky = s.RemoteAddr, s.ByFlow
	if s.Network == "tcp" {
		// A connection that is not among the open ones says where to dial.
		d.flow.tcp = &tcpConn{lis: lis, remote: s.RemoteAddr}
	} else {
		d.flow.udp = newUDPSocket(lis, lis.packets[0])
	}
	d.mu.Lock() // so that the session timer finds it whole
	defer d.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, errClosed
	case e.dialogs[d.localTag] != nil:
		return nil, fmt.Errorf("sip: restore dialog %q: it is here already", s.ID)
	}
	e.dialogs[d.localTag] = d
	if !d.outgoing {
		e.invites[inviteKey{d.callID, d.remoteTag, d.cseq0}] = d
	}
	if t := s.Session; t != nil && t.Interval > 0 && !e.cfg.Session.Off {
		d.session = session{
			interval: max(t.Interval, minSession), min: t.Min, mine: t.Mine, expires: t.Expires,
			due: t.Expires.Add(-t.Interval / 2), byInvite: t.ByInvite,
		}
		d.armSession()
	}
	return d, nil
}

// home is the listener that the dialog came to, or the nearest to it.
func (e *Endpoint) home(s DialogState) *listener {
	for _, l := range e.listeners {
		if l.network == s.Network && l.bound == s.LocalAddr {
			return l
		}
	}
	return e.pick(s.Network, s.RemoteAddr.Addr(), nil)
}
