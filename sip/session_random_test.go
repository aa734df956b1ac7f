package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// side is one end of a call between two endpoints of ours, which answers what it is asked, and counts.
type side struct {
	t    *testing.T
	name string

	mu      sync.Mutex // guards the rest
	d       *Dialog
	open    bool // an offer of ours has no answer
	offers  int
	answers int
	status  map[int]int
	refresh int
	last    EventKind
	up      bool
	done    chan struct{}
}

func newSide(t *testing.T, name string) *side {
	return &side{t: t, name: name, status: make(map[int]int), done: make(chan struct{})}
}

func (s *side) handle(d func() *Dialog) func(Event) {
	return func(ev Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch ev.Kind {
		case EventAccepted, EventAck:
			s.up = true
		case EventOffer:
			s.offers++
			go func() { // as a loop of its own would, a moment later
				err := d().Answer(ev.Offer, 200, []byte("v=0 answer to "+string(ev.Body)))
				if err != nil && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrState) {
					s.t.Errorf("%s: %v", s.name, err)
				}
			}()
		case EventRefresh:
			s.refresh++
		case EventAnswer:
			if !s.open && !ev.Local {
				s.t.Errorf("%s: an answer to nothing: %+v", s.name, ev)
			}
			s.open = false
			s.answers++
			s.status[ev.Status]++
		}
		if ev.last() {
			s.last = ev.Kind
			close(s.done)
		}
	}
}

// offer offers, if that is possible now.
func (s *side) offer(n int) {
	s.mu.Lock()
	d := s.d
	s.mu.Unlock()
	// Its answer may be quicker than the return of Offer.
	s.mu.Lock()
	was := s.open
	s.open = true
	s.mu.Unlock()
	if err := d.Offer(fmt.Appendf(nil, "v=0 %s %d", s.name, n)); err != nil {
		s.mu.Lock()
		s.open = was
		s.mu.Unlock()
	}
}

// TestBothSidesOfferAtOnce lets two endpoints of ours call each other with reliable early media, offer, refresh and hang up at any
// moment, also both at once, on a network that loses packets. Glare has to come to an end, each offer to an answer, and each
// call to its end on both sides.
func TestBothSidesOfferAtOnce(t *testing.T) {
	var answered, offered, glares, refreshed int // in all, so that a test of nothing is noticed
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			loss := []float64{0, 0, 0.05, 0.2}[rnd.IntN(4)]
			net := newMemNet()
			lossRnd := rand.New(rand.NewPCG(seed, 8))
			net.lose = func() bool { return lossRnd.Float64() < loss }
			a, b := newSide(t, "a"), newSide(t, "b")
			session := SessionTimer{Interval: 90 * time.Second}
			policy := []Reliable{ReliableSDP, ReliableAll}[rnd.IntN(2)]
			calls := make(chan *Dialog, 1)
			eb, stopB := serve(t, Config{
				Listen: []Listen{{Network: "udp", PacketConn: net.listen("192.0.2.2:5060")}}, Invite: func(d *Dialog) { calls <- d },
				Session: session, Reliable: policy,
			})
			defer stopB()
			ea, stopA := serve(t, Config{
				Listen: []Listen{{Network: "udp", PacketConn: net.listen("192.0.2.1:5060")}}, Invite: func(*Dialog) {}, Session: session,
			})
			defer stopA()
			made := make(chan *Dialog, 1)
			dialogA := sync.OnceValue(func() *Dialog { return <-made })
			d, err := ea.Call(Outgoing{URI: "sip:b@192.0.2.2", Body: []byte(sdpOffer), Handle: a.handle(dialogA)})
			if err != nil {
				t.Fatal(err)
			}
			made <- d
			a.d = d
			select {
			case b.d = <-calls:
			case <-a.done:
				return // the INVITE never arrived
			}
			b.d.Handle(b.handle(func() *Dialog { return b.d }))
			pause := func(most time.Duration) { time.Sleep(time.Duration(rnd.Int64N(int64(most) + 1))) }
			_ = b.d.Provisional(180, nil)
			pause(time.Second)
			_ = b.d.Provisional(183, []byte("v=0 early"))
			for i := range rnd.IntN(4) {
				pause(time.Second)
				[]*side{a, b}[rnd.IntN(2)].offer(i)
			}
			pause(2 * time.Second)
			_ = b.d.Accept([]byte("v=0 early")) // an error: the call is over
			for i := range rnd.IntN(12) {
				pause(3 * time.Second)
				switch rnd.IntN(3) {
				case 0:
					a.offer(i)
				case 1:
					b.offer(i)
				case 2:
					a.offer(i)
					b.offer(i)
				}
			}
			pause(4 * time.Minute) // some refreshes
			for _, s := range []*side{a, b} {
				if rnd.IntN(2) == 0 {
					_ = s.d.Bye()
				}
			}
			_ = a.d.Cancel()
			time.Sleep(10 * time.Second)
			_, _ = a.d.Bye(), b.d.Bye()
			over := time.After(3 * time.Minute)
			for _, s := range []*side{a, b} {
				select {
				case <-s.done:
				case <-over:
					t.Fatalf("seed %d: side %s is %s, and not over", seed, s.name, s.d.State())
				}
			}
			answered, offered, refreshed = answered+a.answers+b.answers, offered+a.offers+b.offers, refreshed+a.refresh+b.refresh
			glares += int(ea.Stats().Rejected + eb.Stats().Rejected)
			if loss == 0 {
				for _, s := range []*side{a, b} {
					if !s.up {
						t.Errorf("seed %d: side %s: the call never came up, and ended by %s", seed, s.name, s.last)
					}
					for status, n := range s.status {
						if status != 200 {
							t.Errorf("seed %d: side %s: %d offers got %d", seed, s.name, n, status)
						}
					}
				}
			}
		})
	}
	t.Logf("%d offers were answered, %d taken, %d requests refused, %d refreshes", answered, offered, glares, refreshed)
	if answered < 100 || glares < 20 || refreshed < 100 {
		t.Errorf("too little happened: %d answers, %d refusals, %d refreshes", answered, glares, refreshed)
	}
}
