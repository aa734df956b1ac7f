// Package rtp is the audio of a call over RTP: sockets, SDP negotiation, jitter
// buffer, DTMF and RTCP behind a media.Port.
//
// There are only four types that matter: a [Factory] holds addresses and ports, a [Leg]
// is one call's audio, an [Event] is something that a leg noticed, and [Stats] are its sums.
//
//	f, err := rtp.New(rtp.Config{Shards: shards})
//	leg, err := f.NewLeg(rtp.LegConfig{OnEvent: func(e rtp.Event) { ... }})
//	answer, err := leg.Answer(offer)        // bytes of SDP
//	err = leg.Port().Play(ctx, source)
//	stats := leg.Close()
//
// # The peer's address
//
// Audio goes where the SDP says, until the peer's own packets show where they come from
// (symmetric RTP): from the SDP's address at once; from another one if nothing came from
// there. An address that was heard keeps its place: another one is believed only after two seconds of silence
// or new SDP, and for the first five seconds where it differs from the SDP's, the SDP's
// own address can still take over. On Linux the socket is then connected, so that the
// kernel drops an intruder's packets. Only packets of RTP version 2, of a negotiated
// payload type and of a plausible sequence count (RFC 3550 A.1); nothing else is
// ever echoed or forwarded.
//
// # Digits
//
// A key press is one (SSRC, timestamp, event) of telephone-event packets (RFC 4733),
// told at the first packet that shows it: all packets of it but one may be lost.
// Segments of long presses are joined. Digits are found on every path of audio, and are
// not echoed: they are taken out, without a hole in the numbering. A phone that changes
// the timestamp within a press, which RFC 4733 forbids, presses again each time.
//
// [Leg.SendDigits] presses keys. In a bridge with BridgeOptions.Digits those of the peer cross to the other leg packet
// by packet, with its own payload type and numbers: in the place among the audio that they came in, where packets pass.
// [Leg.Events] tells whether the peer of a leg takes them.
//
// # Time
//
// Timestamps follow the clock, also between talkspurts, and a talkspurt begins with the
// marker (RFC 3551 4.1). One packet of silence opens the way through a NAT once the
// media is set up, and another goes out after each five seconds of silence of ours (RFC 6263).
// RTCP reports go out each five seconds, BYE at the end (RFC 3550 6). The jitter
// buffer exists only while somebody listens; its delay is 20 to 120 ms, by what 97 % of
// the last 128 packets need; neither a stall of the network nor one of this machine leaves delay behind.
//
// # Covered
//
// RFC 3550 (two parties; fixed RTCP interval), 3551 (PCMU, PCMA), 4733 2.5 (one event at a time, of up
// to 8 s where it is ours), 5761, 3605, 6263. Not yet: SRTP, RTCP XR and feedback.
package rtp
