package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// extensionPhone is a baresip that is registered as an extension, answers everything, and says hz.
func extensionPhone(t *testing.T, s *server, name, password string, hz float64) *softphone {
	t.Helper()
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, hz, 60)
	aor := fmt.Sprintf("<sip:%s@127.0.0.1:%d>;auth_user=%s;auth_pass=%s;regint=60", name, s.port, name, password)
	p := baresipAs(t, say, aor, "answermode=auto")
	until(t, name+" is registered", func() bool { return strings.Contains(s.log.String(), fmt.Sprintf("peer=127.0.0.1:%d", p.port)) })
	return p
}

// speaks tells whether what c heard in the last second has hz.
func speaks(c *calltest.PhoneCall, hz float64) bool {
	pcm := c.Heard()
	return len(pcm) > 8000 && tone.Goertzel(pcm[len(pcm)-4000:], 8000, hz) > 0.05
}

// TestBaresipTransfers has a real phone send who has called it to another one, by REFER; it hangs up when it is told that they talk.
func TestBaresipTransfers(t *testing.T) {
	need(t, "baresip")
	s := start(t, serverOptions{flows: toExtension, config: house})
	p := extensionPhone(t, s, "200", "s3cret", 700)
	q := extensionPhone(t, s, "201", "other", 900)
	c := phone(t, s).Dial(t, "100")
	p.wait(t, "CALL_ESTABLISHED")
	until(t, "the phone is heard", func() bool { return speaks(c, 700) })
	p.command(t, "transfer", fmt.Sprintf("sip:201@127.0.0.1:%d", s.port))
	q.wait(t, "CALL_ESTABLISHED")
	until(t, "the other one is heard", func() bool { return speaks(c, 900) && !speaks(c, 700) })
	p.wait(t, "CALL_CLOSED")
	pauseFor(time.Second)
	if !speaks(c, 900) {
		t.Error("it is not heard when the first one has left")
	}
	c.Hangup(t)
	q.wait(t, "CALL_CLOSED")
	until(t, "the log says transferred", func() bool { return strings.Contains(s.log.String(), "code=transferred") })
}

// TestLinphoneTransfersAfterAWord has a real phone hold who has called it, speak with another one, and then join the two, by REFER with Replaces.
func TestLinphoneTransfersAfterAWord(t *testing.T) {
	need(t, "linphonec")
	need(t, "baresip")
	s := start(t, serverOptions{flows: toExtension, config: house})
	n := newNAT(t, s.port)
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 700, 60)
	command := linphone(t, say, s, n, "200", "s3cret")
	until(t, "it is registered", func() bool { return strings.Contains(s.log.String(), "peer="+n.outside()) })
	q := extensionPhone(t, s, "201", "other", 900)
	c := phone(t, s).Dial(t, "100")
	until(t, "the phone is heard", func() bool { return speaks(c, 700) })
	command("pause")
	until(t, "the caller is on hold", func() bool { return !speaks(c, 700) })
	command("call sip:201@127.0.0.1:%d", s.port)
	q.wait(t, "CALL_ESTABLISHED")
	pauseFor(2 * time.Second)
	if speaks(c, 900) || speaks(c, 700) {
		t.Error("who is held hears the two talk")
	}
	command("transfer 1 --to-call 2")
	until(t, "the other one is heard", func() bool { return speaks(c, 900) })
	until(t, "the log says transferred", func() bool { return strings.Contains(s.log.String(), "code=transferred") })
	pauseFor(time.Second)
	if !speaks(c, 900) || speaks(c, 700) {
		t.Error("it is not the other one alone who is heard in the end")
	}
	c.Hangup(t)
	q.wait(t, "CALL_CLOSED")
}
