package sip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/callbin/callbin/sip"
)

// An endpoint that rings, answers with the caller's own session description,
// and tells what happens.
func Example() {
	over := make(chan struct{})
	e, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(d *sip.Dialog) {
			fmt.Println("call for", d.Invite().User, "from", d.Invite().From.Display)
			d.Handle(func(ev sip.Event) {
				fmt.Println("event", ev.Kind, ev.Cause)
				if ev.Kind == sip.EventBye {
					close(over)
				}
			})
			sdp, _ := d.Invite().SDP()
			if err := errors.Join(d.Provisional(180, nil), d.Accept(sdp)); err != nil {
				fmt.Println(err)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()

	callAndHangUp(e.Addrs()[0].Addr.String())
	<-over
	cancel()
	fmt.Println("run:", <-ended)
	// Output:
	// call for 100 from Ann
	// event ack 0
	// event bye 16
	// run: <nil>
}

func ExampleParseNameAddr() {
	a, err := sip.ParseNameAddr(`"Bob \"B\" Jones" <sip:+4930%2312@example.com;user=phone>;tag=88;q=0.7`)
	fmt.Println(a.Display, a.User, a.Host, a.Tag, a.Params["q"], err)
	_, err = sip.ParseNameAddr(`"Bob <sip:bob@example.com>`)
	fmt.Println(err)
	// Output:
	// Bob "B" Jones +4930#12 example.com 88 0.7 <nil>
	// sip: parse address: unbalanced quote
}

func ExampleRequest_Header() {
	r := sip.Request{Headers: []sip.Header{{Name: "s", Value: "lunch"}, {Name: "X-Order", Value: "17"}}}
	subject, _ := r.Header("Subject")
	order, _ := r.Header("x-order")
	fmt.Println(subject, order)
	// Output: lunch 17
}

// callAndHangUp is a caller in plain text.
func callAndHangUp(to string) {
	c, err := net.Dial("udp", to)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	tag := ""
	request := func(method, cseq, more, body string) {
		fmt.Fprintf(c, "%s sip:100@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
			"From: \"Ann\" <sip:200@example.com>;tag=1\r\nTo: <sip:100@example.com>%s\r\nCall-ID: example\r\nCSeq: %s %s\r\n"+
			"Contact: <sip:200@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
			method, to, c.LocalAddr(), method, tag, cseq, method, c.LocalAddr(), more, len(body), body)
	}
	read := func(status string) {
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				fmt.Println(err)
				return
			}
			if string(b[8:11]) == status {
				tag = toTag(string(b[:n]))
				return
			}
		}
	}
	request("INVITE", "1", "Content-Type: application/sdp\r\n", "v=0\r\n")
	read("200")
	request("ACK", "1", "", "")
	request("BYE", "2", "Reason: Q.850;cause=16\r\n", "")
	read("200")
}

func toTag(msg string) string {
	_, rest, _ := strings.Cut(msg, "\r\nTo: ")
	line, _, _ := strings.Cut(rest, "\r\n")
	if i := strings.Index(line, ";tag="); i >= 0 {
		return line[i:]
	}
	return ""
}

