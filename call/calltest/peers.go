package calltest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow/flowtest"
)

// peers are all who are called in a script: one phone, where the user of the INVITE tells who it is.
type peers struct {
	run   *scripted
	phone *Phone

	mu   sync.Mutex
	who  map[string]named         // guarded by mu; by user of the INVITE
	with []*PhoneCall             // guarded by mu; who has answered
	desk map[string]time.Duration // agents of queues, by user of the INVITE, and when they answer; nil until queues
	off  bool                     // guarded by mu; nothing is logged any more
}

// named is somebody who is called.
type named struct {
	address.Address
	alone bool // in a call of his own, not joined with the caller: what becomes of it is in no transcript
}

func newPeers(c *scripted, network Network, at netip.Addr) *peers {
	p := &peers{run: c, who: make(map[string]named)}
	p.phone = NewPhone(c.t, network, PhoneConfig{Addr: at, User: "peer", Accept: p.accept})
	return p
}

// inPlaceOf are the addresses by which the peers' phone is called. A number needs none, it goes out by the trunk, which
// leads there. Others do: there are neither names to look up nor phones of extensions.
func (p *peers) inPlaceOf(destinations []address.Address, alone bool) []address.Address {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]address.Address, len(destinations))
	for i, d := range destinations {
		out[i] = p.inPlaceOfLocked(named{d.Normalize(), alone})
	}
	return out
}

func (p *peers) inPlaceOfLocked(d named) address.Address {
	switch d.Type {
	case address.TypeTel:
		p.who[d.Target] = d
		return d.Address
	case address.TypeSIP, address.TypeExtension:
		if d.Validate() != nil {
			return d.Address // the engine refuses it
		}
		user := fmt.Sprintf("peer%d", len(p.who)+1)
		p.who[user] = d
		return address.Address{Type: address.TypeSIP, Target: user + "@" + p.phone.Addr().String(), TargetName: d.TargetName}
	}
	return d.Address
}

// name is who is called by the target of an address that stands in place of his own.
func (p *peers) name(a address.Address) named {
	user, _, _ := strings.Cut(a.Target, "@")
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.who[user]
}

// accept is what the peer does who is called by c.
func (p *peers) accept(c *PhoneCall) {
	<-p.run.ready
	user, _, _ := strings.Cut(strings.TrimPrefix(c.Invite().URI, "sip:"), "@")
	if after, ok := p.desk[user]; ok {
		p.serve(c, after)
		return
	}
	who := p.name(address.Address{Target: user})
	peer := p.run.world.Peer(who.Address)
	if who.IsZero() || peer.Unknown {
		c.Refuse(404)
		return
	}
	p.log(flowtest.KindDials, who.Address)
	c.Ring()
	if peer.After > 0 {
		select {
		case <-time.After(peer.After):
			if peer.Reason != "" {
				c.Refuse(peer.Status)
				return
			}
			p.answer(c, who)
			return
		case <-c.Done():
		}
	}
	<-c.Done()
	if _, cancelled := c.Cancelled(); cancelled {
		p.logJoined(flowtest.KindCancels, who)
	}
}

func (p *peers) answer(c *PhoneCall, who named) {
	c.Answer()
	select {
	case <-c.answered:
		p.logJoined(flowtest.KindJoins, who)
		p.stay(c)
	case <-c.Done():
	}
}

// stay waits for the end of a call, in which leave hangs up.
func (p *peers) stay(c *PhoneCall) {
	p.mu.Lock()
	p.with = append(p.with, c)
	p.mu.Unlock()
	<-c.Done()
}

func (p *peers) log(kind flowtest.Kind, who address.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.off {
		p.run.world.Log(kind, "%s", who)
	}
}

func (p *peers) logJoined(kind flowtest.Kind, who named) {
	if !who.alone {
		p.log(kind, who.Address)
	}
}

// hush ends the log: what comes now is the engine's end, not the call's.
func (p *peers) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
}

// leave lets all who have answered hang up; it is false if nobody is there.
func (p *peers) leave() bool {
	p.mu.Lock()
	with := p.with
	p.with = nil
	p.mu.Unlock()
	left := false
	for _, c := range with {
		if c.Ended() == "" {
			left = true
			p.phone.spawn(c.leave)
		}
	}
	return left
}

// leave hangs up, whatever the far end says to it.
func (c *PhoneCall) leave() {
	_, _ = c.exchange("BYE", "")
	c.end("hung up")
}
