package call_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
)

const sippRefuses = `<?xml version="1.0"?>
<scenario name="503">
  <recv request="INVITE"/>
  <send><![CDATA[
    SIP/2.0 503 Service Unavailable
    [last_Via:]
    [last_From:]
    [last_To:];tag=[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Reason: Q.850;cause=34
    Content-Length: 0

  ]]></send>
  <recv request="ACK"/>
</scenario>
`

// lookSIPp finds sipp. The test is skipped without it, or fails where all have to run.
func lookSIPp(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("sipp is not installed")
	}
	return path
}

// TestFailoverToSIPp is TestFailover over real sockets, with a SIP stack of other people as the second and third provider.
func TestFailoverToSIPp(t *testing.T) {
	path := lookSIPp(t)
	const n = 20                                          // more at once, on a busy machine, and a lost response has sipp refuse the INVITE that comes again
	nobody, err := net.ListenPacket("udp", "127.0.0.1:0") // takes INVITEs and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	dir := t.TempDir()
	scenario := filepath.Join(dir, "503.xml")
	if err := os.WriteFile(scenario, []byte(sippRefuses), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		wg.Wait()
	}()
	uas := func(args ...string) (addr string) {
		t.Helper()
		free, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := free.LocalAddr().(*net.UDPAddr).Port
		free.Close()
		cmd := exec.CommandContext(ctx, path, append(args, "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-nostdin")...)
		cmd.Dir, cmd.WaitDelay = dir, time.Second
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		wg.Go(func() {
			if err := cmd.Run(); err != nil && ctx.Err() == nil {
				t.Errorf("sipp %s: %v\n%s", args, err, out.Bytes()[max(0, out.Len()-2000):])
			}
		})
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	second, third := uas("-sf", scenario), uas("-sn", "uas")
	e, stop := calltest.Run(t, calltest.Loopback{}, call.Config{
		Route:    func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow },
		Outbound: call.Outbound{Tel: []string{"+"}},
		Trunks:   []call.Trunk{{Name: "t1", Address: nobody.LocalAddr().String()}, {Name: "t2", Address: second}, {Name: "t3", Address: third}},
		Routes: []call.Route{{Target: "+", Trunks: []call.RouteTrunk{
			{Trunk: "t1"}, {Trunk: "t2", Priority: 1}, {Trunk: "t3", Priority: 2},
		}}},
	})
	defer stop()
	var calls []*call.Call
	for range n {
		c, err := e.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	for _, c := range calls {
		<-c.Done()
		r := c.Record()
		var got []int
		for _, a := range r.Attempts {
			got = append(got, a.SIPCode)
		}
		if fmt.Sprint(got) != "[408 503 200]" || r.Trunk != "t3" || r.Code != call.CodeFlowEnded {
			t.Errorf("attempts %v of %+v", got, r)
		}
	}
}