// A call is refused: busy, with the reason that a telephone network understands.
func ExampleDialog_Reject() {
	refused := make(chan error)
	e, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(d *sip.Dialog) {
			refused <- d.Reject(486, "", sip.Header{Name: "Reason", Value: "Q.850;cause=17"})
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()

	c, err := net.Dial("udp", e.Addrs()[0].Addr.String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprintf(c, "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"+
		"To: <sip:100@127.0.0.1>\r\nCall-ID: refused\r\nCSeq: 1 INVITE\r\nContact: <sip:a@%s>\r\nContent-Length: 0\r\n\r\n", c.LocalAddr(), c.LocalAddr())
	fmt.Println("refused:", <-refused)
	b := make([]byte, 4096)
	n, _ := c.Read(b)
	line, _, _ := strings.Cut(string(b[:n]), "\r\n")
	fmt.Println(line)
	_ = c.Close()
	cancel()
	fmt.Println("run:", <-ended, "calls:", e.Stats().Invites)
	// Output:
	// refused: <nil>
	// SIP/2.0 486 Busy Here
	// run: <nil> calls: 1
}

// A dialog that another process has saved is taken up again.
func ExampleEndpoint_Restore() {
	saved := `{"id":"D1","state":"confirmed","call_id":"c1","local_tag":"l1","remote_tag":"r1",
		"local":"<sip:100@192.0.2.1>;tag=l1","remote":"<sip:200@192.0.2.10>;tag=r1","local_seq":7,"remote_seq":1,
		"remote_target":"sip:200@192.0.2.10:5060","contact":"<sip:192.0.2.1:5060>","network":"udp",
		"local_addr":"192.0.2.1:5060","remote_addr":"192.0.2.10:5060","invite":{"method":"INVITE","cseq":1}}`
	var s sip.DialogState
	if err := json.Unmarshal([]byte(saved), &s); err != nil {
		fmt.Println(err)
		return
	}
	e, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(*sip.Dialog) {},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	d, err := e.Restore(s, func(ev sip.Event) { fmt.Println("event", ev.Kind) })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.ID(), d.State(), d.RemoteAddr(), e.Stats().Dialogs)
	// Output:
	// D1 confirmed 192.0.2.10:5060 1
	// event failed
}

// A call is placed; the phone rings, is answered, and hangs up.
func ExampleEndpoint_Call() {
	phone, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(d *sip.Dialog) {
			d.Handle(func(ev sip.Event) {
				if ev.Kind == sip.EventAck {
					_ = d.Bye(sip.Header{Name: "Reason", Value: "Q.850;cause=16"})
				}
			})
			sdp, _ := d.Invite().SDP()
			if err := errors.Join(d.Provisional(180, nil), d.Accept(sdp)); err != nil {
				fmt.Println(err)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(d *sip.Dialog) { _ = d.Reject(486, "") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- phone.Run(ctx) }()
	go func() { ended <- e.Run(ctx) }()

	over := make(chan struct{})
	d, err := e.Call(sip.Outgoing{
		URI:  "sip:bob@" + phone.Addrs()[0].Addr.String(),
		From: sip.NameAddr{Display: "Ann", URI: "sip:ann@example.com"},
		Body: []byte("v=0\r\n"),
		Handle: func(ev sip.Event) {
			fmt.Println("event", ev.Kind, ev.Status)
			switch ev.Kind {
			case sip.EventRefused, sip.EventFailed, sip.EventBye, sip.EventByeDone:
				close(over)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-over
	fmt.Println("called", d.Invite().User, "now", d.State())
	cancel()
	fmt.Println("run:", errors.Join(<-ended, <-ended))
	// Output:
	// event progress 180
	// event accepted 200
	// event bye 0
	// called bob now ended
	// run: <nil>
}

// An endpoint that asks a name server of its own.
func ExampleDNS() {
	r := &sip.DNS{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}, Timeout: time.Second}
	e, err := sip.New(sip.Config{
		Listen:   []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite:   func(*sip.Dialog) {},
		Resolver: r,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	fmt.Println(r.LookupNetIP(context.Background(), "ip", "2001:db8::1")) // numeric: nobody is asked
	// Output: [2001:db8::1] <nil>
}

// passwords are those of a small office.
type passwords map[string]string

func (p passwords) Secret(_ context.Context, user, _ string) (sip.Secret, bool, error) {
	password, ok := p[user]
	return sip.Secret{Password: password}, ok, nil
}

// A registrar for two users, whose phones of before a restart are there again, and are called by the way that they came.
func ExampleRegistrar() {
	auth, err := sip.NewAuthenticator(sip.AuthConfig{Realm: "example.com", Secrets: passwords{"200": "secret", "201": "other"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	registrar, err := sip.NewRegistrar(sip.RegistrarConfig{Auth: auth, MaxContacts: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := sip.New(sip.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Invite: func(*sip.Dialog) {}, Registrar: registrar,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	saved := []sip.Contact{{
		User: "200", URI: "sip:200@192.168.1.10", Q: 1, NAT: true, Expires: time.Now().Add(time.Minute),
		Flow: sip.Flow{Network: "udp", Remote: netip.MustParseAddrPort("203.0.113.7:40000")},
	}}
	n, err := registrar.Restore(saved)
	fmt.Println(n, err)
	for _, c := range registrar.Contacts("200") {
		fmt.Println(c.URI, "by", c.Flow)
	}
	fmt.Println(len(registrar.Contacts("201")))
	// Output:
	// 1 <nil>
	// sip:200@192.168.1.10 by udp 203.0.113.7:40000
	// 0
}

// An authenticator asks who calls, with both algorithms, the stronger one first.
func ExampleAuthenticator() {
	auth, err := sip.NewAuthenticator(sip.AuthConfig{Realm: "example.com", Secrets: passwords{"200": "secret"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	adm := auth.Check(context.Background(), &sip.Request{Method: "INVITE", URI: "sip:201@example.com"}, false)
	fmt.Println(adm.Status, len(adm.Headers), adm.User == "")
	// Output: 401 2 true
}
