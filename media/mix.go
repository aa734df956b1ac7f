package media

import (
	"fmt"
	"runtime/debug"
)

const (
	// silentPeak is the largest sample of a frame that counts as silence. PCMA has no code
	// for 0: its idle one is 8.
	silentPeak = 16
	// maxWait is how many ticks a member that heard packets until now hears nothing, and no
	// silence either, if none of the others has a frame: until their jitter buffers have filled.
	maxWait = 4
	// resampleTail is how many frames a Resampler's filter reaches back, rounded up.
	resampleTail = 2
)

// mix is the sum of one frame.
type mix struct {
	rate   int
	wanted bool // somebody hears it
	due    bool // frame was heard, and waits to be spoken
	frame  uint64
	sum    []int32 // at rate
	voices int     // what is in sum
	spoke  int     // members that had a frame, in sum or silent
	pcm    []int16 // sum, clipped; valid if clipped
	clean  bool

	apart, over []int16 // what is played to all but deaf; memory for what is played to one
	apartN      int     // samples in apart
	deaf        *Port
}

func (x *mix) setRate(rateHz int) {
	x.rate = rateHz
	n := min(FrameLen(rateHz), frameMax)
	x.sum, x.pcm = make([]int32, n), make([]int16, n)
	x.apart, x.over, x.apartN = make([]int16, n), make([]int16, n), 0
}

func (x *mix) begin(frame uint64) {
	x.frame, x.clean, x.spoke, x.apartN = frame, false, 0, 0
	if x.voices > 0 {
		clear(x.sum)
		x.voices = 0
	}
}

func (x *mix) add(pcm []int16) {
	sum := x.sum[:len(pcm)]
	for i, v := range pcm {
		sum[i] += int32(v)
	}
	x.voices++
}

// clipped is the sum as all hear it that are not in it.
func (x *mix) clipped() []int16 {
	if !x.clean {
		x.clean = true
		if x.voices == 0 {
			clear(x.pcm)
		} else {
			pcm := x.pcm[:len(x.sum)]
			for i, v := range x.sum {
				pcm[i] = clip(v)
			}
		}
	}
	return x.pcm
}

// without is the sum without one voice.
func (x *mix) without(dst, voice []int16) []int16 {
	dst, voice = dst[:len(x.sum)], voice[:len(x.sum)]
	for i, v := range x.sum {
		dst[i] = clip(v - int32(voice[i]))
	}
	return dst
}

func clip(v int32) int16 { return int16(max(-32768, min(32767, v))) }

func silent(pcm []int16) bool {
	for _, v := range pcm {
		if v > silentPeak || v < -silentPeak {
			return false
		}
	}
	return true
}

// tick does the first half of a frame: it hears all members. The second half speaks to
// them, at once unless there are other parts whose sums are to come.
func (pt *part) tick(frame uint64) {
	pt.finish()
	pt.mix.begin(frame)
	// Downwards, here and below, since a member may leave within its own turn.
	for i := len(pt.members) - 1; i >= 0; i-- {
		pt.members[i].hear(frame)
	}
	if pt.id == 0 {
		pt.playIn()
	}
	pt.mix.due = true
	if !pt.swap() {
		pt.finish()
	}
}

// hear takes what the peer says in a frame.
func (m *member) hear(frame uint64) {
	p := m.port
	defer p.survive()
	m.n, m.spoke, m.said, m.aside = 0, false, nil, nil
	if p.pulling {
		p.line.Receive()
	}
	if !p.listening {
		return
	}
	n, passed := p.line.ReadFrame(frame, m.in)
	if p.muted[0] {
		n = 0
	}
	m.n = n
	if m.is.Mute {
		return // taps of its port hear it, and nobody else
	}
	if m.part.levels {
		m.measure(frame)
	}
	x := &m.part.mix
	if !x.wanted || passed {
		return // it was heard already, or nobody wants it
	}
	if m.is.Only != nil {
		m.aside = m.voice()
		return
	}
	if n > 0 {
		m.spoke = true
		x.spoke++
	}
	if m.said = m.voice(); m.said != nil {
		x.add(m.said)
	}
}

// voice is what the peer says at the rate of the mix, nil where that is silence.
func (m *member) voice() []int16 {
	quiet := m.n == 0 || silent(m.in[:m.n])
	if m.rate == m.mixRate {
		if quiet {
			return nil
		}
		return m.in[:m.n]
	}
	if m.up == nil {
		return nil
	}
	if !quiet {
		m.tail = resampleTail
	} else if m.tail--; m.tail < 0 {
		m.tail = 0
		return nil
	}
	if m.n == 0 {
		clear(m.in)
	}
	n, _ := m.up.Process(m.atRate, m.in)
	clear(m.atRate[n:])
	return m.atRate
}

// survive is deferred by what calls the sources and taps of the bridge itself.
func (pt *part) survive() {
	if r := recover(); r != nil {
		pt.b.log.Error("media: a source or tap of a bridge panicked; all of them end", "err", r, "stack", string(debug.Stack()))
		for slot := range pt.b.plays {
			pt.b.stop(slot, fmt.Errorf("media: panic while playing: %v", r))
		}
		pt.b.setTaps(nil)
		pt.ended = true
	}
}

