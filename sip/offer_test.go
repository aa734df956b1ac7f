package sip

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// TestUpdateStates is the table of RFC 3311 5.1 and 5.2 (with RFC 3261 14.2 and RFC 3262 5): what an offer of the peer gets in
// each state that offer and answer can be in, by UPDATE and by re-INVITE, and whether we may offer then.
func TestUpdateStates(t *testing.T) {
	type world struct {
		b *bubble
		c *caller
		d *Dialog
		t *testing.T
	}
	reliable := func(w *world, extra, sdp string) {
		w.c.extra = extra + "Allow: UPDATE\r\n"
		w.c.invite(sdp)
		w.b.p.want("SIP/2.0 100")
		w.d, _ = w.b.call(w.t)
	}
	early := func(w *world) text {
		if err := w.d.Provisional(183, []byte("v=0 early")); err != nil {
			w.t.Fatal(err)
		}
		m := w.b.p.want("SIP/2.0 183")
		w.c.answered(m)
		return m
	}
	prack := func(w *world, m text, sdp string) {
		w.c.request("PRACK", "RAck: "+m.get("RSeq")+" 1 INVITE\r\n", sdp)
		w.b.p.want("SIP/2.0 200")
	}
	accept := func(w *world, sdp string) {
		if err := w.d.Accept([]byte("v=0")); err != nil {
			w.t.Fatal(err)
		}
		w.c.answered(w.b.p.want("SIP/2.0 200"))
	}
	ack := func(w *world, sdp string) {
		w.c.send("ACK", 1, "ack", "", sdp)
		synctest.Wait()
	}
	const rel = "Supported: 100rel\r\n"
	const taken = "taken"
	for _, tt := range []struct {
		name             string
		setup            func(w *world)
		update, reinvite string // status, or taken
		ours             bool   // Offer works
	}{
		{"INVITE's offer open, unreliable answer", func(w *world) { reliable(w, "", sdpOffer); early(w) }, "500", "500", false},
		{"INVITE's offer answered reliably, no PRACK", func(w *world) { reliable(w, rel, sdpOffer); early(w) }, taken, "500", false},
		{"INVITE's offer answered reliably, PRACK", func(w *world) { reliable(w, rel, sdpOffer); prack(w, early(w), "") }, taken, "500", true},
		{"our offer in a reliable response", func(w *world) { reliable(w, rel, ""); early(w) }, "491", "500", false},
		{"our offer answered in the PRACK", func(w *world) { reliable(w, rel, ""); prack(w, early(w), "v=0") }, taken, "500", true},
		{"2xx with the answer, no ACK", func(w *world) { reliable(w, "", sdpOffer); accept(w, "v=0") }, taken, "500", false},
		{"2xx with our offer, no ACK", func(w *world) { reliable(w, "", ""); accept(w, "v=0") }, "491", "500", false},
		{"confirmed", func(w *world) { reliable(w, "", sdpOffer); accept(w, "v=0"); ack(w, "") }, taken, taken, true},
		{"UPDATE of the peer open", func(w *world) {
			reliable(w, "", sdpOffer)
			accept(w, "v=0")
			ack(w, "")
			w.c.request("UPDATE", "", "v=0 open")
			synctest.Wait()
		}, "500", "500", false},
		{"re-INVITE of the peer open", func(w *world) {
			reliable(w, "", sdpOffer)
			accept(w, "v=0")
			ack(w, "")
			w.c.request("INVITE", "", "v=0 open")
			w.b.p.want("SIP/2.0 100")
		}, "500", "500", false},
		{"re-INVITE of ours open", func(w *world) {
			reliable(w, "", sdpOffer)
			accept(w, "v=0")
			ack(w, "")
			if err := w.d.Offer([]byte("v=0 ours")); err != nil {
				w.t.Fatal(err)
			}
			w.b.p.reply(w.b.p.want("INVITE"), "100 Trying")
		}, "491", "491", false},
		{"UPDATE of ours open", func(w *world) {
			reliable(w, rel, sdpOffer)
			prack(w, early(w), "")
			if err := w.d.Offer([]byte("v=0 ours")); err != nil {
				w.t.Fatal(err)
			}
			w.b.p.reply(w.b.p.want("UPDATE"), "100 Trying")
		}, "491", "500", false},
	} {
		for _, by := range []string{"UPDATE", "INVITE", "ours"} {
			t.Run(fmt.Sprint(tt.name, ", ", by), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &world{b: newBubble(t, nil), t: t}
					defer w.b.close()
					w.c = w.b.p.caller("table")
					tt.setup(w)
					if by == "ours" {
						if err := w.d.Offer([]byte("v=0 ours")); (err == nil) != tt.ours {
							t.Errorf("Offer: %v", err)
						}
						return
					}
					want := tt.update
					if by == "INVITE" {
						want = tt.reinvite
					}
					offers := w.d.Snapshot().Offers
					w.c.request(by, "", "v=0 crossing")
					synctest.Wait()
					if got := w.d.Snapshot().Offers > offers; got != (want == taken) {
						t.Errorf("taken: %t, want %s", got, want)
					}
					if want != taken {
						m := w.b.p.want("SIP/2.0 " + want)
						if want == "500" && m.get("Retry-After") == "" {
							t.Error("no Retry-After")
						}
					}
				})
			})
		}
	}
}
