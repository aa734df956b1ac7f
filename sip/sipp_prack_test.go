package sip

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sippRun starts sipp with a scenario of testdata/sipp; the function that it returns waits for its end.
func sippRun(t *testing.T, scenario string, args ...string) func() {
	t.Helper()
	file, err := filepath.Abs("testdata/sipp/" + scenario)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), lookSIPp(t), append(args, "-sf", file, "-i", "127.0.0.1", "-nostdin", "-timeout", "20s", "-timeout_error")...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("sipp: %v\n%s", err, out.Bytes()[max(0, out.Len()-3000):])
		}
	}
}

// TestSIPpPRACK has a SIP stack of other people call us with 100rel and a session timer: 422, reliable early media, PRACK,
// UPDATE.
func TestSIPpPRACK(t *testing.T) {
	lookSIPp(t)
	var refreshed, byes atomic.Int32
	e, stop := serve(t, Config{
		Listen: []Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Invite: func(d *Dialog) {
			d.Handle(func(ev Event) {
				switch ev.Kind {
				case EventRefresh:
					refreshed.Add(1)
				case EventBye:
					byes.Add(1)
				}
			})
			if err := d.Provisional(183, []byte(sdpOffer)); err != nil {
				t.Error(err)
			}
			if err := d.Accept([]byte(sdpOffer)); err != nil {
				t.Error(err)
			}
		},
	})
	stop = sync.OnceFunc(stop)
	defer stop()
	sippRun(t, "prack-uac.xml", e.Addrs()[0].Addr.String(), "-m", "20", "-r", "100")()
	stop() // sipp has its last 200 before our handler hears of the BYE
	if refreshed.Load() != 20 || byes.Load() != 20 {
		t.Errorf("%d refreshed, %d hung up, want 20", refreshed.Load(), byes.Load())
	}
}

// TestSIPpAnswersReliably has it answer our calls reliably, with an UPDATE before the 200.
func TestSIPpAnswersReliably(t *testing.T) {
	lookSIPp(t)
	e, stop := serve(t, Config{Listen: []Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}})
	defer stop()
	port := freePort(t, "udp")
	wait := sippRun(t, "prack-uas.xml", "-p", port, "-m", "20")
	last := make(chan Event, 20)
	var offers atomic.Int32
	for range 20 {
		dialog := make(chan *Dialog, 1)
		d, err := e.Call(Outgoing{URI: "sip:service@127.0.0.1:" + port, Body: []byte(sdpOffer), Handle: func(ev Event) {
			switch {
			case ev.Kind == EventOffer:
				d := <-dialog
				dialog <- d
				offers.Add(1)
				if err := d.Answer(ev.Offer, 200, []byte(sdpOffer)); err != nil {
					t.Error(err)
				}
			case ev.Kind == EventAccepted:
				d := <-dialog
				if s := d.Snapshot().Session; s == nil || !s.Mine || s.Interval != 1800*time.Second {
					t.Errorf("session %+v", s)
				}
				if err := d.Bye(); err != nil {
					t.Error(err)
				}
			case ev.last():
				last <- ev
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		dialog <- d
	}
	for range 20 {
		select {
		case ev := <-last:
			if ev.Kind != EventByeDone || ev.Status != 200 {
				t.Errorf("got %+v", ev)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("not all calls ended: %+v", e.Stats())
		}
	}
	wait()
	if offers.Load() != 20 {
		t.Errorf("%d offers by UPDATE, want 20", offers.Load())
	}
}
