// Package sip is the signalling of call applications: SIP (RFC 3261) over UDP
// and TCP, IPv4 and IPv6. It knows nothing of media: bodies are bytes.
//
// There are only two types to know: an [Endpoint] receives, answers and sends
// messages on its sockets, a [Dialog] is one call with one peer, which either of
// them may have begun. Around them stand plain values: [Outgoing], a call to be
// placed; and, surviving JSON, [Request] and [NameAddr], what the caller sent;
// [Event], what happens later; [DialogState], what a dialog needs to go on in
// another process.
//
//	e, err := sip.New(sip.Config{
//		Listen: []sip.Listen{{Network: "udp", Addr: "192.0.2.1:5060"}},
//		Invite: func(d *sip.Dialog) {
//			d.Handle(func(ev sip.Event) { log.Println(d.CallID(), ev.Kind) })
//			_ = d.Provisional(180, nil)
//			_ = d.Accept(answer(d.Invite()))
//		},
//	})
//	err = e.Run(ctx) // until ctx ends
//
// and, while it runs,
//
//	d, err := e.Call(sip.Outgoing{URI: "sip:bob@example.com", Body: offer, Handle: handle})
//
// # The way of an INVITE
//
// transport.go or tcp.go reads it and looks at its first line; message.go has
// sipgo split it into header fields and finds those that matter; core.go does
// the checks of RFC 3261 8.2; dialog.go makes a Dialog and sends 100;
// Config.Invite answers through invite.go; what comes after is in indialog.go,
// what we send in send.go.
//
// An INVITE of ours begins in outgoing.go; resolve.go finds the addresses, with
// the help of dnscache.go, which asks by dns.go and dnsanswer.go; calling.go sends it to one after the other;
// answered.go takes what comes back, with digest.go for the challenges; late.go
// answers what comes when all is over.
//
// No method waits for the peer. Nothing happens in a goroutine of its own but
// Config.Invite, the requests that we send within a dialog, and the look-ups and
// sending of an INVITE, not the wait for its answer: what one peer sends by one
// way is handled in the order in which it came, and so are the events.
//
// # What strangers can cost
//
// What is not SIP is dropped by a look at its first line. What is refused before
// it becomes a call leaves no state: the same request gets the same answer when
// it comes again (RFC 3261 8.2.7). Calls are bounded by Config.MaxDialogs, TCP
// connections by Config.MaxConns, messages by Config.MaxMessage, and a finished
// call leaves three entries of some 40 bytes each for 32 seconds, one of our own
// that was refused 250 bytes, bounded by Config.MaxStrays. Whom we call can make us
// send 32 INVITEs, to where Outgoing.Redirect allows, and hang up 1,000 forks at a
// time. Dropped messages are counted, and logged once a minute.
//
// # Caveats
//
//   - sipgo is used for its parser, its serialiser and its transactions. The
//     sockets and the dialogs are our own; DECISIONS.md says why.
//   - Messages above 1,300 bytes are sent on UDP when UDP is the way: responses
//     must go back by the way of their request, and what we send within a dialog
//     is small. An INVITE of that size is tried by TCP first, when the endpoint
//     listens on TCP (RFC 3261 18.1.1).
//   - Names are looked up by a DNS, which asks the servers of /etc/resolv.conf for
//     NAPTR and SRV and reads that file once. Where there is none, as on Windows,
//     net.DefaultResolver is asked, which knows no NAPTR.
//   - Answers of the name servers are believed: there is no DNSSEC.
//   - A call needs an offer: one that has none (a late offer) cannot be placed.
//   - Credentials are not part of a DialogState.
//   - A response on TCP whose connection is gone is not sent by a new one (18.2.2).
//   - An ACK that comes twice, or to nothing, is only counted (Stats.Stray).
//   - Event.Headers and Request hold what the peer wrote: it is data, not to be
//     trusted, and may hold control characters other than line breaks.
//
// # Overload
//
// Config.Ready decides about new calls, first thing, by how long the INVITE has waited in its socket; those that are not welcome get 503 and
// leave a hash behind, by which a repetition is known.
//
// # Covered
//
//   - RFC 1035: as a stub resolver, by UDP, and by TCP when an answer is long
//   - RFC 2782: the order of SRV records
//   - RFC 3261: 7 (messages, compact names, folding, Content-Length on datagram
//     and stream), 8.1 (UAC; redirection, failover, challenges), 8.2 (UAS; 400, 405, 415, 416, 420, 481, 482, 483 for INVITE,
//     500, 501, 503, 505, 513), 8.2.7 (stateless UAS), 9 (CANCEL), 11.2
//     (OPTIONS), 12 (dialogs, route sets with loose and strict routers, target
//     refresh, early ones of several forks), 13 (INVITE, 2xx until ACK, every
//     2xx), 14.2 (re-INVITE), 15 (BYE), 16.3 only as far as Max-Forwards goes, 17
//     (transactions), 18 (UDP, TCP), 22 (digest, as a client)
//   - RFC 3263: NAPTR, SRV and A/AAAA look-up of the next hop, each kept for its
//     TTL where that is known, and failover (4.3) of an INVITE, to the next address
//     on 503, on an error and on silence
//   - RFC 3264: as far as signalling goes: late offers, and one offer at a time
//   - RFC 3311: UPDATE from the peer
//   - RFC 3326: Reason, both ways
//   - RFC 3403: NAPTR records with the flags "s" and "a"
//   - RFC 3581: rport
//   - RFC 4475: all 49 messages
//   - RFC 5621: SDP in multipart bodies
//   - RFC 5626 3.5.1: CRLF keep-alive on TCP, as the side that answers
//   - RFC 6026: INVITE transactions after a 2xx, by means of the dialog, and of
//     a hash when that is over
//   - RFC 6086 4.2.1: INFO with DTMF
//   - RFC 8760: SHA-256 and SHA-512-256 besides MD5; qop auth
//
// # Not covered
//
// Digest as a server, MD5-sess and qop auth-int; registration, TLS (sips) and
// WebSocket; PRACK (RFC 3262), session timers (RFC 4028), REFER and Replaces (RFC
// 3515, 3891); re-INVITE and UPDATE from us; failover of requests within a dialog;
// Contacts with headers, and 305 and 380 as redirections; loop detection by Via
// (RFC 3261 16.3): a call that comes back is a new call here, and Max-Forwards ends the
// circle; maddr in a Via; multicast.
package sip
