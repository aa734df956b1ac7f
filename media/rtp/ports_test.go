package rtp

import (
	"errors"
	"testing"
)

func TestPortsAreReusedOldestFirst(t *testing.T) {
	p, err := newPorts(9999, 10021) // even ones with a neighbour: 10000 to 10020
	if err != nil {
		t.Fatal(err)
	}
	if p.available() != 11 {
		t.Fatalf("%d ports", p.available())
	}
	take := func() uint16 {
		t.Helper()
		port, err := p.take()
		if err != nil || port%2 != 0 {
			t.Fatalf("take: %d, %v", port, err)
		}
		return port
	}
	first := take()
	for range 9 {
		take()
	}
	p.release(first)
	last := take()
	if last == first {
		t.Error("a port that was just released is reused while another one is free")
	}
	if got := take(); got != first {
		t.Errorf("got %d, want the only free one, %d", got, first)
	}
	if _, err := p.take(); !errors.Is(err, ErrNoPorts) {
		t.Errorf("exhausted: %v", err)
	}
	p.release(last)
	p.release(first)
	if p.claim(10024) || !p.claim(first) || p.claim(first) {
		t.Error("claim")
	}
	if got := take(); got != last || p.available() != 0 {
		t.Errorf("after claim: %d, %d left", got, p.available())
	}
}

func TestPortRanges(t *testing.T) {
	for _, r := range [][2]uint16{{0, 0}, {0, 100}, {10000, 10000}, {10001, 10002}, {20000, 10000}, {65535, 65535}} {
		if _, err := newPorts(r[0], r[1]); err == nil {
			t.Errorf("%v accepted", r)
		}
	}
	if p, err := newPorts(65534, 65535); err != nil || p.available() != 1 {
		t.Errorf("the last pair: %v", err)
	}
}
