package sip

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestRestoredDialogGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		c := b.p.caller("restore")
		c.extra = "Record-Route: <sip:192.0.2.10;lr>\r\n"
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, ev := b.call(t)
		if err := d.Accept(nil); err != nil {
			t.Fatal(err)
		}
		c.answered(b.p.want("SIP/2.0 200"))
		c.ack("")
		ev.want(t, EventAck)
		c.request("OPTIONS", "", "")
		b.p.want("SIP/2.0 200")
		j, err := json.Marshal(d.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		b.stop()
		if e := ev.want(t, EventFailed); e.Reason != "endpoint closed" {
			t.Errorf("got %+v", e)
		}

		calls := make(chan *Dialog, 1)
		e2, stop := serve(t, Config{
			Listen: []Listen{{Network: "udp", PacketConn: b.net.listen("192.0.2.1:5060")}},
			Invite: func(d *Dialog) { calls <- d },
		})
		defer stop()
		defer b.p.close()
		var s DialogState
		if err := json.Unmarshal(j, &s); err != nil {
			t.Fatal(err)
		}
		ch := &events{ch: make(chan Event, 10)}
		d2, err := e2.Restore(s, func(e Event) { ch.ch <- e })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e2.Restore(s, nil); err == nil {
			t.Error("the same dialog was restored twice")
		}
		if diff := cmp.Diff(s, d2.Snapshot(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		// An old number is refused, the next one is taken.
		c.send("OPTIONS", c.cseq, "old", "", "")
		b.p.want("SIP/2.0 500")
		c.request("INVITE", "", sdpOffer)
		b.p.want("SIP/2.0 100")
		o := ch.want(t, EventOffer)
		if err := d2.Answer(o.Offer, 200, nil); err != nil {
			t.Fatal(err)
		}
		b.p.want("SIP/2.0 200")
		c.ack("")
		ch.want(t, EventOfferAck)
		if err := d2.Bye(); err != nil {
			t.Fatal(err)
		}
		bye := b.p.want("BYE sip:200@192.0.2.10:5060 SIP/2.0")
		if bye.get("Route") != "<sip:192.0.2.10;lr>" || !strings.HasSuffix(bye.get("From"), ";tag="+c.toTag) ||
			!strings.HasSuffix(bye.get("To"), ";tag="+c.tag) {
			t.Errorf("got\n%v", bye)
		}
		b.p.reply(bye, "200 OK")
		ch.want(t, EventByeDone)

		s.State = StateEarly
		if _, err := e2.Restore(s, nil); !errors.Is(err, ErrState) {
			t.Errorf("got %v, want ErrState", err)
		}
		s.State, s.RemoteTarget = StateConfirmed, "sip:x\r\nEvil: y"
		if _, err := e2.Restore(s, nil); err == nil {
			t.Error("a target with a line break was restored")
		}
	})
}
