package sip_test

import (
	"fmt"

	"github.com/callbin/callbin/sip"
)

// Where an attended transfer leads to: to carol, in the place of the call that Replaces names.
func ExampleParseReferTo() {
	r, err := sip.ParseReferTo("<sip:carol@example.com?Replaces=98732%40example.org%3Bto-tag%3Dff87ff%3Bfrom-tag%3Dr33th4x0r>")
	fmt.Println(r.URI, err)
	fmt.Println(r.Replaces.CallID, r.Replaces.ToTag, r.Replaces.FromTag)
	fmt.Println(sip.ReferTo{URI: "sip:carol@example.com", Replaces: r.Replaces})
	// Output:
	// sip:carol@example.com <nil>
	// 98732@example.org ff87ff r33th4x0r
	// <sip:carol@example.com?Replaces=98732%40example.org%3Bto-tag%3Dff87ff%3Bfrom-tag%3Dr33th4x0r>
}

// What a NOTIFY tells of a REFER.
func ExampleParseSipfrag() {
	fmt.Println(sip.ParseSipfrag([]byte("SIP/2.0 180 Ringing\r\n")))
	// Output: 180 Ringing <nil>
}
