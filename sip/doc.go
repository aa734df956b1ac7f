// Package sip is the signalling of call applications: SIP (RFC 3261) over UDP
// and TCP, IPv4 and IPv6. It knows nothing of media: bodies are bytes.
//
// There are four types to know: an [Endpoint] receives, answers and sends
// messages on its sockets, a [Dialog] is one call with one peer, which either of
// them may have begun; a [Registrar] knows where phones are, an [Authenticator] asks
// for passwords. Around them stand plain values: [Outgoing], a call to be
// placed; and, surviving JSON, [Request] and [NameAddr], what the caller sent;
// [Event], what happens later; [DialogState], what a dialog needs to go on in
// another process; [Query], a request outside of calls, as OPTIONS; [Registrant], an address
// that is kept registered elsewhere.
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
// the checks of RFC 3261 8.2; dialog.go makes a Dialog;
// Config.Invite answers through invite.go; what comes after is in indialog.go,
// what we send in send.go.
//
// An INVITE of ours begins in outgoing.go; resolve.go finds the addresses, with
// the help of dnscache.go, which asks by dns.go and dnsanswer.go; calling.go sends it to one after the other;
// answered.go takes what comes back, with digest.go for the challenges; late.go
// answers what comes when all is over. query.go sends requests outside of dialogs,
// registrant.go those of a registration.
//
// # Reliable responses, UPDATE, session timers
//
// A provisional response that Config.Reliable wants to arrive goes out through reliable.go, and waits there for its
// PRACK; prack.go acknowledges those of a peer. After that offers may be exchanged before the call is answered: those
// of the peer, by UPDATE or PRACK, are an EventOffer like that of a re-INVITE (update.go); ours are made by
// Dialog.Offer (offering.go), which sends an UPDATE, or a re-INVITE once the call is answered, and waits and tries again when both
// sides offer at once. session.go agrees on the session timer, refresh.go keeps the session up, or hangs up what is
// not there any more: EventLost.
//
// No method waits for the peer. Nothing happens in a goroutine of its own but
// Config.Invite, the requests that we send within a dialog, and the look-ups and
// sending of an INVITE, not the wait for its answer: what one peer sends by one
// way is handled in the order in which it came, and so are the events.
//
// # Phones
//
// A REGISTER goes from core.go to register.go, which has authenticator.go look at its password (authorization.go
// reads it, nonce.go knows the nonces) and then changes what registrar.go keeps. A [Contact] is called
// by its [Flow], the way that its REGISTER came, which keepalive.go keeps open:
//
//	auth, err := sip.NewAuthenticator(sip.AuthConfig{Realm: "example.com", Secrets: secrets})
//	registrar, err := sip.NewRegistrar(sip.RegistrarConfig{Auth: auth})
//	e, err := sip.New(sip.Config{Registrar: registrar, ...})
//	for _, c := range registrar.Contacts("200") {
//		d, err := e.Call(sip.Outgoing{URI: c.URI, Flow: c.Flow, ...})
//	}
//
// Config.Admit (admit.go) asks for the passwords of calls.
//
// A SUBSCRIBE goes to subscription.go, which asks for a password each time, and for leave; a [Notifier] is told
// by Notifier.SetDialog and SetMessages what users do, and notify.go tells their watchers, by the way that
// their SUBSCRIBE came, one NOTIFY at a time; dialoginfo.go and messagesummary.go write the bodies.
//
// # What strangers can cost
//
// What is not SIP is dropped by a look at its first line. What is refused before
// it becomes a call leaves no state: the same request gets the same answer when
// it comes again (RFC 3261 8.2.7), but for the nonce of a challenge. Who knows no password gets nothing registered, is challenged
// without a trace, and may guess ten times and then once in three seconds (AuthConfig.MaxGuesses). Calls are bounded by Config.MaxDialogs, TCP
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
//   - Credentials, and an offer of ours that is open, are not part of a DialogState.
//   - Requests within a dialog are not asked for a password: who knows its tags is its peer.
//   - A Notifier lists 20 calls of a user at most, and lives in memory: after a restart phones subscribe again when they refresh.
//   - A Registrar takes any host for its own, and knows no Path (RFC 3327), no service routes, no GRUU (RFC 5627), and
//     no flows of RFC 5626 beyond the one that a REGISTER came by. Contacts with sips are refused.
//   - Over UDP a forged source address can use up an address's REGISTERs (RegistrarConfig.MaxRequests), but not its guesses.
//   - Who shares an address (a NAT) with a guesser is locked out with it for the name that it guesses at, but for no other that has been right there (Lockout).
//   - An answer that came reliably stands: a session description in a later response to the INVITE is
//     ignored, and our 2xx has none (RFC 3261 13.2.1).
//   - A refresh by re-INVITE offers what was agreed last; what the peer makes of it comes as EventAnswer.
//   - An offer in a PRACK that is refused with Dialog.Answer leaves the reliable response acknowledged.
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
//     500, 501, 503, 505, 513), 8.2.7 (stateless UAS), 9 (CANCEL), 10.2 (registration, as a client: refresh, 423, removal), 11.2
//     (OPTIONS), 12 (dialogs, route sets with loose and strict routers, target
//     refresh, early ones of several forks), 13 (INVITE, 2xx until ACK, every
//     2xx), 14 (re-INVITE from both sides, glare), 15 (BYE), 16.3 only as far as Max-Forwards goes, 17
//     (transactions), 18 (UDP, TCP), 10 (registrar), 22 (digest, both sides)
//   - RFC 3262: reliable provisional responses and PRACK, both roles, with offers and answers in both
//   - RFC 3263: NAPTR, SRV and A/AAAA look-up of the next hop, each kept for its
//     TTL where that is known, and failover (4.3) of an INVITE, to the next address
//     on 503, on an error and on silence
//   - RFC 3264: as far as signalling goes: late offers, and one offer at a time
//   - RFC 3311: UPDATE, early and confirmed, both roles
//   - RFC 3326: Reason, both ways
//   - RFC 3403: NAPTR records with the flags "s" and "a"
//   - RFC 3515: REFER within a dialog, both sides, and the subscription that it makes: several in one dialog, refresh, end; it outlives the call
//     (RFC 5057 4.2). Only to sip, sips and tel URIs, for an INVITE. Outside of a dialog it gets 403
//   - RFC 3581: rport
//   - RFC 3665: 3.1 to 3.11, as far as user agents see them
//   - RFC 3842: message waiting, as the side that tells
//   - RFC 3891: Replaces, both sides
//   - RFC 3892: Referred-By, passed on as data; without its proof of identity
//   - RFC 4028: session timers, both roles, either side refreshing, by UPDATE or re-INVITE; 422
//   - RFC 4235: dialog events of users, as the side that tells: full state, without filters by Call-ID or tags
//   - RFC 4475: all 49 messages
//   - RFC 4488: REFER without a subscription, both sides
//   - RFC 5359: 2.1 to 2.5 (hold, consultation hold, music on hold, transfer, unattended and attended), transfer in each of the three roles; 2.7 to 2.9,
//     2.12 (forwarding, find-me) as caller and phone, 2.10 as member, 2.15 as who is parked, 2.11 refused, 2.16 as
//     the phone that rings sees it
//   - RFC 5621: SDP in multipart bodies
//   - RFC 3665: 2 (registration)
//   - RFC 5626 3.5.1: CRLF keep-alive on TCP, as the side that answers, and the same on UDP for phones that are registered;
//     +sip.instance only to know a phone again
//   - RFC 6026: INVITE transactions after a 2xx, by means of the dialog, and of
//     a hash when that is over
//   - RFC 6086 4.2.1: INFO with DTMF
//   - RFC 6665 4.2: a notifier: refresh, removal, expiry, fetch, 423, 489; one subscription a dialog
//   - RFC 7616: digest with qop auth; nonces that expire (stale), counts that are used once
//   - RFC 8760: SHA-256 and SHA-512-256 besides MD5, offered by order of preference
//
// # Not covered
//
// MD5-sess, userhash and qop auth-int; TLS (sips) and
// WebSocket; subscribing to others, event lists (RFC 4662), PUBLISH; REFER to several (RFC 5368) and outside of a dialog; Join (RFC 3911); several reliable responses under way at a time (RFC 3262 3 allows that
// after the first); re-INVITE without an offer from us; CANCEL of a re-INVITE of ours; failover of requests within a dialog;
// Contacts with headers, and 305 and 380 as redirections; loop detection by Via
// (RFC 3261 16.3): a call that comes back is a new call here, and Max-Forwards ends the
// circle; maddr in a Via; multicast.
package sip
