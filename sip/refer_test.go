package sip

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Values of RFC 3515 2.1, RFC 3891 6.1, RFC 5359 2.5 and RFC 4475, and what phones make of them.
var referTos = []string{
	"sip:alice@atlanta.example.com",
	"<sip:bob@biloxi.example.com?Accept-Contact=sip:bobsdesk@biloxi.example.com&Call-ID=55432%40alicepc.atlanta.example.com>",
	"<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
	"<sip:carol@cleveland.example.org;method=SUBSCRIBE>", `"Carol \"C\"" <sip:carol@[2001:db8::1]:5070;transport=tcp?Replaces=a%3Bfrom-tag%3D1%3Bto-tag%3D2%3Bearly-only>;x=y`,
	"http://www.ietf.org", "tel:+15551234567", "<sip:a?b;c@host;method=INVITE>", "<sip:100@192.0.2.1?Replaces=%0d%0aEvil:%201>", "<sip:100@192.0.2.1?&&=&a=b>", "",
}

func TestParseReferTo(t *testing.T) {
	for value, want := range map[string]ReferTo{
		referTos[0]: {URI: "sip:alice@atlanta.example.com", Scheme: "sip", User: "alice", Host: "atlanta.example.com"},
		referTos[2]: {URI: "sip:dave@denver.example.org", Scheme: "sip", User: "dave", Host: "denver.example.org",
			Replaces: &Replaces{CallID: "12345@192.168.118.3", ToTag: "12345", FromTag: "5FFE-3994"}},
		referTos[3]: {URI: "sip:carol@cleveland.example.org", Scheme: "sip", User: "carol", Host: "cleveland.example.org", Method: "SUBSCRIBE"},
		referTos[4]: {URI: "sip:carol@[2001:db8::1]:5070;transport=tcp", Scheme: "sip", User: "carol", Host: "2001:db8::1", Display: `Carol "C"`,
			Replaces: &Replaces{CallID: "a", ToTag: "2", FromTag: "1", EarlyOnly: true}},
		referTos[6]: {URI: "tel:+15551234567", Scheme: "tel", User: "+15551234567"},
		referTos[7]: {URI: "sip:a?b;c@host", Scheme: "sip", User: "a?b;c", Host: "host"},
	} {
		if got, err := ParseReferTo(value); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v, want %+v", value, got, err, want)
		}
	}
	for _, bad := range []string{"", "<sip:>", "<sip:a@b?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=y%3Bto-tag%3D1%3Bfrom-tag%3D2>", referTos[8], "<sip:a@b?x>",
		"<sip:a@b;method=INVITE;method=BYE>" + strings.Repeat("x", 9), "<sip:a@b?" + strings.Repeat("a=b&", 20) + ">"} {
		if got, err := ParseReferTo(bad); err == nil {
			t.Errorf("%q is %+v, want an error", bad, got)
		}
	}
}

func TestParseReplaces(t *testing.T) {
	for value, want := range map[string]Replaces{
		"98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff": {CallID: "98732@sip.example.com", ToTag: "ff87ff", FromTag: "r33th4x0r"},
		"12adf2f34456gs5 ; to-tag=1 ; From-Tag=2;early-only;x=y": {CallID: "12adf2f34456gs5", ToTag: "1", FromTag: "2", EarlyOnly: true},
	} {
		if got, err := ParseReplaces(value); err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", value, got, err, want)
		}
	}
	for _, bad := range []string{"", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;to-tag=2;from-tag=3", "a b;to-tag=1;from-tag=2", "a@b@c;to-tag=1;from-tag=2",
		"a;to-tag=;from-tag=2", `a;to-tag="1";from-tag=2`} {
		if got, err := ParseReplaces(bad); err == nil {
			t.Errorf("%q is %+v, want an error", bad, got)
		}
	}
}

// FuzzReferTo: what is parsed and written parses to the same, and no line break gets into what we send.
func FuzzReferTo(f *testing.F) {
	for _, s := range referTos {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReferTo(s)
		if err != nil || checkValue(s) != nil {
			return
		}
		again, err := ParseReferTo(r.String())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%q is %+v, written as %q it is %+v, %v", s, r, r.String(), again, err)
		}
		if checkValue(r.String()) != nil {
			t.Fatalf("%q is written as %q", s, r.String())
		}
	})
}

// FuzzReplaces: what is parsed and written parses to the same.
func FuzzReplaces(f *testing.F) {
	for _, s := range []string{"98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff", "a;to-tag=1;from-tag=2;early-only", `<"\>[]?{}:/@x;to-tag=1;from-tag=2;a="b;c"`, ";", "a;to-tag"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReplaces(s)
		if err != nil {
			return
		}
		if again, err := ParseReplaces(r.String()); err != nil || again != r || checkValue(r.String()) != nil {
			t.Fatalf("%q is %+v, written as %q it is %+v, %v", s, r, r.String(), again, err)
		}
	})
}

