package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media/tone"
)

// linphone is a running linphonec that answers what comes and speaks say, a WAV file. It registers as name at the
// server behind n; command has it do something more.
func linphone(t testing.TB, say string, s *server, n *nat, name, password string) (command func(format string, args ...any)) {
	t.Helper()
	program := need(t, "linphonec")
	dir, port := t.TempDir(), freePort(t, "127.0.0.1")
	if err := os.MkdirAll(filepath.Join(dir, ".local/share/linphone"), 0o700); err != nil {
		t.Fatal(err)
	}
	rtp := 33000 + port%3000*2
	write(t, filepath.Join(dir, "linphonerc"), fmt.Sprintf(`[sip]
sip_port=%d
sip_tcp_port=0
sip_tls_port=0
bind_address=127.0.0.1
guess_hostname=0
contact="%[2]s" <sip:%[2]s@127.0.0.1:%[1]d>
auto_net_state_mon=0
register_only_when_network_is_up=0
[rtp]
audio_rtp_port=%[3]d-%[4]d
`, port, name, rtp, rtp+40))
	cmd := exec.Command(program, "-a", "-c", filepath.Join(dir, "linphonerc"))
	cmd.Env = append(os.Environ(), "HOME="+dir)
	out := &logBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("linphonec:\n%s", out)
		}
	})
	until(t, "linphonec takes commands", func() bool { return strings.Contains(out.String(), "linphonec>") })
	command = func(format string, args ...any) {
		t.Helper()
		if _, err := fmt.Fprintf(in, format+"\n", args...); err != nil {
			t.Fatal(err)
		}
	}
	command("soundcard use files\nplay %s\nregister sip:%s@127.0.0.1:%d sip:%s %s", say, name, s.port, n.inside.LocalAddr(), password)
	return command
}

// TestLinphoneIsAnExtension has a real phone that knows SHA-256 register with it, be called by its extension, refresh,
// move to another port of its NAT, and be gone when its time is over.
func TestLinphoneIsAnExtension(t *testing.T) {
	need(t, "linphonec")
	s := start(t, serverOptions{flows: toExtension, config: house})
	n := newNAT(t, s.port)
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 700, 60)
	linphone(t, say, s, n, "200", "s3cret")
	until(t, "it is registered by the NAT's port", func() bool { return strings.Contains(s.log.String(), "peer="+n.outside()) })
	if sent := n.sent.String(); !strings.Contains(sent, "algorithm=SHA-256") || strings.Contains(sent, "algorithm=MD5") {
		t.Errorf("it has not chosen SHA-256:\n%s", sent)
	}
	called := func() {
		t.Helper()
		ended := strings.Count(s.log.String(), "call ended")
		c := phone(t, s).Dial(t, "100")
		pauseFor(2 * time.Second)
		c.Hangup(t)
		until(t, "both legs have ended", func() bool { return strings.Count(s.log.String(), "call ended") == ended+2 })
		if l := tone.Goertzel(c.Heard(), 8000, 700); l < 0.05 {
			t.Errorf("the phone is heard at %.3f", l)
		}
	}
	called()
	n.move()
	until(t, "it refreshes by another port", func() bool {
		return strings.Contains(s.log.String(), "extension moved") && strings.Contains(s.log.String(), "peer="+n.outside())
	})
	pauseFor(6 * time.Second) // longer than it is registered for
	called()
	if strings.Contains(s.log.String(), "s3cret") {
		t.Error("the log holds the password")
	}
}

// TestLinphoneWithAWrongPasswordIsNobody is refused like a phone of an extension that is not there.
func TestLinphoneWithAWrongPasswordIsNobody(t *testing.T) {
	need(t, "linphonec")
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 0, 1)
	s := start(t, serverOptions{flows: toExtension, config: house})
	for _, name := range []string{"200", "999"} {
		n := newNAT(t, s.port)
		linphone(t, say, s, n, name, "wrong")
		until(t, "it tries, and is asked again", func() bool { return strings.Contains(n.sent.String(), "Authorization: ") })
		pauseFor(time.Second)
	}
	if strings.Contains(s.log.String(), "extension registered") {
		t.Error("a wrong password is good enough")
	}
}
