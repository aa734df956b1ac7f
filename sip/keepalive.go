package sip

import (
	"bytes"
	crand "crypto/rand"
	"strconv"
	"strings"
	"time"
)

// pong answers the double CRLF with which a phone keeps a NAT's door open: RFC 5626 3.5.1 has it on TCP, where tcp.go
// answers; many phones do the same on UDP. Only those that are registered get an answer.
func (e *Endpoint) pong(b []byte, from flow) {
	if r := e.cfg.Registrar; r != nil && bytes.Equal(b, []byte("\r\n\r\n")) && r.Knows(from.network(), from.remote) {
		_ = from.write([]byte("\r\n"))
	}
}

// keepAliveBranch marks our own pings: nobody waits for their answers.
const keepAliveBranch = "z9hG4bKping"

func isPong(m *message) bool {
	return m.method == "OPTIONS" && strings.HasPrefix(m.via.branch, keepAliveBranch)
}

// keepAlive sends OPTIONS to the phones behind NATs, each once an interval, spread over the seconds of it, until the
// endpoint closes. There is no transaction: what is lost comes again, and the answer does its work on the way out of the NAT.
func (e *Endpoint) keepAlive(r *Registrar) {
	slots := max(1, int(r.cfg.KeepAlive/time.Second))
	for n := 0; e.pause(time.Second); n++ {
		for _, c := range r.behindNAT(n%slots, slots) {
			e.ping(c)
		}
	}
}

// behindNAT are the phones on UDP behind a NAT whose turn it is.
func (r *Registrar) behindNAT(slot, slots int) (cs []Contact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.due {
		if b.NAT && b.Flow.Network == "udp" && b.number%slots == slot {
			cs = append(cs, b.Contact)
		}
	}
	return cs
}

func (e *Endpoint) ping(c Contact) {
	f, err := e.flowOf(c.Flow)
	if err != nil {
		return
	}
	host, _ := e.shown(f.listener(), f.remote.Addr())
	us := "<sip:" + e.ownUser() + "@" + host + ">"
	_ = e.send(f, writeRequest("OPTIONS", c.URI, []Header{
		{"Via", e.via(f, keepAliveBranch+crand.Text()[:16])},
		{"Max-Forwards", strconv.Itoa(maxForwards)},
		{"From", us + ";tag=" + crand.Text()[:16]}, {"To", "<" + c.URI + ">"}, {"Call-ID", crand.Text()}, {"CSeq", "1 OPTIONS"},
		{"User-Agent", e.cfg.UserAgent},
	}, nil))
}
