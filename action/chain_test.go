package action

import (
	"errors"
	"io"
	"testing"

	"github.com/callbin/callbin/media"
)

func sources(list ...*fakeSource) <-chan media.Source {
	c := make(chan media.Source, len(list))
	for _, s := range list {
		c <- s
	}
	close(c)
	return c
}

func TestChainHasNoGap(t *testing.T) {
	a := &fakeSource{rate: 8000, n: 250, value: 1}
	b := &fakeSource{rate: 8000, n: 30, value: 2, err: errors.New("broken")}
	d := &fakeSource{rate: 8000, n: 0, value: 3}
	e := &fakeSource{rate: 8000, n: 200, value: 4}
	c := newChain(a, sources(b, d, e))
	buf := make([]int16, 1000)
	var got []int16
	for _, want := range []int{160, 160, 160} {
		n, err := c.ReadFrame(buf)
		got = append(got, buf[:n]...)
		if n != want || (err != nil && err != io.EOF) {
			t.Fatalf("got %d samples, %v", n, err)
		}
	}
	if n, err := c.ReadFrame(buf); n != 0 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	for i, v := range got {
		want := int16(1)
		if i >= 250 {
			want = 2
		}
		if i >= 280 {
			want = 4
		}
		if v != want {
			t.Fatalf("sample %d is of source %d, want %d", i, v, want)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*fakeSource{a, b, d, e} {
		if s.closed != 1 {
			t.Errorf("source %d was closed %d times", i, s.closed)
		}
	}
	if got := c.broken(); len(got) != 1 || !errors.Is(got[0], b.err) {
		t.Errorf("what broke: %v", got)
	}
}

func TestChainWaitsForTheNextSource(t *testing.T) {
	next := make(chan media.Source, 1)
	c := newChain(&fakeSource{rate: 8000, n: 100}, next)
	buf := make([]int16, 160)
	for _, want := range []int{100, 0, 0} {
		if n, err := c.ReadFrame(buf); n != want || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	next <- &fakeSource{rate: 8000, n: 160}
	if n, err := c.ReadFrame(buf); n != 160 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	close(next)
	if n, err := c.ReadFrame(buf); n != 0 || err != io.EOF {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestChainIsSilentOnceClosed(t *testing.T) {
	s := &fakeSource{rate: 8000, n: 1000}
	c := newChain(s, nil)
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.ReadFrame(make([]int16, 160)); n != 0 || err != io.EOF || s.closed != 1 {
		t.Errorf("got %d, %v; closed %d times", n, err, s.closed)
	}
}

func TestChainDoesNotAllocate(t *testing.T) {
	c := newChain(&fakeSource{rate: 8000, n: 1 << 30}, nil)
	buf := make([]int16, 160)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := c.ReadFrame(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
