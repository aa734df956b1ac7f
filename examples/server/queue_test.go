package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestBaresipsServeAQueue has two real phones register as agents of examples/queue: one rings and is not answered, so that the other, which is, gets the
// caller. Caller and agent hear each other, the wait flow is over. Then sipp calls, and is served too.
func TestBaresipsServeAQueue(t *testing.T) {
	need(t, "baresip")
	sipp := need(t, "sipp")
	dir := t.TempDir()
	for hz, name := range map[float64]string{400: "400.wav", 700: "700.wav", 900: "900.wav"} {
		writeTone(t, filepath.Join(dir, name), hz, 60)
	}
	p := calltest.RunProgram(t, filepath.Join("..", "queue"))
	agent := func(name, say, mode string) *softphone {
		a := baresipAs(t, filepath.Join(dir, say), fmt.Sprintf("<sip:%s@127.0.0.1:%d>;auth_user=%s;auth_pass=secret%s;regint=60", name, p.SIP.Port(), name, name),
			"answermode="+mode, "audio_codecs=PCMU")
		p.WaitOutput(t, "agent "+name+" available")
		return a
	}
	silent := agent("201", "900.wav", "manual")
	serving := agent("202", "700.wav", "auto")
	caller := baresip(t, filepath.Join(dir, "400.wav"), "audio_codecs=PCMU")
	caller.command(t, "dial", fmt.Sprintf("sip:support@127.0.0.1:%d", p.SIP.Port()))
	silent.wait(t, "CALL_INCOMING")
	caller.wait(t, "CALL_ESTABLISHED") // by the wait flow
	silent.wait(t, "CALL_CLOSED")
	serving.wait(t, "CALL_ESTABLISHED")
	p.WaitOutput(t, "agent 201 away", "service 202")
	pauseFor(4 * time.Second)
	serving.command(t, "hangup", "")
	caller.wait(t, "CALL_CLOSED")
	hears(t, "the caller", caller.heard(t), 700, 900)
	hears(t, "the agent", serving.heard(t), 400, 1000)
	p.WaitOutput(t, "done 202 served")
	// After its wrap-up the same agent takes the call of sipp, or the other one that has rested, in vain, before.
	out, err := exec.Command(sipp, fmt.Sprintf("127.0.0.1:%d", p.SIP.Port()), "-sn", "uac", "-s", "support", "-i", "127.0.0.1", "-p", fmt.Sprint(freePort(t, "127.0.0.1")),
		"-m", "1", "-d", "20000", "-timeout", "60s", "-timeout_error", "-nostdin").CombinedOutput()
	if err != nil {
		t.Errorf("sipp: %v\n%s", err, out[max(0, len(out)-1500):])
	}
	p.WaitOutput(t, "sipp@127.0.0.1 service 202", "sipp@127.0.0.1 done 202 served")
}
