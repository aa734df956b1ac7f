package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

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