// FuzzSipfrag: a status line that is read is written the same.
func FuzzSipfrag(f *testing.F) {
	for _, s := range []string{"SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\nServer: x\r\n\r\n", "SIP/2.0 486", "SIP/2.0 1000 x", "SIP/2.0 200 \rx", "INVITE sip:a@b SIP/2.0", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		status, reason, err := ParseSipfrag(b)
		if err != nil {
			return
		}
		if status < 100 || status > 699 || checkValue(reason) != nil {
			t.Fatalf("%q is %d %q", b, status, reason)
		}
		if s, r, err := ParseSipfrag(sipfrag(status, reason)); err != nil || s != status || r != reason && reason != "" {
			t.Fatalf("%q is %d %q, again %d %q, %v", b, status, reason, s, r, err)
		}
	})
}

// TestManyREFERs: a dialog knows 16 of them at a time, for half a minute longer than they last; the next one gets 503.
func TestManyREFERs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(c *Config) { c.Transfer, c.Session.Off, c.Reliable = true, true, ReliableNever })
		defer b.close()
		d, ev := upCall(t, b)
		refer := func(seq int) string {
			t.Helper()
			b.p.send(inDialog(d, "REFER", seq, "Refer-To: <sip:carol@192.0.2.20>\r\nRefer-Sub: false\r\n"))
			if seq > 17 && seq < 99 {
				return b.p.recv().status()
			}
			if e := ev.want(t, EventRefer); e.Refer == nil || e.Refer.ID != uint32(seq) {
				t.Fatalf("%+v", e)
			}
			if err := d.AnswerRefer(uint32(seq), 202); err != nil {
				t.Fatal(err)
			}
			return b.p.recv().status()
		}
		for seq := 2; seq <= 17; seq++ {
			if got := refer(seq); got != "202" {
				t.Fatalf("REFER %d gets %s", seq, got)
			}
		}
		if got := refer(18); got != "503" {
			t.Errorf("the 17th gets %s", got)
		}
		time.Sleep(33 * time.Second)
		if got := refer(99); got != "202" {
			t.Errorf("half a minute later one gets %s", got)
		}
		if err := d.AnswerRefer(99, 200); err == nil {
			t.Error("a REFER cannot be answered with 200 here")
		}
		if err := d.NotifyRefer(99, 99, ""); err == nil {
			t.Error("99 is no status")
		}
		if err := d.NotifyRefer(1234, 200, ""); !errors.Is(err, ErrState) {
			t.Errorf("%v", err)
		}
	})
}

// TestIdentity: what names a dialog to others finds it again, from either side.
func TestIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(c *Config) { c.Transfer, c.Session.Off, c.Reliable = true, true, ReliableNever })
		defer b.close()
		d, _ := upCall(t, b)
		id, theirs := d.Identity(), d.PeerIdentity()
		if !d.Names(id) || d.Names(theirs) || theirs != (Replaces{CallID: id.CallID, ToTag: id.FromTag, FromTag: id.ToTag}) {
			t.Errorf("%+v, %+v", id, theirs)
		}
		again, err := ParseReplaces(id.String())
		if err != nil || again != id {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// upCall is a call of the phone that is answered and acknowledged.
func upCall(t *testing.T, b *bubble) (*Dialog, *events) {
	t.Helper()
	b.p.send(fill("INVITE sip:100@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKi\nFrom: <sip:200@192.0.2.10>;tag=fromtag\n" +
		"To: <sip:100@192.0.2.1>\nCall-ID: up@192.0.2.10\nCSeq: 1 INVITE\nContact: <sip:200@192.0.2.10:5060>\nContent-Length: {len}\n\n"))
	b.p.recv()
	d, ev := b.call(t)
	if err := d.Accept([]byte("v=0\r\n")); err != nil {
		t.Fatal(err)
	}
	b.p.recv()
	b.p.send(inDialog(d, "ACK", 1, ""))
	ev.want(t, EventAck)
	return d, ev
}

// inDialog is a request of the phone of upCall.
func inDialog(d *Dialog, method string, seq int, headers string) []byte {
	id := d.Identity()
	lines := []string{
		method + " sip:192.0.2.1:5060 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK" + method + strings.Repeat("x", seq), "Max-Forwards: 70",
		"From: <sip:200@192.0.2.10>;tag=" + id.FromTag, "To: <sip:100@192.0.2.1>;tag=" + id.ToTag, "Call-ID: " + id.CallID,
		"CSeq: " + cseqValue(uint32(seq), method), "Contact: <sip:200@192.0.2.10:5060>",
	}
	lines = append(lines, slices.DeleteFunc(strings.Split(strings.ReplaceAll(headers, "\r", ""), "\n"), func(s string) bool { return s == "" })...)
	return fill(strings.Join(append(lines, "Content-Length: {len}"), "\n") + "\n\n")
}
