// Package sdp makes offers and answers for one audio stream (RFC 8866, RFC 3264).
// All of it is pure functions on values: no sockets, no clocks, no random numbers.
//
// There are only four types that matter: a [Session] is a description that was
// parsed, a [Local] is what this end has to say, a [Negotiated] is what both ends
// then agreed on, and a [NotAcceptableError] says why they did not.
//
//	offer, err := sdp.Parse(body)                // of an INVITE
//	body, agreed, err := sdp.Answer(local, offer) // for the 200
//
// and the other way round
//
//	body, err := sdp.Offer(local)
//	agreed, err := sdp.Accept(local, offer, answer)
//
// Covered: the direction table of RFC 3264 6.1 with the old hold of an address of
// zeros, streams with port 0, re-offers that keep m= lines, payload type numbers and
// the version of o= (Local.Last), telephone-event (RFC 4733), ptime and maxptime,
// rtcp-mux (RFC 5761), a=rtcp (RFC 3605), IPv4 and IPv6. Audio beside the first
// usable stream, video, fax and all else are rejected with port 0. SRTP (RTP/SAVP) is
// refused and never silently downgraded. ICE, BUNDLE and a=setup are ignored.
//
// A host name in c= is not looked up, because a pure function has no resolver and a
// peer must not make us ask one: Negotiated.Remote is then invalid, and audio starts
// once the peer's first packet has shown its address.
package sdp
