package main_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/media/tone"
)

// nat forwards datagrams between a phone and the server, from a port of its own: what a phone behind a NAT looks like. move gives
// it another port, as when the NAT has forgotten it.
type nat struct {
	t      testing.TB
	inside *net.UDPConn
	server *net.UDPAddr
	mu     sync.Mutex
	phone  *net.UDPAddr // guarded by mu
	out    *net.UDPConn // guarded by mu
	sent   logBuffer    // what the phone has sent
	wg     sync.WaitGroup
}

func newNAT(t testing.TB, server int) *nat {
	t.Helper()
	n := &nat{t: t, server: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: server}}
	var err error
	if n.inside, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	n.move()
	n.wg.Go(func() {
		b := make([]byte, 65536)
		for {
			size, from, err := n.inside.ReadFromUDP(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.phone = from
			out := n.out
			n.mu.Unlock()
			_, _ = n.sent.Write(b[:size])
			_, _ = out.WriteToUDP(b[:size], n.server)
		}
	})
	t.Cleanup(func() {
		n.inside.Close()
		n.mu.Lock()
		n.out.Close()
		n.mu.Unlock()
		n.wg.Wait()
	})
	return n
}

func (n *nat) move() {
	out, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	old := n.out
	n.out = out
	n.mu.Unlock()
	if old != nil {
		old.Close()
	}
	n.wg.Go(func() {
		b := make([]byte, 65536)
		for {
			size, _, err := out.ReadFromUDP(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			phone := n.phone
			n.mu.Unlock()
			if phone != nil {
				_, _ = n.inside.WriteToUDP(b[:size], phone)
			}
		}
	})
}

func (n *nat) outside() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.out.LocalAddr().String()
}

const house = `{"realm":"pbx.example.com","registrar":{"min_expires":1,"max_expires":5},
	"extensions":[{"name":"200","password":"s3cret"},{"name":"201","password":"other","contacts_max":1}]}`

var toExtension = map[string]string{
	"100.json": `[{"type":"connect","option":{"destinations":[{"type":"extension","target":"200"}]}},{"type":"hangup","option":{"reason":"noanswer"}}]`,
}

// extensionOf is the address of record of a baresip behind n.
func extensionOf(s *server, n *nat, name, password string) string {
	return fmt.Sprintf("<sip:%s@127.0.0.1:%d>;auth_user=%s;auth_pass=%s;regint=60;outbound=\"sip:%s\"", name, s.port, name, password, n.inside.LocalAddr())
}

// TestBaresipIsAnExtension has a real phone register, be called by its extension, refresh, move to another port of its NAT, dial with
// its password, and be gone when its time is over.
func TestBaresipIsAnExtension(t *testing.T) {
	need(t, "baresip")
	s := start(t, serverOptions{flows: toExtension, config: house})
	n := newNAT(t, s.port)
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 700, 60)
	p := baresipAs(t, say, extensionOf(s, n, "200", "s3cret"), "answermode=auto")
	until(t, "it is registered by the NAT's port", func() bool { return strings.Contains(s.log.String(), "peer="+n.outside()) })

	called := func() {
		t.Helper()
		c := phone(t, s).Dial(t, "100")
		pauseFor(time.Second)
		c.Hangup(t)
		c.WaitEnd(t)
		if l := tone.Goertzel(c.Heard(), 8000, 700); l < 0.05 {
			t.Errorf("the phone is heard at %.3f", l)
		}
	}
	called()
	moved := time.Now()
	n.move()
	until(t, "it refreshes by another port", func() bool {
		return strings.Contains(s.log.String(), "extension moved") && strings.Contains(s.log.String(), "peer="+n.outside())
	})
	called()
	pauseFor(6 * time.Second) // longer than it is registered for
	called()
	p.command(t, "dial", fmt.Sprintf("sip:201@127.0.0.1:%d", s.port))
	until(t, "its call to an extension without a phone is refused", func() bool { return strings.Contains(s.log.String(), "not_registered") })
	t.Logf("moved %v ago", time.Since(moved).Round(time.Second))
	seen := strings.Count(s.log.String(), "reason=expired")
	_ = p.cmd.Process.Kill()
	until(t, "it expires", func() bool { return strings.Count(s.log.String(), "reason=expired") > seen })
	if strings.Contains(s.log.String(), "s3cret") {
		t.Error("the log holds the password")
	}
}

// TestBaresipWithAWrongPasswordIsNobody is refused like a phone of an extension that is not there.
func TestBaresipWithAWrongPasswordIsNobody(t *testing.T) {
	need(t, "baresip")
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 0, 1)
	for _, name := range []string{"200", "999"} {
		s := start(t, serverOptions{flows: toExtension, config: house})
		n := newNAT(t, s.port)
		baresipAs(t, say, extensionOf(s, n, name, "wrong"))
		// libre answers 15 new challenges: what ends that is our limit of guesses.
		until(t, "baresip is refused", func() bool { return strings.Contains(s.log.String(), "used up its guesses") })
		if strings.Contains(s.log.String(), "extension registered") {
			t.Error("a wrong password is good enough")
		}
	}
}