// finish does the second half of a frame, unless it is done.
func (pt *part) finish() {
	x := &pt.mix
	if !x.due {
		return
	}
	x.due = false
	pt.exchange.stop(pt.shard)
	for _, m := range pt.members {
		if m.said != nil || m.over != nil || m.coached {
			m.leaveGroup()
		}
	}
	if x.apartN > 0 {
		pt.playLast()
	}
	for _, g := range pt.groups {
		g.begin()
	}
	for i := len(pt.members) - 1; i >= 0; i-- {
		if m := pt.members[i]; m.spoken {
			m.spoken = false
		} else {
			m.speak(x.frame)
		}
	}
	if pt.id == 0 && len(pt.b.taps) > 0 {
		pt.tapMix()
	}
	pt.encodes.Store(pt.count.encodes)
	pt.shared.Store(pt.count.shared)
	if pt.ended {
		pt.ended = false
		pt.changed()
	}
}

// speak lets the peer hear its frame, and taps see it.
func (m *member) speak(frame uint64) {
	p := m.port
	defer p.survive()
	var in, out []int16
	if m.n > 0 {
		in = m.in[:m.n]
	}
	switch {
	case p.play != nil:
		out = p.playFrame(frame, p.shard.scratch.out[:len(m.in)])
	case m.mixed:
		out = m.speakMix(frame)
	case m.passed && m.other.n > 0:
		out = m.other.in[:m.other.n]
	}
	p.tapFrame(frame, in, out)
}

// speakMix sends the sum without the member's own voice, and returns it.
func (m *member) speakMix(frame uint64) []int16 {
	p, x := m.port, &m.part.mix
	if p.muted[1] || m.is.Deaf && m.over == nil {
		p.line.WriteFrame(frame, p.shard.scratch.Silence(m.rate))
		return nil
	}
	if m.wait > 0 {
		others := x.spoke
		if m.spoke {
			others--
		}
		if m.wait--; others == 0 {
			return nil
		}
		m.wait = 0
	}
	if m.said == nil && m.talk == 0 && m.over == nil && !m.apart && !m.coached {
		return m.group.speak(m, frame)
	}
	sc := &p.shard.scratch
	out := sc.out[:len(x.sum)]
	switch {
	case m.is.Deaf:
		clear(out)
	case m.coached:
		out = m.speakCoached(out)
	case m.said == nil:
		copy(out, x.clipped())
	default:
		out = x.without(out, m.said)
	}
	if m.over != nil {
		m.overlay(out)
	}
	if m.down != nil {
		m.talk--
		low := sc.in[:len(m.in)]
		n, _ := m.down.Process(low, out)
		clear(low[n:])
		out = low
	}
	m.part.count.encodes++
	p.line.WriteFrame(frame, out)
	return out
}

// tapMix shows the sum of all members to the taps of the bridge.
func (pt *part) tapMix() {
	defer pt.survive()
	x := &pt.mix
	for _, m := range pt.members {
		// Those that passed as packets are not in it.
		if m.said == nil && !m.is.secret() && m.n == len(x.sum) && m.rate == m.mixRate && !silent(m.in) {
			x.add(m.in)
			x.clean = false
		}
	}
	var in []int16
	if x.voices > 0 {
		in = x.clipped()
	}
	for _, t := range pt.b.taps {
		t.Tick(x.frame, in, nil)
	}
}

// group is those members that hear the same when they are silent: all with one codec.
type group struct {
	part    *part
	codec   string
	rate    int
	encode  EncodeFunc // nil: each one has an encoder of its own, which remembers
	down    *Resampler
	pcm     []int16
	payload []byte
	n       int  // bytes of payload; 0: not encoded yet in this frame
	ready   bool // pcm is of this frame
}

func newGroup(pt *part, form *Format, rate int) *group {
	g := &group{part: pt, rate: rate}
	if form != nil {
		g.codec = form.Codec
		if form.Stateless && form.NewEncoder != nil {
			g.encode, g.payload = form.NewEncoder(), make([]byte, 2*FrameLen(rate)) // no codec makes more than 16-bit samples
		}
	}
	if rate != pt.mix.rate {
		g.pcm = make([]int16, min(FrameLen(rate), frameMax))
		g.down, _ = NewResampler(pt.mix.rate, rate) // where it fails the members' fail too, and say so
	}
	return g
}

// begin begins a frame. A resampler needs each one, heard or not.
func (g *group) begin() {
	g.n, g.ready = 0, false
	if g.down != nil {
		g.sound()
	}
}

func (g *group) sound() []int16 {
	x := &g.part.mix
	switch {
	case g.rate == x.rate:
		return x.clipped()
	case !g.ready && g.down != nil:
		g.ready = true
		n, _ := g.down.Process(g.pcm, x.clipped())
		clear(g.pcm[n:])
	}
	return g.pcm
}

// speak sends what the group hears to m, encoded once for all.
func (g *group) speak(m *member, frame uint64) []int16 {
	pcm, c := g.sound(), &g.part.count
	if g.encode == nil {
		c.encodes++
		m.port.line.WriteFrame(frame, pcm)
		return pcm
	}
	if g.n == 0 {
		n, err := g.encode(g.payload, pcm)
		if err != nil {
			return nil
		}
		g.n = n
		c.encodes++
	} else {
		c.shared++
	}
	m.port.line.WriteEncoded(frame, g.payload[:g.n])
	return pcm
}
