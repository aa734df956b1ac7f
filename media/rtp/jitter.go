package rtp

import (
	"math"
	"time"

	"github.com/callbin/callbin/media/codec"
)

const (
	jitterSlots = 64  // packets: 1.28 s of 20 ms
	slotBytes   = 240 // 30 ms of G.711; longer payloads get memory of their own
	// concealFor is how long a gap is filled with what was heard before it.
	concealFor = 5 // frames
)

// jitterBuffer puts packets in order and hands out one frame a tick. It lives in the
// timestamp clock of the stream: at time t the sample is due that left the peer at
// t - offset - target, where offset is the least transit time seen lately and target
// adapts to the spread of the others. Because the place in the stream follows from the
// clock and not from what is in the buffer, a stall never turns into lasting delay:
// what comes too late is dropped, and the delay afterwards is what it was before. That
// place is rounded to where a frame of the peer begins, so that its frames stay whole.
type jitterBuffer struct {
	clockHz, rateHz  int
	minWait, maxWait int64 // in ticks of the stream's clock

	slots  [jitterSlots]jitterSlot
	memory []byte
	held   int

	started bool
	next    uint16 // the next packet to play
	baseTS  uint32 // reference for extending timestamps
	base    int64
	cursor  int64 // the next sample to play, extended timestamp

	pcm      []int16 // a decoded packet that is partly played
	pcmStart int64   // extended timestamp of pcm[0]
	pcmLen   int
	silent   bool // the last decoded packet was next to silence

	minNow, minPast int64 // least transit of this second and of the one before
	minSince        int64
	target          int64
	spread          spread
	burst           bool
	lastArrival     int64
	lateRun         int
	lateSince       int64

	handed int64 // what is before this was forwarded as packets
	played bool  // a frame was handed out since begin
	paused bool  // the peer is silent by intent, once what is held was played

	gap  int // frames concealed in a row
	wait int // frames until the next cut outside of silence

	late, duplicate, concealed, skipped, inserted, resyncs uint64
}

type jitterSlot struct {
	used    bool
	seq     uint16
	time    int64
	codec   string
	decoder codec.Decoder
	payload []byte
}

func newJitterBuffer(minWait, maxWait time.Duration) *jitterBuffer {
	b := &jitterBuffer{memory: make([]byte, jitterSlots*slotBytes), pcm: make([]int16, 480)}
	for i := range b.slots {
		b.slots[i].payload = b.memory[i*slotBytes : i*slotBytes : (i+1)*slotBytes]
	}
	b.configure(8000, 8000, minWait, maxWait)
	return b
}

// configure sets the clocks and empties the buffer.
func (b *jitterBuffer) configure(clockHz, rateHz int, minWait, maxWait time.Duration) {
	b.clockHz, b.rateHz = clockHz, rateHz
	b.minWait = int64(minWait) * int64(clockHz) / int64(time.Second)
	b.maxWait = int64(maxWait) * int64(clockHz) / int64(time.Second)
	b.reset()
}

// reset forgets the stream, not the counters.
func (b *jitterBuffer) reset() {
	for i := range b.slots {
		b.slots[i].used = false
	}
	b.held, b.started, b.pcmLen, b.burst, b.lateRun = 0, false, 0, false, 0
	b.minNow, b.minPast = math.MaxInt64, math.MaxInt64
	b.target = b.minWait
	b.spread = spread{}
	b.gap = concealFor
}

// ticks is a time of the shard in the stream's clock.
func (b *jitterBuffer) ticks(now time.Duration) int64 {
	return int64(now/time.Microsecond) * int64(b.clockHz) / 1_000_000
}

func (b *jitterBuffer) extend(ts uint32) int64 { return b.base + int64(int32(ts-b.baseTS)) }

// put stores a copy of a packet. name is that of the codec that dec decodes.
func (b *jitterBuffer) put(seq uint16, ts uint32, payload []byte, name string, dec codec.Decoder, now time.Duration) {
	at := b.ticks(now)
	b.paused = false
	if !b.started {
		b.begin(seq, ts, at)
	}
	t := b.extend(ts)
	if jump := at - t - b.offset(); jump > 2*int64(b.clockHz) || jump < -2*int64(b.clockHz) {
		b.resyncs++ // the peer's clock was set: there is no relation to what was before
		b.reset()
		b.begin(seq, ts, at)
		t = b.extend(ts)
	}
	b.base, b.baseTS = t, ts
	b.learn(at, t)

	if int16(seq-b.next) < 0 || t < b.cursor && b.passed(t, len(payload)) {
		b.tooLate(seq, ts, at)
		if b.started {
			return
		}
		b.begin(seq, ts, at)
		t = b.extend(ts)
		b.learn(at, t)
	} else {
		b.lateRun = 0
	}
	if int(seq-b.next) >= jitterSlots {
		// Further ahead than the buffer is long: what is in between is not coming.
		for i := range b.slots {
			b.slots[i].used = false
		}
		b.held, b.next = 0, seq
	}
	s := &b.slots[seq%jitterSlots]
	if s.used {
		b.duplicate++
		return
	}
	s.used, s.seq, s.time, s.codec, s.decoder = true, seq, t, name, dec
	s.payload = append(s.payload[:0], payload...)
	b.held++
}

