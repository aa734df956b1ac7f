package call_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// sippSpoofs is a call that shows +16062067563, is answered with %[1]d, and, where that is 407, gives the password of 200.
const sippSpoofs = `<?xml version="1.0"?>
<scenario name="spoof">
  <send retrans="500"><![CDATA[
    INVITE sip:100@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
    From: "Bob" <sip:(606)206-7563@example.com>;tag=[call_number]
    To: <sip:100@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:x@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="%[1]d" auth="%[2]t"/>
  <send><![CDATA[
    ACK sip:100@[remote_ip]:[remote_port] SIP/2.0
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
%[3]s
</scenario>
`

const sippAnswers = `
  <send retrans="500"><![CDATA[
    INVITE sip:100@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
    From: "Bob" <sip:(606)206-7563@example.com>;tag=[call_number]
    To: <sip:100@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 2 INVITE
    Contact: <sip:x@[local_ip]:[local_port]>
    Max-Forwards: 70
    [authentication username=200 password=secret200]
    Content-Length: 0

  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="603"/>
  <send><![CDATA[
    ACK sip:100@[remote_ip]:[remote_port] SIP/2.0
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    CSeq: 2 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>`

// TestSIPpSpoofs has a SIP stack of other people show a number of ours, over real sockets: it is refused, or, where the policy says so, asked for a
// password, and the call goes on with that (its flow hangs up at once).
func TestSIPpSpoofs(t *testing.T) {
	path := lookSIPp(t)
	hangup, err := flow.Parse([]byte(`[{"type":"hangup"}]`), flow.ParseOptions{Registry: action.Builtin(action.Deps{}), Name: "100"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		policy   verify.Policy
		scenario string
		records  []string
	}{
		"refused": {nil, fmt.Sprintf(sippSpoofs, 403, false, ""), []string{"403 own_number_spoofed stranger"}},
		"asked": {verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoChallenge}}, fmt.Sprintf(sippSpoofs, 407, true, sippAnswers),
			[]string{"407 own_number_spoofed stranger", "603 flow_hung_up extension:200"}},
	} {
		t.Run(name, func(t *testing.T) {
			kept := store.Memory()
			cfg := call.Config{Store: kept, Route: func(context.Context, *call.Incoming) (flow.Program, error) { return hangup, nil }}
			guarded(&cfg)
			cfg.Auth.Algorithms = []string{"MD5"}
			cfg.Verification.Policy = tt.policy
			e, stop := calltest.Run(t, calltest.Loopback{}, cfg)
			defer stop()
			free, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := free.LocalAddr().(*net.UDPAddr).Port
			free.Close()
			file := filepath.Join(t.TempDir(), "spoof.xml")
			if err := os.WriteFile(file, []byte(tt.scenario), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), path, e.Addrs()[0].Addr.String(), "-sf", file, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-m", "1", "-nostdin",
				"-timeout", "20s", "-timeout_error", "-auth_uri", "100@"+e.Addrs()[0].Addr.String())
			cmd.Dir, cmd.WaitDelay = t.TempDir(), time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("sipp: %v\n%s", err, out[max(0, len(out)-3000):])
			}
			stop()
			recs, _, err := kept.ListCalls(t.Context(), store.CallFilter{})
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(recs)
			var got []string
			for _, r := range recs {
				source := r.Source.String()
				if strings.HasPrefix(source, "sip:") {
					source = "stranger"
				}
				got = append(got, fmt.Sprint(r.SIPCode, " ", r.Code, " ", source))
			}
			if !slices.Equal(got, tt.records) {
				t.Errorf("records %q", got)
			}
		})
	}
}
