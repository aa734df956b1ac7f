package sip

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// lookSIPp is the path of sipp; the test is skipped without it, and fails where everything must run.
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

// TestSIPp has a SIP stack of other people call us, on UDP and TCP.
func TestSIPp(t *testing.T) {
	sipp := lookSIPp(t)
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

// TestSIPpAnswers has a SIP stack of other people answer our calls, and check our
// password.
func TestSIPpAnswers(t *testing.T) {
	sipp := lookSIPp(t)
	auth, err := filepath.Abs("testdata/sipp/auth.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, network, flag string
		scenario            []string
		calls, rings        int
	}{
		{"udp", "udp", "u1", []string{"-sn", "uas"}, 200, 200},
		{"tcp", "tcp", "t1", []string{"-sn", "uas"}, 200, 200},
		{"auth", "udp", "u1", []string{"-sf", auth}, 50, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // sipp takes 4 seconds to be sure that nothing follows
			e, stop := serve(t, Config{
				Listen: []Listen{{Network: tt.network, Addr: "127.0.0.1:0"}},
				Invite: func(*Dialog) {},
			})
			defer stop()
			port := freePort(t, tt.network)
			cmd := exec.CommandContext(t.Context(), sipp, append(tt.scenario, "-i", "127.0.0.1", "-p", port,
				"-t", tt.flag, "-m", strconv.Itoa(tt.calls), "-nostdin", "-timeout", "20s", "-timeout_error")...)
			cmd.Dir = t.TempDir()
			cmd.WaitDelay = time.Second
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if tt.network == "tcp" {
				waitForTCP(t, port)
			}
			last := make(chan Event, tt.calls)
			var rang atomic.Int32
			// On TCP all at once, which must not open a connection each. On UDP that
			// would be a test of how fast sipp reads.
			pace := time.NewTicker(3 * time.Millisecond)
			defer pace.Stop()
			for range tt.calls {
				if tt.network == "udp" {
					<-pace.C
				}
				dialog := make(chan *Dialog, 1)
				d, err := e.Call(Outgoing{
					URI: "sip:service@127.0.0.1:" + port + ";transport=" + tt.network, Body: []byte(sdpOffer),
					Credentials: []Credentials{{Username: "ann", Password: "secret"}},
					Handle: func(ev Event) {
						switch {
						case ev.Kind == EventProgress:
							rang.Add(1)
						case ev.Kind == EventAccepted:
							if err := (<-dialog).Bye(); err != nil {
								t.Error(err)
							}
						case ev.last():
							last <- ev
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				dialog <- d
			}
			for range tt.calls {
				select {
				case ev := <-last:
					if ev.Kind != EventByeDone || ev.Status != 200 {
						t.Errorf("got %+v", ev)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("not all calls ended: %+v", e.Stats())
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("sipp: %v\n%s", err, out.Bytes()[max(0, out.Len()-3000):])
			}
			if s := e.Stats(); s.Dialogs != 0 || s.Junk != 0 || s.Panics != 0 || s.Connections > 1 || int(rang.Load()) != tt.rings {
				t.Errorf("got %+v, %d rang", s, rang.Load())
			}
		})
	}
}

func waitForTCP(t *testing.T, port string) {
	t.Helper()
	for over := time.After(5 * time.Second); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-over:
			t.Fatal("sipp does not listen: ", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	return strconv.Itoa(pc.LocalAddr().(*net.UDPAddr).Port)
}
