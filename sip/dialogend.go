package sip

// finish takes the dialog out of the tables, and has its requests remembered
// for as long as they can come again. d.mu is held.
func (d *Dialog) finish() {
	d.state = StateEnded
	d.settle()
	d.forgetReinvite()
	if d.setup != nil {
		d.setup.Stop()
	}
	if d.inv != nil {
		d.inv.stopReliable()
		d.inv.tx.Terminate() // its ACK would find nobody
		if d.inv.timer != nil {
			d.inv.timer.Stop()
		}
	}
	d.inv, d.update, d.bye = nil, nil, nil
	if c := d.out; c != nil {
		c.deadline.Stop()
		if c.tx != nil {
			d.endTx(c.tx, 0, "")
		}
		d.out = nil
	}
	d.e.forget(d)
	d.keepUsage()
}

// settle ends what the dialog does of its own accord. d.mu is held.
func (d *Dialog) settle() {
	d.dropOffering()
	d.dropReferrings()
	if t := d.session.timer; t != nil {
		t.Stop()
	}
}

// knows says whether tag is the peer's, or that of one of those who may become it.
func (d *Dialog) knows(tag string) bool {
	if !d.outgoing {
		return tag == d.remoteTag
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out != nil {
		return d.earlyOf(tag) != nil || d.out.won != nil && d.out.won.toTag == tag
	}
	return tag == d.remoteTag
}

// anyVia stands for the way by which an INVITE came, in the table of strays.
const anyVia = ""

func (e *Endpoint) forget(d *Dialog) {
	key := inviteKey{d.callID, d.remoteTag, d.cseq0}
	e.mu.Lock()
	if e.dialogs[d.localTag] == d {
		delete(e.dialogs, d.localTag)
	}
	mine := e.invites[key] == d
	if mine {
		delete(e.invites, key)
	}
	e.mu.Unlock()
	if e.cfg.Transfer {
		e.strays.add(e.replacedKey(d.callID, d.localTag, d.remoteTag))
	}
	if mine {
		e.strays.add(e.strays.keyOf("INVITE", d.callID, d.remoteTag, d.inviteVia, d.cseq0))
		e.strays.add(e.strays.keyOf("INVITE", d.callID, d.remoteTag, anyVia, d.cseq0))
	}
}

// abandon ends the dialog because the endpoint closes: nothing is sent.
func (d *Dialog) abandon() {
	d.mu.Lock()
	if d.state != StateEnded {
		d.push(Event{Kind: EventFailed, Reason: "endpoint closed"})
	}
	d.finish()
	d.dropReferrals()
	d.mu.Unlock()
	d.drain()
}

// crash ends the call after a panic of its handler.
func (d *Dialog) crash() {
	if d.Reject(500, "") == nil {
		d.mu.Lock()
		d.push(Event{Kind: EventFailed, Status: 500, Reason: "handler panicked"})
		d.mu.Unlock()
		d.drain()
		return
	}
	if d.Cancel() != nil {
		_ = d.Bye()
	}
}
