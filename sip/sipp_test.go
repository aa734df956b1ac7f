package sip

import (
	"bytes"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

// TestSIPp has a SIP stack of other people call us, on UDP and TCP.
func TestSIPp(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatal("sipp is not installed")
		}
		t.Skip("sipp is not installed")
	}
	for _, tt := range []struct{ network, flag string }{{"udp", "u1"}, {"tcp", "t1"}} {
		t.Run(tt.network, func(t *testing.T) {
			var byes atomic.Int32
			e, stop := serve(t, Config{
				Listen: []Listen{{Network: tt.network, Addr: "127.0.0.1:0"}},
				Invite: func(d *Dialog) {
					d.Handle(func(ev Event) {
						if ev.Kind == EventBye {
							byes.Add(1)
						}
					})
					if err := d.Provisional(180, nil); err != nil {
						t.Error(err)
					}
					if err := d.Accept([]byte(sdpOffer)); err != nil {
						t.Error(err)
					}
				},
			})
			defer stop()
			cmd := exec.CommandContext(t.Context(), sipp, e.Addrs()[0].Addr.String(), "-sn", "uac", "-i", "127.0.0.1",
				"-t", tt.flag, "-m", "200", "-r", "400", "-d", "50", "-nostdin", "-timeout", "20s", "-timeout_error")
			cmd.Dir = t.TempDir()
			cmd.WaitDelay = time.Second
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Fatalf("sipp: %v\n%s", err, out.Bytes()[max(0, out.Len()-3000):])
			}
			// sipp ends with our last 200, which is sent before the event is told.
			for over := time.After(5 * time.Second); byes.Load() < 200 || e.Stats().Dialogs > 0; {
				select {
				case <-over:
					t.Fatalf("not all hung up: %d byes, %+v", byes.Load(), e.Stats())
				case <-time.After(5 * time.Millisecond):
				}
			}
			if n := byes.Load(); n != 200 {
				t.Errorf("%d calls hung up, want 200", n)
			}
			if s := e.Stats(); s.Dialogs != 0 || s.Junk != 0 || s.Retransmitted != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}
