package sip

import "bytes"

// pong answers the double CRLF with which a phone keeps a NAT's door open: RFC 5626 3.5.1 has it on TCP, where tcp.go answers; many
// phones do the same on UDP. Only those that are registered get an answer.
func (e *Endpoint) pong(b []byte, from flow) {
	if r := e.cfg.Registrar; r != nil && bytes.Equal(b, []byte("\r\n\r\n")) && r.Knows(from.network(), from.remote) {
		_ = from.write([]byte("\r\n"))
	}
}
