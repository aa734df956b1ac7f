package rtp

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

func TestPortsRunOut(t *testing.T) {
	inBubble(t, Config{Ports: [2]uint16{10000, 10003}}, func(w *world) {
		t := w.t
		l := w.newLeg()
		if _, err := w.factory.NewLeg(LegConfig{}); !errors.Is(err, ErrNoPorts) || !strings.Contains(err.Error(), "10000-10003") {
			t.Errorf("got %v", err)
		}
		if _, err := w.factory.NewLeg(LegConfig{V6: true}); err == nil {
			t.Error("IPv6 without an address")
		}
		l.Close()
		w.newLeg().Close()
		if _, err := l.Offer(); err == nil {
			t.Error("a closed leg makes offers")
		}
		if _, err := l.Answer([]byte(w.newPeer(2).offer("0", ""))); err == nil {
			t.Error("a closed leg answers")
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	shards := media.NewShards(media.ShardsConfig{N: 1, Portable: true})
	v4 := netip.MustParseAddr("127.0.0.1")
	for name, cfg := range map[string]Config{
		"no shards":         {},
		"two of IPv4":       {Shards: shards, Addrs: []Addr{{Bind: v4}, {Bind: v4}}},
		"no bind":           {Shards: shards, Addrs: []Addr{{Advertise: v4}}},
		"unspecified":       {Shards: shards, Addrs: []Addr{{Bind: netip.IPv4Unspecified()}}},
		"families mixed":    {Shards: shards, Addrs: []Addr{{Bind: v4, Advertise: netip.IPv6Loopback()}}},
		"ports":             {Shards: shards, Ports: [2]uint16{5, 5}},
		"jitter backwards":  {Shards: shards, MinWait: 2 * time.Second},
		"jitter of seconds": {Shards: shards, MaxWait: 2 * time.Second},
	} {
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "rtp: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := New(Config{Shards: shards, Addrs: []Addr{{Bind: netip.IPv4Unspecified(), Advertise: netip.MustParseAddr("192.0.2.1")}, {Bind: netip.IPv6Loopback()}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.NewLeg(LegConfig{V6: true})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	if b, err := l.Offer(); err != nil || !bytes.Contains(b, []byte("c=IN IP6 ::1")) {
		t.Errorf("%v\n%s", err, b)
	}
	l.Close()
}
