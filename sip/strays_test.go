package sip

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStraysAreBoundedAndExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrayTable(10)
		for i := range uint64(25) {
			s.add(i)
			time.Sleep(time.Second)
		}
		for i := range uint64(25) {
			if got, want := s.has(i), i >= 15; got != want {
				t.Errorf("has(%d) is %v, want %v", i, got, want)
			}
		}
		s.add(20) // again: it lives longer
		time.Sleep(strayLife - 3*time.Second)
		if !s.has(20) || s.has(21) || !s.has(24) {
			t.Errorf("20: %v, 21: %v, 24: %v, want true, false, true", s.has(20), s.has(21), s.has(24))
		}
		time.Sleep(3 * time.Second)
		if n := s.len(); n != 0 {
			t.Errorf("%d left", n)
		}
	})
}

func TestStraysGiveMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrayTable(100_000)
		for i := range uint64(20_000) {
			s.add(i)
			if i%10 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(strayLife)
		if n := s.len(); n != 0 || cap(s.ring) > 4096 {
			t.Errorf("%d left, room for %d", n, cap(s.ring))
		}
	})
}
