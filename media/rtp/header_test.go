package rtp

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

func TestHeaderRoundTrip(t *testing.T) {
	b := make([]byte, 12+3)
	copy(b[12:], "abc")
	putHeader(b, true, 101, 0xfffe, 0xdeadbeef, 42)
	h, err := parseHeader(b)
	want := header{marker: true, payloadType: 101, seq: 0xfffe, time: 0xdeadbeef, ssrc: 42, start: 12, end: 15}
	if err != nil || h != want {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestHeaderRefusesBrokenPackets(t *testing.T) {
	good := []byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9}
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for name, b := range map[string][]byte{
		"empty":             nil,
		"short":             good[:11],
		"version 1":         change(func(b []byte) []byte { b[0] = 0x40; return b }),
		"CSRCs beyond end":  change(func(b []byte) []byte { b[0] = 0x8f; return b }),
		"extension header":  change(func(b []byte) []byte { b[0] = 0x90; return b }),
		"extension length":  change(func(b []byte) []byte { b[0] = 0x90; return append(b, 0xff, 0xff) }),
		"padding of 0":      change(func(b []byte) []byte { b[0] = 0xa0; b[13] = 0; return b }),
		"padding too long":  change(func(b []byte) []byte { b[0] = 0xa0; b[13] = 3; return b }),
		"stun binding":      {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"four bytes of CRs": []byte("\r\n\r\n"),
	} {
		if h, err := parseHeader(b); err == nil {
			t.Errorf("%s: parsed as %+v", name, h)
		}
	}
}

// FuzzHeader compares with pion/rtp. Where the two differ in what is valid, ours is the
// stricter one: pion accepts versions other than 2.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9})
	f.Add([]byte{0xb1, 0x80, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, 9, 9, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if h.start < headerLen || h.start > h.end || h.end > len(b) {
			t.Fatalf("%+v of %d bytes", h, len(b))
		}
		var p rtp.Header
		n, perr := p.Unmarshal(b)
		if perr != nil {
			return // pion looks into extensions, which are skipped here
		}
		if p.SequenceNumber != h.seq || p.Timestamp != h.time || p.SSRC != h.ssrc || p.PayloadType != h.payloadType || p.Marker != h.marker || n != h.start {
			t.Fatalf("got %+v, pion %+v of %d", h, p, n)
		}
	})
}
