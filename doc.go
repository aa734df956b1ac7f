// Package callbin is a library for call applications: a program imports its packages,
// wires them together in a few dozen lines, and is a phone server. It implements the
// VoIPBIN call model: a call is one leg, and a flow is a JSON list of actions that
// drives it. This package holds no code; it is the map.
//
//	   examples/*            a host program: wires everything
//	        │
//	        ▼
//	┌─────────────────────────────────────────────────────────────┐
//	│ call      Engine, Call, Conference                          │  the only place where SIP meets RTP
//	│           call/httpapi (REST)  call/calltest (test network) │
//	└──┬─────────────┬──────────────────┬───────────────┬─────────┘
//	   ▼             │                  ▼               ▼
//	 flow            │              media/rtp         store, sip
//	   │             │              media/sdp
//	   ▼             ▼              media/codec
//	 action ────► media ◄───────────────┘
//
// Arrows are imports, and none points up. An INVITE goes this way:
//
//	socket -> sip (transaction, dialog) -> call.Engine: Verify -> Route -> flow
//	  answer: media/sdp answers the offer -> an RTP leg on a media thread -> 200 -> ACK
//	  play:   media.Source -> media.Port <- tick of the clock -> codec -> packet -> socket
//	back: packet -> jitter buffer -> codec -> taps (recording) ; RFC 4733 -> digits
//	end:  BYE or last action -> the flow's context ends -> media closed -> record stored -> one call_hangup
//
// A call that goes out begins with an action (connect, call) or Engine.Dial, passes the policy for what may be
// dialled, and goes the same way back:
//
//	call.Connect -> Outbound, Trunk -> media offer -> sip.Endpoint.Call (DNS, failover, digest, forks) -> 180, 183, 200
//	  both answered: a media.Bridge joins the two ports -> packets pass, or frames are mixed
//
// Where to begin reading: package call for a program that takes calls, package flow for
// the language, package action to write an action of one's own, examples/server for
// everything put together.
package callbin
