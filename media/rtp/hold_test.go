package rtp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/sdp"
)

// TestOurHold: the peer is offered sendonly, and answers in each way that it may; what it offers later does not end our hold, and a refused
// offer changes nothing (RFC 3264 8.4, RFC 6337 5.3).
func TestOurHold(t *testing.T) {
	inBubble(t, Config{MediaTimeout: 7 * time.Second}, func(w *world) {
		t := w.t
		p := w.newPeer(2).call()
		p.mustHear()
		offer := func(d sdp.Direction) []byte {
			t.Helper()
			b, err := w.leg.OfferAs(d)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		answer := func(direction string) {
			t.Helper()
			if err := w.leg.TakeAnswer([]byte(p.offer("0 101", "a="+direction+"\r\n"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		offers := func(extra string) string {
			t.Helper()
			b, err := w.leg.Answer([]byte(p.offer("0 101", extra)))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		is := func(want sdp.Direction) {
			t.Helper()
			if got := w.leg.Stats().Direction; got != string(want) {
				t.Errorf("our direction is %s, want %s", got, want)
			}
		}
		first, err := sdp.Parse(offer(sdp.SendOnly))
		if err != nil {
			t.Fatal(err)
		}
		is(sdp.SendRecv) // nothing is agreed yet
		w.leg.Withdraw()
		if err := w.leg.TakeAnswer([]byte(p.offer("0 101", ""))); err == nil {
			t.Error("an answer to a withdrawn offer was taken")
		}
		if b := offers(""); !strings.Contains(b, "a=sendrecv") {
			t.Errorf("after the refusal we answer %s", b)
		}
		again, err := sdp.Parse(offer(sdp.SendOnly))
		if err != nil || again.Version() <= first.Version() {
			t.Errorf("version %d after %d, %v", again.Version(), first.Version(), err)
		}
		answer("recvonly")
		is(sdp.SendOnly)
		sent := w.leg.Stats().PacketsOut
		if err := w.leg.Port().PlayMusic(t.Context(), media.Silence(60*time.Millisecond, 8000)); err != nil {
			t.Error(err)
		}
		if n := w.leg.Stats().PacketsOut - sent; n != 3 {
			t.Errorf("%d packets of music were sent, want 3", n)
		}
		time.Sleep(20 * time.Second)
		if b := offers("a=sendrecv\r\n"); !strings.Contains(b, "a=sendonly") {
			t.Errorf("an offer of the peer ends our hold: %s", b)
		}
		if b := offers("a=sendonly\r\n"); !strings.Contains(b, "a=inactive") {
			t.Errorf("its hold of a held call is answered %s", b)
		}
		if st := w.leg.Snapshot(); st.Own != "sendonly" || !st.Media.OnHold {
			t.Errorf("snapshot %+v", st)
		}
		offer(sdp.SendRecv)
		answer("sendonly") // it holds still
		is(sdp.RecvOnly)
		offers("a=sendrecv\r\n")
		is(sdp.SendRecv)
		offer(sdp.Inactive)
		answer("inactive")
		is(sdp.Inactive)
		offer(sdp.SendRecv)
		answer("sendrecv")
		is(sdp.SendRecv)
		if k := w.kinds(EventHold, EventResume, EventMediaTimeout); !slices.Equal(k, []string{EventHold, EventResume}) {
			t.Errorf("events %v: only the peer's own hold is one, and a held peer need not send", k)
		}
	})
}
