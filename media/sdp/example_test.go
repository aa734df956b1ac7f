package sdp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/callbin/callbin/media/sdp"
)

func ExampleAnswer() {
	offer, err := sdp.Parse([]byte("v=0\no=- 1 1 IN IP4 198.51.100.9\ns=-\nc=IN IP4 198.51.100.9\nt=0 0\n" +
		"m=audio 4000 RTP/AVP 18 8 97\na=rtpmap:97 telephone-event/8000\na=sendonly\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	local := sdp.Local{IP: netip.MustParseAddr("192.0.2.1"), Port: 10000, DTMF: true, SessionID: 7, Version: 1}
	body, agreed, err := sdp.Answer(local, offer)
	fmt.Print(strings.ReplaceAll(string(body), "\r", ""))
	fmt.Println(agreed.Codec.Name(), agreed.PayloadType, agreed.Remote, agreed.Direction, agreed.OnHold, err)
	// Output:
	// v=0
	// o=- 7 1 IN IP4 192.0.2.1
	// s=-
	// c=IN IP4 192.0.2.1
	// t=0 0
	// m=audio 10000 RTP/AVP 8 97
	// a=rtpmap:8 PCMA/8000
	// a=rtpmap:97 telephone-event/8000
	// a=fmtp:97 0-15
	// a=ptime:20
	// a=recvonly
	// PCMA 8 198.51.100.9:4000 recvonly true <nil>
}

func ExampleAccept() {
	local := sdp.Local{IP: netip.MustParseAddr("192.0.2.1"), Port: 10000}
	body, err := sdp.Offer(local)
	if err != nil {
		fmt.Println(err)
		return
	}
	offer, _ := sdp.Parse(body) // what Offer wrote, Parse reads
	answer, err := sdp.Parse([]byte("v=0\nc=IN IP4 198.51.100.9\nm=audio 4000 RTP/AVP 8\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	agreed, err := sdp.Accept(local, offer, answer)
	fmt.Println(agreed.Codec.Name(), agreed.Remote, err)
	// Output: PCMA 198.51.100.9:4000 <nil>
}

func ExampleNotAcceptableError() {
	offer, _ := sdp.Parse([]byte("v=0\nc=IN IP4 198.51.100.9\nm=audio 4000 RTP/SAVP 0\n"))
	_, _, err := sdp.Answer(sdp.Local{IP: netip.MustParseAddr("192.0.2.1"), Port: 10000}, offer)
	var e *sdp.NotAcceptableError
	if errors.As(err, &e) {
		fmt.Println("488, Warning:", e.Warning("pbx.example"))
	}
	// Output: 488, Warning: 302 pbx.example "encrypted audio (RTP/SAVP) is not supported"
}

func ExampleSession() {
	s, err := sdp.Parse([]byte("v=0\no=bob 12 3 IN IP4 198.51.100.9\ns=-\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.ID(), s.Version())
	// Output: 12 3
}

func ExampleEvents() {
	var e sdp.Events = 1<<12 - 1 | 1<<16
	fmt.Println(e, e.Has(11), e.Has(12))
	// Output: 0-11,16 true false
}

func ExampleDirection() {
	fmt.Println(sdp.RecvOnly.Sends(), sdp.RecvOnly.Receives())
	// Output: false true
}
