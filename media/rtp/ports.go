package rtp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// ErrNoPorts says that each port of the range is in use.
var ErrNoPorts = errors.New("rtp: no media port is free")

// ports hands out even ports of a range, the least recently released one first: a
// straggler of the old call then meets a closed port for as long as the range allows.
// It starts at a random place, away from the calls of a process that was just restarted.
type ports struct {
	lo, hi uint16

	mu   sync.Mutex
	free []uint16 // a ring; guarded by mu
	head int      // guarded by mu
	n    int      // guarded by mu
}

func newPorts(lo, hi uint16) (*ports, error) {
	first := uint32(lo) + uint32(lo&1)
	if lo == 0 || first+1 > uint32(hi) {
		return nil, fmt.Errorf("rtp: port range %d-%d has no even port with its odd neighbour", lo, hi)
	}
	p := &ports{lo: lo, hi: hi}
	for port := first; port+1 <= uint32(hi); port += 2 {
		p.free = append(p.free, uint16(port))
	}
	p.n = len(p.free)
	p.head = rand.IntN(p.n)
	return p, nil
}

// take returns the port that has been free longest.
func (p *ports) take() (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == 0 {
		return 0, fmt.Errorf("%w in %d-%d", ErrNoPorts, p.lo, p.hi)
	}
	port := p.free[p.head]
	p.head = (p.head + 1) % len(p.free)
	p.n--
	return port, nil
}

// claim takes a particular port; false if it is in use or not of the range.
func (p *ports) claim(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := make([]uint16, 0, len(p.free))
	for i := range p.n {
		queue = append(queue, p.free[(p.head+i)%len(p.free)])
	}
	i := slices.Index(queue, port)
	if i < 0 {
		return false
	}
	queue = slices.Delete(queue, i, i+1)
	p.head, p.n = 0, copy(p.free, queue)
	return true
}

// release gives a port back, to the end of the queue.
func (p *ports) release(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[(p.head+p.n)%len(p.free)] = port
	p.n++
}

// available is how many ports are free.
func (p *ports) available() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}
