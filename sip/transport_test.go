package sip

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLeadingCRLFOnADatagram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		b.p.send([]byte("\r\n\r\n" + strings.Replace(options(1, ""), "TCP 127.0.0.1;", "UDP 192.0.2.10;", 1)))
		b.p.want("SIP/2.0 200")
	})
}

// A socket bound to all addresses shows the advertised one, and to the local
// networks the address that they reach it by.
func TestBoundToAllAddresses(t *testing.T) {
	for _, tt := range []struct{ network, bind, peer, want string }{
		{"udp", "0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
		{"tcp", "0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
		{"udp", "[::]:0", "127.0.0.1", "127.0.0.1"},
		{"udp", "[::]:0", "[::1]", "[::1]"},
	} {
		for _, local := range []bool{true, false} {
			t.Run(tt.network+tt.bind+tt.peer, func(t *testing.T) {
				calls := make(chan *Dialog, 1)
				cfg := Config{
					Listen: []Listen{{Network: tt.network, Addr: tt.bind, Advertise: "pbx.example.com:5999"}},
					Invite: func(d *Dialog) { calls <- d },
				}
				want := "sip:pbx.example.com:5999"
				if local {
					cfg.LocalNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
				}
				e, err := New(cfg)
				if err != nil {
					t.Skip(err)
				}
				_ = e.Close()
				e, stop := serve(t, cfg)
				defer stop()
				port := e.Addrs()[0].Addr.Port()
				if local {
					want = "sip:" + tt.want + ":" + strconv.Itoa(int(port))
				}
				to := netip.MustParseAddrPort(tt.peer + ":" + strconv.Itoa(int(port)))
				var pc net.PacketConn
				if tt.network == "udp" {
					pc, err = net.ListenPacket("udp", tt.peer+":0")
				} else {
					pc, err = dialText(to)
				}
				if err != nil {
					t.Skip(err)
				}
				p := newPhone(t, pc, to)
				defer p.close()
				c := p.caller("all")
				branch := c.invite(sdpOffer)
				p.want("SIP/2.0 100")
				d := <-calls
				if err := d.Provisional(180, nil); err != nil {
					t.Fatal(err)
				}
				got := p.want("SIP/2.0 180").contactURI()
				if tt.network == "tcp" {
					want += ";transport=tcp"
				}
				if got != want {
					t.Errorf("Contact is %s, want %s", got, want)
				}
				if a := d.LocalAddr().Addr(); uriHost(a) != tt.want {
					t.Errorf("LocalAddr is %v, want %s", a, tt.want)
				}
				if err := d.Reject(486, ""); err != nil {
					t.Fatal(err)
				}
				c.toTag = p.want("SIP/2.0 486").toTag()
				c.send("ACK", 1, branch, "", "")
			})
		}
	}
}

// TestLoopback is the same call over real sockets, IPv4 and IPv6, UDP and TCP.
func TestLoopback(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			t.Run(network+host, func(t *testing.T) {
				if l, err := net.Listen("tcp", host+":0"); err != nil {
					t.Skipf("no %s here: %v", host, err)
				} else {
					_ = l.Close()
				}
				calls := make(chan *Dialog, 1)
				e, stop := serve(t, Config{
					Listen: []Listen{{Network: network, Addr: host + ":0"}},
					Invite: func(d *Dialog) { calls <- d },
				})
				defer stop()
				to := e.Addrs()[0].Addr
				var pc net.PacketConn
				var err error
				if network == "udp" {
					pc, err = net.ListenPacket("udp", host+":0")
				} else {
					pc, err = dialText(to)
				}
				if err != nil {
					t.Fatal(err)
				}
				p := newPhone(t, pc, to)
				defer p.close()
				c := p.caller("loop-" + network)
				c.invite(sdpOffer)
				p.want("SIP/2.0 100")
				d := <-calls
				ev := collect(d)
				if d.Network() != network || d.LocalAddr() != to {
					t.Errorf("came by %s to %v, want %s %v", d.Network(), d.LocalAddr(), network, to)
				}
				if err := d.Accept([]byte(sdpOffer)); err != nil {
					t.Fatal(err)
				}
				c.answered(p.want("SIP/2.0 200"))
				if want := to.String(); !strings.Contains(c.target, want) {
					t.Errorf("Contact is %s, want %s in it", c.target, want)
				}
				c.ack("")
				ev.want(t, EventAck)
				if err := d.Bye(); err != nil {
					t.Fatal(err)
				}
				// On TCP it comes by the same connection, whatever the Contact says.
				p.reply(p.want("BYE sip:200@"), "200 OK")
				if e := ev.want(t, EventByeDone); e.Status != 200 {
					t.Errorf("got %+v", e)
				}
			})
		}
	}
}
