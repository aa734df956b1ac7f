package call_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
)

const sippReplaces = `<?xml version="1.0"?>
<scenario name="replaces">
  <send retrans="500"><![CDATA[
    INVITE sip:201@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:200@[remote_ip]>;tag=[call_number]
    To: <sip:201@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:200@[local_ip]:[local_port]>
    Max-Forwards: 70
    Replaces: [replaces]
    Require: replaces
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=- 1 1 IN IP4 [local_ip]
    s=-
    c=IN IP4 [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="401" auth="true"/>
  <send><![CDATA[
    ACK sip:201@[remote_ip]:[remote_port] SIP/2.0
    [last_Via:]
    From: <sip:200@[remote_ip]>;tag=[call_number]
    [last_To:]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <send retrans="500"><![CDATA[
    INVITE sip:201@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:200@[remote_ip]>;tag=[call_number]
    To: <sip:201@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 2 INVITE
    Contact: <sip:200@[local_ip]:[local_port]>
    [authentication username=200 password=secret200]
    Max-Forwards: 70
    Replaces: [replaces]
    Require: replaces
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=- 1 1 IN IP4 [local_ip]
    s=-
    c=IN IP4 [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
    ACK [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:200@[remote_ip]>;tag=[call_number]
    [last_To:]
    Call-ID: [call_id]
    CSeq: 2 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv request="BYE"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
</scenario>
`

// TestSIPpReplacesACall has a SIP stack of other people take a call over, as another phone of the extension, by INVITE with Replaces and its password.
func TestSIPpReplacesACall(t *testing.T) {
	path := lookSIPp(t)
	dir := t.TempDir()
	scenario := filepath.Join(dir, "replaces.xml")
	must(t, os.WriteFile(scenario, []byte(sippReplaces), 0o600))
	cfg := call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }}
	extensions(&cfg)
	cfg.Auth.Algorithms = []string{"MD5"}
	e, stop := calltest.Run(t, calltest.Loopback{}, cfg)
	defer stop()
	loopback := netip.MustParseAddr("127.0.0.1")
	phone := func(x string) *calltest.Phone {
		return calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: loopback, Server: e.Addrs()[0].Addr, User: x, Password: "secret" + x})
	}
	bob := phone("201")
	register(t, bob)
	a := phone("200").Start(t, "201")
	b := bob.WaitCall(t)
	b.Answer()
	a.WaitAnswer(t)
	b.WaitAnswer(t)
	var old *call.Call
	for c := range e.Calls() {
		if c.Record().Direction == "incoming" {
			old = c
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, e.Addrs()[0].Addr.String(), "-sf", scenario, "-i", "127.0.0.1", "-p", fmt.Sprint(calltest.FreePort(t).Port()), "-m", "1",
		"-key", "replaces", a.Name(), "-auth_uri", "201@"+e.Addrs()[0].Addr.String(), "-nostdin", "-timeout", "12s", "-timeout_error")
	var out bytes.Buffer
	cmd.Dir, cmd.WaitDelay, cmd.Stdout, cmd.Stderr = dir, time.Second, &out, &out
	must(t, cmd.Start())
	defer func() {
		if t.Failed() {
			t.Logf("sipp:\n%s", out.Bytes()[max(0, out.Len()-3000):])
		}
	}()
	select {
	case <-a.Done():
	case <-ctx.Done():
		_ = cmd.Wait()
		t.Fatal("the call is not replaced")
	}
	if why := a.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
		t.Errorf("the replaced call ended by %s", why)
	}
	<-old.Done()
	if r := old.Record(); r.Code != call.CodeReplaced {
		t.Errorf("%+v", r)
	}
	b.Hangup(t)
	if err := cmd.Wait(); err != nil {
		t.Errorf("sipp: %v\n%s", err, out.Bytes()[max(0, out.Len()-3000):])
	}
}
