// Package calltest runs a call.Engine without a network of its own: Net is an in-memory
// one, made of channels, so that everything works in the virtual time of
// testing/synctest; Phone is a scripted caller and callee with its own SIP and RTP, which shares no code
// with packages sip and media/rtp.
//
//	func TestGreeting(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			net := calltest.NewNet()
//			calltest.Run(t, net, call.Config{Route: route})
//			phone := calltest.NewPhone(t, net, calltest.PhoneConfig{})
//			c := phone.Dial(t, "100")
//			c.Press("1")
//			c.WaitEnd(t)
//		})
//	}
//
// There are four types: Net, Loopback (the same over real sockets of 127.0.0.1), Phone and
// PhoneCall. Run stops the engine at the test's end and checks that nothing is left.
//
// A phone that is called has a fixed address and either waits for the call or has a script for each:
//
//	bob := calltest.NewPhone(t, net, calltest.PhoneConfig{
//		Addr: netip.MustParseAddr("10.0.0.3"), Port: 5060, // sip:bob@10.0.0.3
//		Accept: func(c *calltest.PhoneCall) {
//			c.Ring()
//			c.Answer()
//			c.Say(calltest.Tone(700, time.Second))
//		},
//	})
//	carol := calltest.NewPhone(t, net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.0.4"), Port: 5060})
//	c := carol.WaitCall(t)
//	c.Refuse(486)
//
// What goes wrong on the way is Faults of the Net, with a seed that makes the same of the same traffic again;
// Traffic says what is lost for certain:
//
//	net.SetFaults(calltest.Faults{Loss: 0.05, Reorder: 0.1, Duplicate: 0.1, Jitter: 30 * time.Millisecond, Seed: 7})
//	net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{SIP: "BYE", First: 2}}})                // the third one gets through
//	net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{RTP: true, From: bob.Addr().Addr()}}}) // bob is not heard
//
// What is wrong with a phone is in its config and script: PhoneConfig.Silent (the INVITE has no response), NoACK,
// NoRTP, NoBYEAnswer, IgnoreCancel (answered late), and PhoneCall.Refuse(503, "Retry-After: 5") and
// PhoneCall.Vanish, which cuts the cable.
//
// RunScript runs the script of a flow's test, as package flowtest has it, over an engine: the same caller is a phone, the
// same peers are others, and all that was played has to be heard. flowtest.Compare tells whether a simulated and a
// real call are the same:
//
//	simulated := menu.Run(t, script)
//	real := calltest.RunScript(t, calltest.NewNet(), menu, script, calltest.ScriptOptions{})
//	if err := flowtest.Compare(simulated, real, 60*time.Millisecond); err != nil {
//		t.Error(err)
//	}
//
// A phone with PhoneConfig.Server set to the address of another one calls it without an engine.
//
// The phones know RFC 3261 as far as calls need it: retransmission and its absorption, CANCEL, the ACKs of
// both kinds, forks on both sides (a second 2xx is acknowledged and hung up), Record-Route; RFC 3264 with one audio
// stream of G.711, where hold is obeyed; and the digits of RFC 4733. They acknowledge reliable responses (RFC 3262) and take UPDATE
// and what session timers ask, without asking themselves. They register nowhere, do not know REFER, never answer a challenge, and keep all that they got until they are closed.
package calltest
