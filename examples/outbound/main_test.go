package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestKeyOfTheCalledOneIsPrinted is called by the program, hears it speak, and presses 1.
func TestKeyOfTheCalledOneIsPrinted(t *testing.T) {
	_, err := exec.LookPath("espeak-ng")
	if err != nil && os.Getenv("CALLBIN_FULL") != "" {
		t.Fatal(err)
	}
	at := calltest.FreePort(t)
	phone := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: at.Addr(), Port: at.Port()})
	p := calltest.RunProgram(t, ".", fmt.Sprintf("sip:alice@%s", at))
	c := phone.WaitCall(t)
	c.Ring()
	c.Answer()
	c.WaitAnswer(t)
	<-time.After(2 * time.Second)
	c.Press("1")
	c.WaitEnd(t)
	p.WaitOutput(t, `pressed "1"`, "normal")
	<-p.Done()
	if level := tone.Level(c.Heard()); err == nil && level < 0.01 {
		t.Errorf("what is spoken has the level %v", level)
	}
}
