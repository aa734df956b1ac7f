package sip

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCallIsAnsweredAndHungUpByCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("basic")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, ev := b.call(t)
		if err := d.Provisional(180, nil); err != nil {
			t.Fatal(err)
		}
		b.p.want("SIP/2.0 180")
		if err := d.Accept([]byte("v=0\r\n")); err != nil {
			t.Fatal(err)
		}
		ok := b.p.want("SIP/2.0 200")
		c.answered(ok)
		c.ack("")
		ev.want(t, EventAck)
		c.request("BYE", "Reason: Q.850;cause=16;text=\"Normal\"\r\n", "")
		b.p.want("SIP/2.0 200")
		e := ev.want(t, EventBye)
		if e.Cause != 16 || e.Reason != "Normal" {
			t.Errorf("got cause %d %q, want 16 Normal", e.Cause, e.Reason)
		}
		b.p.quiet(time.Minute)
		if n := b.e.Stats().Dialogs; n != 0 {
			t.Errorf("%d dialogs left", n)
		}
	})
}

func TestWeHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("wehangup")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, ev := b.call(t)
		if err := d.Accept([]byte("v=0\r\n")); err != nil {
			t.Fatal(err)
		}
		c.answered(b.p.want("SIP/2.0 200"))
		c.ack("")
		ev.want(t, EventAck)
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		b.p.reply(b.p.want("BYE sip:200@192.0.2.10:5060 SIP/2.0"), "200 OK")
		if e := ev.want(t, EventByeDone); e.Status != 200 {
			t.Errorf("got status %d, want 200", e.Status)
		}
	})
}
