// Package sip is the signalling of call applications: SIP (RFC 3261) over UDP
// and TCP, IPv4 and IPv6. It knows nothing of media: bodies are bytes.
//
// There are only two types to know: an [Endpoint] receives and answers
// messages on its sockets, a [Dialog] is one call with one peer. Around them
// stand plain values that survive JSON: [Request] and [NameAddr], what the
// caller sent; [Event], what happens later; [DialogState], what a dialog needs
// to go on in another process.
//
//	e, err := sip.New(sip.Config{
//		Listen: []sip.Listen{{Network: "udp", Addr: "192.0.2.1:5060"}},
//		Invite: func(d *sip.Dialog) {
//			d.Handle(func(ev sip.Event) { log.Println(d.CallID(), ev.Kind) })
//			_ = d.Provisional(180, nil)
//			_ = d.Accept(answer(d.Invite()))
//		},
//	})
//	err = e.Run(ctx)
//
// # The way of an INVITE
//
// transport.go or tcp.go reads it and looks at its first line; message.go has
// sipgo split it into header fields and finds those that matter; core.go does
// the checks of RFC 3261 8.2; dialog.go makes a Dialog and sends 100;
// Config.Invite answers through invite.go; what comes after is in indialog.go,
// what we send in outgoing.go.
//
// No method waits for the peer. Nothing happens in a goroutine of its own but
// Config.Invite and the requests that we send: what one peer sends by one way
// is handled in the order in which it came, and so are the events.
//
// # What strangers can cost
//
// What is not SIP is dropped by a look at its first line. What is refused before
// it becomes a call leaves no state: the same request gets the same answer when
// it comes again (RFC 3261 8.2.7). Calls are bounded by Config.MaxDialogs, TCP
// connections by Config.MaxConns, messages by Config.MaxMessage, and a finished
// call leaves three entries of some 40 bytes each for 32 seconds, bounded by
// Config.MaxStrays. Dropped messages are counted, and logged once a minute.
//
// # Caveats
//
//   - sipgo is used for its parser, its serialiser and its transactions. The
//     sockets and the dialogs are our own; DECISIONS.md says why.
//   - Messages above 1,300 bytes are sent on UDP when UDP is the way: responses
//     must go back by the way of their request, and requests of that size are not
//     sent yet. RFC 3261 18.1.1 would have TCP tried first.
//   - A response on TCP whose connection is gone is not sent by a new one (18.2.2).
//   - An ACK that comes twice, or to nothing, is only counted (Stats.Stray).
//   - Event.Headers and Request hold what the peer wrote: it is data, not to be
//     trusted, and may hold control characters other than line breaks.
//
// # Covered
//
//   - RFC 3261: 7 (messages, compact names, folding, Content-Length on datagram
//     and stream), 8.2 (UAS; 400, 405, 415, 416, 420, 481, 482, 483 for INVITE,
//     500, 501, 503, 505, 513), 8.2.7 (stateless UAS), 9.2 (CANCEL), 11.2
//     (OPTIONS), 12 (dialogs, route sets with loose and strict routers, target
//     refresh), 13.3 (INVITE, 2xx until ACK), 14.2 (re-INVITE), 15 (BYE), 16.3
//     only as far as Max-Forwards goes, 17.1.2 and 17.2 (transactions), 18
//     (UDP, TCP)
//   - RFC 3263: addresses, SRV and A/AAAA look-up of the next hop
//   - RFC 3264: as far as signalling goes: late offers, and one offer at a time
//   - RFC 3311: UPDATE from the peer
//   - RFC 3326: Reason, both ways
//   - RFC 3581: rport
//   - RFC 4475: all 49 messages
//   - RFC 5621: SDP in multipart bodies
//   - RFC 5626 3.5.1: CRLF keep-alive on TCP, as the side that answers
//   - RFC 6026: INVITE transactions after a 2xx, by means of the dialog
//   - RFC 6086 4.2.1: INFO with DTMF
//
// # Not covered
//
// Calls that we place; digest (RFC 8760), registration, TLS and WebSocket;
// PRACK (RFC 3262), session timers (RFC 4028), REFER and Replaces (RFC 3515,
// 3891); NAPTR and failover (RFC 3263 4.1, 4.3); loop detection by Via (RFC 3261
// 16.3): a call that comes back is a new call here, and Max-Forwards ends the
// circle; maddr in a Via; multicast.
package sip
