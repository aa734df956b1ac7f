package call

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/callbin/callbin/store"
)

// TestWaitLine compares the treap with a sorted list, over random arrivals, departures and moves.
func TestWaitLine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var l waitLine
	var all []*spot
	for n := range 20_000 {
		switch {
		case len(all) == 0 || rnd.IntN(100) < 52:
			p := &spot{priority: rnd.IntN(4), arrival: uint64(n)}
			l.add(p)
			i, _ := slices.BinarySearchFunc(all, p, func(a, b *spot) int {
				return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.arrival, b.arrival))
			})
			all = slices.Insert(all, i, p)
		default:
			i := 0
			if rnd.IntN(3) > 0 {
				i = rnd.IntN(len(all))
			}
			l.remove(all[i])
			all = slices.Delete(all, i, i+1)
		}
		if l.len() != len(all) || len(all) > 0 && l.head() != all[0] {
			t.Fatalf("after %d steps %d wait, want %d, or the head is another", n, l.len(), len(all))
		}
		if len(all) > 0 {
			if i := rnd.IntN(len(all)); l.position(all[i]) != i+1 {
				t.Fatalf("position %d, want %d", l.position(all[i]), i+1)
			}
		}
	}
	i := 0
	for p := range l.all {
		if p != all[i] {
			t.Fatalf("place %d is another", i)
		}
		i++
	}
}

// benchDesk is a desk without calls: a queue with agents, all of them busy, and callers who wait.
func benchDesk(b *testing.B, agents, callers int, method string) (*desk, *Queue, []*deskAgent) {
	b.Helper()
	e := &Engine{}
	d := &e.desk
	if err := e.openQueues(); err != nil {
		b.Fatal(err)
	}
	q, err := e.CreateQueue(QueueOptions{ID: "q", RoutingMethod: method, Tags: []string{"x"}})
	if err != nil {
		b.Fatal(err)
	}
	var all []*deskAgent
	d.mu.Lock()
	defer d.unlock()
	for i := range agents {
		id := fmt.Sprint("a", i)
		d.hire(Agent{ID: id, Tags: []string{"x"}})
		all = append(all, d.agents[id])
	}
	for i := range callers {
		benchArrival(d, q, i)
	}
	return d, q, all
}

// benchArrival is a caller who comes. d.mu is held.
func benchArrival(d *desk, q *Queue, n int) {
	s := &stay{queue: q, id: fmt.Sprint(n), arrival: d.next(), wake: make(chan struct{}, 1), rec: store.Queuecall{Priority: n % 3}}
	d.stays[s.id], q.stays[s] = s, true
	d.enter(s)
}

// BenchmarkQueueEvent is an agent that becomes available and is rung for one of the callers who wait, the end of that, and an
// arrival, in one queue. With 64 times as many callers and agents it must not cost much more.
func BenchmarkQueueEvent(b *testing.B) {
	for _, size := range []struct{ agents, callers int }{{200, 1000}, {2000, 64000}} {
		for _, method := range []string{store.QueueRandom, store.QueueLongestIdle, store.QueueRoundRobin} {
			b.Run(fmt.Sprintf("%s/agents=%d/callers=%d", method, size.agents, size.callers), func(b *testing.B) {
				d, q, agents := benchDesk(b, size.agents, size.callers, method)
				n := size.callers
				b.ReportAllocs()
				for b.Loop() {
					d.mu.Lock()
					a := agents[n%len(agents)]
					d.become(a, AgentAvailable, AgentSet)
					s := a.stay
					if s == nil {
						b.Fatal("nobody is rung for")
					}
					s.over(store.QueuecallDone, &agentServed)
					s.offer = nil
					a.wish = AgentOffline
					d.release(a, 0)
					benchArrival(d, q, n)
					d.unlock()
					n++
				}
				if q.line.len() != size.callers {
					b.Fatalf("%d wait", q.line.len())
				}
			})
		}
	}
}