// pass notes that a packet of so many units from ts on was forwarded.
func (b *jitterBuffer) pass(ts uint32, span int) {
	if b.started {
		b.handed = max(b.handed, b.extend(ts)+int64(span))
	}
}

// place puts the cursor where it should be at a time.
func (b *jitterBuffer) place(at int64) {
	b.cursor = at - b.offset() - b.target
	b.align()
}

func (b *jitterBuffer) begin(seq uint16, ts uint32, at int64) {
	b.started = true
	b.next, b.baseTS, b.base = seq, ts, int64(ts)
	b.minNow, b.minPast, b.minSince = at-b.base, math.MaxInt64, at
	b.lastArrival = at
	b.handed, b.played = math.MinInt64, false
	b.place(at)
	b.gap = concealFor
}

// align moves the cursor to the nearest place where a frame begins, seen from the newest
// packet. That may be half a frame early: target has that to spare.
func (b *jitterBuffer) align() {
	frame := int64(b.clockHz / 50)
	off := (b.base - b.cursor) % frame
	if off < 0 {
		off += frame
	}
	if off > frame/2 {
		off -= frame
	}
	b.cursor += off
}

// passed tells whether all of a packet's sound was due already. Only a decoder knows how
// long a payload is; 20 ms is the guess for the moment.
func (b *jitterBuffer) passed(t int64, _ int) bool { return t+int64(b.clockHz/50) <= b.cursor }

func (b *jitterBuffer) offset() int64 { return min(b.minNow, b.minPast) }

// learn measures the transit of a packet.
func (b *jitterBuffer) learn(at, t int64) {
	transit := at - t
	if at-b.minSince > int64(b.clockHz) {
		b.minPast, b.minNow, b.minSince = b.minNow, transit, at
	}
	b.minNow = min(b.minNow, transit)
	over := transit - b.offset()
	// A stall, of the network or of this machine, delivers a row of packets at once. It
	// says nothing about the packets to come.
	apart := at-b.lastArrival > int64(b.clockHz/100)
	b.lastArrival = at
	switch {
	case over > b.maxWait:
		b.burst = true
	case b.burst && !apart:
	default:
		b.burst = false
		b.spread.add(int(over * 1000 / int64(b.clockHz)))
		want := int64(b.spread.quantile()) * int64(b.clockHz) / 1000
		b.target = max(b.minWait, min(b.maxWait, want))
	}
}

// tooLate counts a packet that missed its time. Where nothing comes in time any more, the
// path has become longer for good: begin anew.
func (b *jitterBuffer) tooLate(seq uint16, ts uint32, at int64) {
	b.late++
	if b.lateRun == 0 {
		b.lateSince = at
	}
	if b.lateRun++; b.lateRun >= 10 && at-b.lateSince > int64(b.clockHz/5) {
		b.resyncs++
		b.reset()
	}
}

// pause says that the peer is silent by intent from here on: comfort noise (RFC 3389), a key press.
func (b *jitterBuffer) pause() { b.paused = true }

// get writes the frame that is due at now, and returns its length or 0 where there is
// nothing to hear.
func (b *jitterBuffer) get(dst []int16, dec codec.Decoder, now time.Duration) int {
	if !b.started {
		return 0
	}
	if !b.played {
		// Each packet tells better than the first alone where to begin. None of them is left out.
		b.place(b.ticks(now))
		if s := b.find(); s != nil {
			b.cursor = min(b.cursor, s.time)
		}
	}
	b.steer(int64(len(dst))*int64(b.clockHz)/int64(b.rateHz), b.ticks(now))
	filled, heard := 0, false
	for filled < len(dst) {
		if n := b.copyDecoded(dst[filled:]); n > 0 {
			filled += n
			heard = true
			continue
		}
		s := b.find()
		room := len(dst) - filled
		if s == nil || s.time > b.cursor {
			// Nothing, or not yet: fill up to it.
			if s != nil {
				room = min(room, int((s.time-b.cursor)*int64(b.rateHz)/int64(b.clockHz)))
			}
			if room == 0 {
				b.cursor = s.time // a fraction of a sample
				continue
			}
			if s != nil && filled == 0 && room < len(dst) && b.gap >= concealFor {
				b.cursor = s.time // out of silence the peer's frames begin with ours
				return 0
			}
			b.fill(dst[filled:filled+room], dec, &heard)
			filled += room
			b.advance(room)
			continue
		}
		b.decode(s)
	}
	if !heard {
		return 0
	}
	b.played = true
	return filled
}

