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
	who  map[string]address.Address // guarded by mu; by user of the INVITE
	with []*PhoneCall               // guarded by mu; who has answered
	off  bool                       // guarded by mu; nothing is logged any more
}

func newPeers(c *scripted, network Network, at netip.Addr) *peers {
	p := &peers{run: c, who: make(map[string]address.Address)}
	p.phone = NewPhone(c.t, network, PhoneConfig{Addr: at, User: "peer", Accept: p.accept})
	return p
}

func (p *peers) inPlaceOfLocked(d address.Address) address.Address {
	switch d.Type {
	case address.TypeTel:
		p.who[d.Target] = d
		return d
	case address.TypeSIP, address.TypeExtension:
		if d.Validate() != nil {
			return d // the engine refuses it
		}
		user := fmt.Sprintf("peer%d", len(p.who)+1)
		p.who[user] = d
		return address.Address{Type: address.TypeSIP, Target: user + "@" + p.phone.Addr().String(), TargetName: d.TargetName}
	}
	return d
}

// accept is what the peer does who is called by c.
func (p *peers) accept(c *PhoneCall) {
	user, _, _ := strings.Cut(strings.TrimPrefix(c.Invite().URI, "sip:"), "@")
	p.mu.Lock()
	who, ok := p.who[user]
	p.mu.Unlock()
	peer := p.run.world.Peer(who)
	if !ok || peer.Unknown {
		c.Refuse(404)
		return
	}
	p.log(flowtest.KindDials, who)
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
		p.log(flowtest.KindCancels, who)
	}
}

func (p *peers) answer(c *PhoneCall, who address.Address) {
	c.Answer()
	select {
	case <-c.answered:
		p.log(flowtest.KindJoins, who)
		p.mu.Lock()
		p.with = append(p.with, c)
		p.mu.Unlock()
		<-c.Done()
	case <-c.Done():
	}
}

func (p *peers) log(kind flowtest.Kind, who address.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.off {
		p.run.world.Log(kind, "%s", who)
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
