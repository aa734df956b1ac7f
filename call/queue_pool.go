package call

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"

	"github.com/callbin/callbin/store"
)

// seat is an agent's place in a queue that it serves.
type seat struct {
	agent *deskAgent
	queue *Queue
	turn  uint64 // when it was rung last for this queue
	index int    // in the pool; -1: it is not free
}

// pool are the seats of a queue whose agents are free: a heap by whose turn it is.
type pool struct {
	method string
	seats  []*seat
}

func (p *pool) Len() int { return len(p.seats) }

func (p *pool) Less(i, j int) bool {
	a, b := p.seats[i], p.seats[j]
	if p.method == store.QueueRoundRobin && a.turn != b.turn {
		return a.turn < b.turn
	}
	return a.agent.ready < b.agent.ready
}

func (p *pool) Swap(i, j int) {
	p.seats[i], p.seats[j] = p.seats[j], p.seats[i]
	p.seats[i].index, p.seats[j].index = i, j
}

// Push is for package heap.
func (p *pool) Push(x any) {
	s := x.(*seat)
	s.index = len(p.seats)
	p.seats = append(p.seats, s)
}

// Pop is for package heap.
func (p *pool) Pop() any {
	last := len(p.seats) - 1
	s := p.seats[last]
	p.seats[last] = nil
	p.seats = p.seats[:last]
	s.index = -1
	return s
}

// set puts s in, takes it out, or lets it change its turn.
func (p *pool) set(s *seat, free bool) {
	if s.index >= 0 {
		heap.Remove(p, s.index)
	}
	if free {
		heap.Push(p, s)
	}
}

// pick are those whose turn it is: one, or with ring_all up to most, of which there are some.
func (p *pool) pick(most int) []*seat {
	switch p.method {
	case store.QueueRandom:
		return []*seat{p.seats[rand.IntN(len(p.seats))]}
	case store.QueueRingAll:
		all := slices.Clone(p.seats)
		slices.SortFunc(all, func(a, b *seat) int { return cmp.Compare(a.agent.ready, b.agent.ready) })
		return all[:min(len(all), most)]
	}
	return []*seat{p.seats[0]}
}