// ready tells whether the sound that is due next is there.
func (b *jitterBuffer) ready() bool {
	s := b.find()
	return b.started && (s != nil && s.time <= b.cursor || b.pcmLen > 0 && b.cursor < b.pcmStart+int64(b.pcmLen)*int64(b.clockHz)/int64(b.rateHz))
}

// fill conceals what is missing, until it fades into nothing.
func (b *jitterBuffer) fill(dst []int16, dec codec.Decoder, heard *bool) {
	if b.gap >= concealFor || b.paused || dec == nil {
		clear(dst)
		return
	}
	b.gap++
	b.concealed++
	*heard = true
	if n := dec.Conceal(dst); n < len(dst) {
		clear(dst[n:])
	}
}

func (b *jitterBuffer) advance(samples int) {
	b.cursor += int64(samples) * int64(b.clockHz) / int64(b.rateHz)
}

// copyDecoded takes samples of the packet that is being played.
func (b *jitterBuffer) copyDecoded(dst []int16) int {
	if b.pcmLen == 0 {
		return 0
	}
	from := int((b.cursor - b.pcmStart) * int64(b.rateHz) / int64(b.clockHz))
	if from < 0 || from >= b.pcmLen {
		b.pcmLen = 0
		return 0
	}
	n := copy(dst, b.pcm[from:b.pcmLen])
	b.advance(n)
	b.gap = 0
	return n
}

// find is the first packet from next on, nil for none.
func (b *jitterBuffer) find() *jitterSlot {
	if b.held == 0 {
		return nil
	}
	for i := range uint16(jitterSlots) {
		if s := &b.slots[(b.next+i)%jitterSlots]; s.used {
			return s
		}
	}
	return nil
}

// decode takes s out and decodes it.
func (b *jitterBuffer) decode(s *jitterSlot) {
	s.used = false
	b.held--
	b.next = s.seq + 1
	n, err := s.decoder.Decode(b.pcm, s.payload)
	for err != nil && len(b.pcm) < 16*480 { // longer than any packet so far, or broken
		b.pcm = make([]int16, 2*len(b.pcm))
		n, err = s.decoder.Decode(b.pcm, s.payload)
	}
	if err != nil {
		n = 0
	}
	b.pcmStart, b.pcmLen = s.time, n
	b.silent = quiet(b.pcm[:n])
}

// quiet tells whether a cut in pcm would not be heard: below about -42 dB.
func quiet(pcm []int16) bool {
	for _, v := range pcm {
		if v > 256 || v < -256 {
			return false
		}
	}
	return true
}

// steer moves the cursor to where it should be, by whole frames, and where that is not
// heard if there is a choice.
func (b *jitterBuffer) steer(frame, at int64) {
	// Too late by so much; half a frame either way is the work of align, and an eighth more keeps
	// the noise of offset from moving it to and fro.
	over := at - b.offset() - b.target - b.cursor
	if b.wait > 0 {
		b.wait--
	}
	switch {
	case over > 3*frame, over < -8*frame:
		// Far off, after a stall or a change of path.
		b.cursor += over
		b.align()
	case over > frame && (b.silent || b.gap > 0 || b.wait == 0):
		b.cursor += frame
		b.wait = 10
	case over < -frame*5/8 && (b.silent || b.gap > 0 || b.wait == 0):
		b.cursor -= frame
		b.wait = 10
	default:
		return
	}
	if over > 0 {
		b.skipped++
	} else {
		b.inserted++
	}
}

// spread is a histogram of the last delays beyond the least one, in steps of 10 ms.
type spread struct {
	last  [128]uint8 // steps
	count [16]uint8
	n     int
	at    int
}

func (s *spread) add(ms int) {
	step := uint8(max(0, min(ms/10, len(s.count)-1)))
	if s.n == len(s.last) {
		s.count[s.last[s.at]]--
	} else {
		s.n++
	}
	s.last[s.at] = step
	s.count[step]++
	s.at = (s.at + 1) % len(s.last)
}

// quantile is a wait in ms that 97 % of the packets keep, with 10 ms to spare.
func (s *spread) quantile() int {
	allowed := s.n * 3 / 100
	for i := len(s.count) - 1; i > 0; i-- {
		if allowed -= int(s.count[i]); allowed < 0 {
			return 10*(i+1) + 10
		}
	}
	return 20
}
