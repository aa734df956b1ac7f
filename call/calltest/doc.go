// Package calltest runs a call.Engine without a network of its own: Net is an in-memory
// one, made of channels, so that everything works in the virtual time of
// testing/synctest; Phone is a scripted caller with its own SIP and RTP, which shares no code
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
package calltest
