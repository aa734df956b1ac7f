package sip

import (
	"errors"
	"fmt"
	"net/netip"
)

// Flow names the way by which a peer was heard, as RFC 5626 means it: one of our UDP sockets and the peer's address,
// or its TCP connection. It is a plain value; a TCP connection that does not outlive the process does not survive JSON. The
// zero value is none.
type Flow struct {
	Network string         `json:"network"` // "udp" or "tcp"
	Remote  netip.AddrPort `json:"remote"`
	Local   netip.AddrPort `json:"local"` // as bound
	conn    uint64         // number of the TCP connection; 0: it is lost
}

// String is "udp 192.0.2.1:5060".
func (f Flow) String() string { return f.Network + " " + f.Remote.String() }

// IsZero tells whether f is none.
func (f Flow) IsZero() bool { return f == Flow{} }

// errFlowGone is for a phone whose TCP connection was the only way to it.
var errFlowGone = errors.New("its connection is closed")

// public is the name of f.
func (f flow) public() Flow {
	p := Flow{Network: f.network(), Remote: f.remote}
	if l := f.listener(); l != nil {
		p.Local = l.bound
	}
	if f.tcp != nil {
		p.conn = f.tcp.id
	}
	return p
}

// flowOf finds the way that f names. Within a dialog it is kept to, whatever Contacts say: the peer does not know
// by which address it is reached.
func (e *Endpoint) flowOf(f Flow) (flow, error) {
	if f.Network == "tcp" {
		e.mu.Lock()
		c := e.conns[f.Remote]
		e.mu.Unlock()
		if c == nil || c.id != f.conn || f.conn == 0 {
			return flow{}, fmt.Errorf("sip: flow %v: %w", f, errFlowGone)
		}
		return flow{tcp: c, remote: f.Remote, sticky: true}, nil
	}
	lis := e.listeners[0]
	for _, l := range e.listeners {
		if l.network == "udp" && l.bound == f.Local {
			lis = l
		}
	}
	if lis = e.pick("udp", f.Remote.Addr(), lis); lis == nil {
		return flow{}, fmt.Errorf("sip: flow %v: no socket of that kind", f)
	}
	return flow{udp: newUDPSocket(lis, lis.packets[0]), remote: f.Remote, sticky: true}, nil
}

// Alive tells whether f still leads to the peer, as far as we can know: a TCP connection may be closed.
func (e *Endpoint) Alive(f Flow) bool {
	_, err := e.flowOf(f)
	return err == nil
}
