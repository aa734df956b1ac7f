package sip

import "strconv"

// reliable takes a provisional response that wants to be acknowledged (RFC 3262 4);
// false: it is a copy, or one before it is missing, and is not to be looked at. d.mu is held.
func (d *Dialog) reliable(m *message, tx *clientInvite, fork *early) bool {
	rseq, err := strconv.ParseUint(m.value("rseq"), 10, 31)
	if err != nil || rseq == 0 || fork == nil {
		return false
	}
	if fork.rseq != 0 && uint32(rseq) != fork.rseq+1 {
		return false
	}
	fork.rseq = uint32(rseq)
	fork.follow(d, m)
	fork.pracks = append(fork.pracks, Header{"RAck", strconv.FormatUint(rseq, 10) + " " + cseqValue(tx.cseq, "INVITE")})
	if len(fork.pracks) == 1 {
		d.e.start(func() { d.sendPracks(fork) })
	}
	return true
}

// follow keeps the way to the early dialog: that of its first response, with
// the target of the last (RFC 3261 12.1.2). d.mu is held.
func (fork *early) follow(d *Dialog, m *message) {
	target, routes := m.remote()
	if fork.dialog == nil {
		fork.dialog = &Dialog{
			e: d.e, callID: d.callID, local: m.fromValue, remote: m.toValue, localSeq: m.cseq, contact: d.contact,
			auth: d.auth, flow: m.from, target: target, routes: routes, outgoing: true,
		}
	} else if m.contact != "" {
		fork.dialog.mu.Lock()
		fork.dialog.target = target
		fork.dialog.mu.Unlock()
	}
	fork.dialog.allows(m)
}

// sendPracks sends what is queued, one after the other, in a goroutine of its own.
func (d *Dialog) sendPracks(fork *early) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(fork.pracks) > 0 && !d.e.closing() {
		rack := fork.pracks[0]
		d.mu.Unlock()
		// Whatever comes of it: who does not know the early dialog has a final response under way.
		_ = fork.dialog.exchange("PRACK", []Header{rack}, nil)
		d.mu.Lock()
		fork.pracks = fork.pracks[1:]
	}
}

// allows notes whether the peer takes UPDATE, where m tells.
func (d *Dialog) allows(m *message) {
	if m.value("allow") != "" {
		d.mayUpdate = m.has("allow", "UPDATE")
	}
}
