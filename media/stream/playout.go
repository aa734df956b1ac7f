package stream

import (
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/media"
)

const (
	// linger is how long a Source waits for more before it ends: what it covers is heard again only then.
	linger = 500 * time.Millisecond
	// maxMarks bounds the marks that wait for their sound.
	maxMarks = 1024
	// fadeSamples is how much is faded where sound is cut off: 5 ms at 8000 Hz.
	fadeSamples = 40
)

// mark is a place in what is played that the program wants to hear of.
type mark struct {
	pos     uint64 // samples played before it
	name    string
	kind    byte // of the protocol
	cleared bool // what was before it was dropped
}

// playout carries sound from a program, whole hours at once or 20 ms each, to a media thread. Put, clear and mark are for
// one goroutine, ReadFrame for one at a time; due for any.
type playout struct {
	rate int
	most uint64        // samples that wait
	wake chan struct{} // poked when a mark is reached
	more chan struct{} // room for one; poked when there is sound

	// A list of pieces: the one side adds, the other goes along it, and leaves the rest to the garbage collector.
	last *piece // owned by who puts
	cur  *piece // owned by ReadFrame
	off  int    // in cur; owned by ReadFrame

	written, cleared, taken atomic.Uint64 // positions, in samples since the start
	next                    atomic.Uint64 // position of the next mark
	dropped                 atomic.Uint64 // samples that had no room

	quiet int // empty frames in a row; owned by ReadFrame

	mu    sync.Mutex
	marks []mark // guarded by mu
}

type piece struct {
	pcm  []int16
	next atomic.Pointer[piece]
}

func newPlayout(rateHz int, most time.Duration, wake chan struct{}) *playout {
	p := &playout{rate: rateHz, most: uint64(most.Milliseconds()) * uint64(rateHz) / 1000, wake: wake, more: make(chan struct{}, 1)}
	p.last = &piece{}
	p.cur = p.last
	p.next.Store(math.MaxUint64)
	p.quiet = 1
	return p
}

// put adds a copy of pcm; what has no room is dropped. It returns how much that is.
func (p *playout) put(pcm []int16) (dropped int) {
	w := p.written.Load()
	room := p.most - min(p.most, w-p.taken.Load())
	if uint64(len(pcm)) > room {
		dropped = len(pcm) - int(room)
		p.dropped.Add(uint64(dropped))
		pcm = pcm[:room]
	}
	if len(pcm) == 0 {
		return dropped
	}
	n := &piece{pcm: append([]int16(nil), pcm...)}
	p.last.next.Store(n)
	p.last = n
	p.written.Store(w + uint64(len(pcm)))
	poke(p.more)
	return dropped
}

// clear drops what was not played yet. Marks in it are due then.
func (p *playout) clear() {
	p.cleared.Store(p.written.Load())
	p.mu.Lock()
	for i := range p.marks {
		p.marks[i].cleared = p.marks[i].pos > p.taken.Load()
	}
	p.mu.Unlock()
	poke(p.wake)
}

// mark puts a mark after what was put so far; false: there are too many.
func (p *playout) mark(name string, kind byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marks) >= maxMarks {
		return false
	}
	m := mark{pos: p.written.Load(), name: name, kind: kind}
	if len(p.marks) == 0 {
		p.next.Store(m.pos)
	}
	p.marks = append(p.marks, m)
	poke(p.wake) // it may be due at once
	return true
}

// forget drops all marks: there is nobody to tell of them.
func (p *playout) forget() {
	p.mu.Lock()
	p.marks = nil
	p.next.Store(math.MaxUint64)
	p.mu.Unlock()
}

// cutMarks makes all marks due at once, as clear would, and leaves the sound.
func (p *playout) cutMarks() {
	p.mu.Lock()
	for i := range p.marks {
		if p.marks[i].pos > p.passed() {
			p.marks[i].pos, p.marks[i].cleared = 0, true
			p.next.Store(0)
		}
	}
	p.mu.Unlock()
	poke(p.wake)
}

// passed is the position up to which all was played or dropped.
func (p *playout) passed() uint64 { return max(p.taken.Load(), p.cleared.Load()) }

// idle tells that there is nothing to be played.
func (p *playout) idle() bool { return p.written.Load() == p.passed() }

// due returns the next mark that was reached.
func (p *playout) due() (m mark, ok bool) {
	if p.next.Load() == math.MaxUint64 {
		return mark{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marks) == 0 || p.marks[0].pos > p.passed() {
		return mark{}, false
	}
	m, p.marks = p.marks[0], p.marks[1:]
	if len(p.marks) == 0 {
		p.marks = nil
		p.next.Store(math.MaxUint64)
	} else {
		p.next.Store(p.marks[0].pos)
	}
	return m, true
}

// Rate implements media.Source.
func (p *playout) Rate() int { return p.rate }

// ReadFrame implements media.Source. It ends when there was nothing for some time; more may be read after that.
func (p *playout) ReadFrame(dst []int16) (int, error) {
	dst = dst[:min(len(dst), media.FrameLen(p.rate))]
	at, n := p.taken.Load(), 0
	c := p.cleared.Load() // before written, which is never less
	until := p.written.Load()
	if at < c {
		if p.quiet == 0 { // it was heard until now
			n = p.copy(dst[:min(len(dst), fadeSamples, int(c-at))])
			fade(dst[:n])
			at += uint64(n)
		}
		for at < c {
			at += uint64(p.skip(int(min(c-at, math.MaxInt32))))
		}
	}
	if k := min(len(dst)-n, int(min(until-at, math.MaxInt32))); k > 0 {
		n += p.copy(dst[n : n+k])
		at += uint64(k)
	}
	p.taken.Store(at)
	if p.next.Load() <= at {
		poke(p.wake)
	}
	if n > 0 {
		p.quiet = 0
		return n, nil
	}
	if p.quiet++; p.quiet > int(linger/media.FrameDuration) {
		p.quiet = 1
		return 0, io.EOF
	}
	return 0, nil
}

// copy takes len(dst) samples, which are there.
func (p *playout) copy(dst []int16) (n int) {
	for n < len(dst) {
		if p.off == len(p.cur.pcm) {
			p.turn()
		}
		k := copy(dst[n:], p.cur.pcm[p.off:])
		p.off += k
		n += k
	}
	return n
}

// skip passes over n samples at most, which are there.
func (p *playout) skip(n int) int {
	if p.off == len(p.cur.pcm) {
		p.turn()
	}
	n = min(n, len(p.cur.pcm)-p.off)
	p.off += n
	return n
}

// turn goes to the next piece, which is there: what was written comes after it.
func (p *playout) turn() { p.cur, p.off = p.cur.next.Load(), 0 }

// fade ramps pcm down to nothing.
func fade(pcm []int16) {
	for i := range pcm {
		pcm[i] = int16(int(pcm[i]) * (len(pcm) - 1 - i) / len(pcm))
	}
}
