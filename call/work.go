package call

import (
	"encoding/json"
	"slices"
	"sync"
)

// work is what a loop needs while it runs, and hands on when it rests: a call consumes some thirty inputs in bursts,
// and making this anew for each of them was a quarter of all the memory that a call asks for.
type work struct {
	queue   []Input  // inputs that wait; guarded by Call.mu
	next    int      // of queue; guarded by Call.mu
	pending []Input  // what the input at hand and its effects have given
	effects []Effect // of the machine
	line    traceLine
	trace   []byte // a whole one, on its way to the store
}

// workshop lends out work.
type workshop struct{ pool sync.Pool }

// maxWork bounds what is kept of a queue that was long once.
const maxWork = 64

func (s *workshop) take() *work {
	if w, ok := s.pool.Get().(*work); ok {
		return w
	}
	return new(work)
}

// give takes w back, whose queue is empty; nothing of a call stays in it.
func (s *workshop) give(w *work) {
	if cap(w.queue) > maxWork || cap(w.pending) > maxWork || cap(w.effects) > maxWork || cap(w.line.b) > 16*traceChunk || cap(w.trace) > 64*traceChunk {
		return
	}
	clear(w.pending[:cap(w.pending)])
	clear(w.effects[:cap(w.effects)])
	s.pool.Put(w)
}

// push adds in.
func (w *work) push(in Input) { w.queue = append(w.queue, in) }

// pop takes the oldest input.
func (w *work) pop() (in Input, ok bool) {
	if w.next == len(w.queue) {
		return Input{}, false
	}
	in = w.queue[w.next]
	w.queue[w.next] = Input{}
	if w.next++; w.next == len(w.queue) {
		w.queue, w.next = w.queue[:0], 0
	}
	return in, true
}

// waiting is how many inputs wait.
func (w *work) waiting() int { return len(w.queue) - w.next }

// traceLine writes inputs as lines of a trace.
type traceLine struct {
	b   []byte
	enc *json.Encoder // into b: Marshal would make a copy of each
}

// Write adds p to the line.
func (l *traceLine) Write(p []byte) (int, error) {
	l.b = append(l.b, p...)
	return len(p), nil
}

// of returns in as one line, until the next call.
func (l *traceLine) of(in *Input) ([]byte, error) {
	if l.enc == nil {
		l.enc = json.NewEncoder(l)
	}
	l.b = l.b[:0]
	if err := l.input(in); err != nil {
		return nil, err
	}
	return l.b, nil
}

// traceChunk is what a trace grows by: a call whose trace was one piece would copy it again and again.
const traceChunk = 1 << 10

// traceLog is a trace: lines in pieces that are full but for the last.
type traceLog struct {
	chunks [][]byte
	size   int
}

// add appends line.
func (t *traceLog) add(line []byte) {
	t.size += len(line)
	for len(line) > 0 {
		n := len(t.chunks) - 1
		if n < 0 || len(t.chunks[n]) == cap(t.chunks[n]) {
			t.chunks = append(t.chunks, make([]byte, 0, max(traceChunk, t.size/16)))
			n++
		}
		last := t.chunks[n]
		room := min(cap(last)-len(last), len(line))
		t.chunks[n] = append(last, line[:room]...)
		line = line[room:]
	}
}

// appendTo adds all of it to b.
func (t *traceLog) appendTo(b []byte) []byte {
	b = slices.Grow(b, t.size)
	for _, c := range t.chunks {
		b = append(b, c...)
	}
	return b
}
