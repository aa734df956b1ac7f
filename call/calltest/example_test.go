package calltest_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/callbin/callbin/call/calltest"
)

// Two BYEs are lost, what else goes over the network is not.
func ExampleNet_SetFaults() {
	net := calltest.NewNet()
	net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{SIP: "BYE", First: 2}}})

	alice, _ := net.Listen(netip.MustParseAddrPort("10.0.0.2:5060"))
	bob, _ := net.Listen(netip.MustParseAddrPort("10.0.0.3:5060"))
	for i, method := range []string{"INVITE", "BYE", "BYE", "BYE"} {
		m := fmt.Sprintf("%s sip:bob@10.0.0.3 SIP/2.0\r\nCSeq: %d %s\r\n\r\n", method, i, method)
		_, _ = alice.WriteToUDPAddrPort([]byte(m), netip.MustParseAddrPort("10.0.0.3:5060"))
	}
	b := make([]byte, 1500)
	for range 2 {
		n, _, _ := bob.ReadFromUDPAddrPort(b)
		_, cseq, _ := strings.Cut(string(b[:n]), "\r\n")
		fmt.Println(strings.TrimSpace(cseq))
	}
	// Output:
	// CSeq: 0 INVITE
	// CSeq: 3 BYE
}
