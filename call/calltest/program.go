package calltest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is a running program with an engine in it, as a user would start it.
type Program struct {
	SIP  netip.AddrPort // where it listens, by its -sip flag
	done chan struct{}
	out  output
}

// RunProgram builds the main package in dir, with the go command, and runs it with -sip for a free
// port of 127.0.0.1, -ports, and args, until it ends by itself or the test does: then it gets SIGTERM, and
// a second one when calls keep it.
func RunProgram(t testing.TB, dir string, args ...string) *Program {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("calltest: build %s: %v\n%s", dir, err, out)
	}
	p := &Program{SIP: FreePort(t), done: make(chan struct{})}
	media := FreePort(t).Port()&^1 | 1
	ports := fmt.Sprintf("%d-%d", media-1, min(int(media)+400, 65535))
	cmd := exec.Command(bin, append([]string{"-sip", "udp://" + p.SIP.String(), "-ports", ports}, args...)...)
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // its output says how it ended
	}()
	t.Cleanup(func() {
		for range 2 { // the second one ends the drain
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			select {
			case <-p.done:
			case <-time.After(time.Second):
			}
		}
		<-p.done
		if t.Failed() {
			t.Logf("the program's output:\n%s", p.Output())
		}
	})
	return p
}

// FreePort is a UDP port of 127.0.0.1 that nobody has at the moment.
func FreePort(t testing.TB) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// Output is what the program has printed so far.
func (p *Program) Output() string { return p.out.String() }

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.done }

// WaitOutput waits until the program has printed each of texts.
func (p *Program) WaitOutput(t testing.TB, texts ...string) {
	t.Helper()
	for start := time.Now(); ; <-time.After(20 * time.Millisecond) {
		missing := ""
		for _, text := range texts {
			if !strings.Contains(p.Output(), text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("calltest: the program does not print %q but:\n%s", missing, p.Output())
		}
	}
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
