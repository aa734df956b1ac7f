package media

import (
	"slices"
	"sync/atomic"
)

// part is those members of a bridge that live on one shard. They are heard and spoken to
// in one tick. Its fields are owned by that shard, except the atomic ones.
type part struct {
	b     *Bridge
	shard *Shard
	id    int // its place in Bridge.parts
	beat  beat

	size     atomic.Int32 // members
	rate     atomic.Int32 // the highest of its members
	active   atomic.Bool  // it ticks: other parts wait for its sums
	passing  atomic.Bool  // packets of a member pass untouched
	encodes  atomic.Uint64
	shared   atomic.Uint64
	late     atomic.Uint64
	exchange exchange

	members []*member
	asides  []*member // that only one hears
	groups  []*group
	mix     mix
	levels  bool // members are measured
	ended   bool // something that was played ended in this frame
	count   struct{ encodes, shared uint64 }
}

// member is a port in a bridge.
type member struct {
	part  *part
	port  *Port
	other *member // the other one of two, else nil
	is    Membership
	over  *playing // to it alone, with what it hears; nil: nothing

	// What it hears: packets of the other one, a mix, or neither.
	passed, mixed bool
	wasMixed      bool
	wait          int       // ticks that the mix may wait for its first frame, after packets
	keys          KeyWriter // where its key presses go

	// What it says in the present frame.
	in     []int16 // of the port's rate
	n      int     // samples in it; 0: there is no frame
	spoke  bool    // and it is new to those that hear the mix
	said   []int16 // what of it is in the sum, at its rate; nil: nothing
	atRate []int16 // memory for said where rates differ

	form          *Format // that the rest is for
	rate, mixRate int
	up, down      *Resampler
	tail          int // frames until up has forgotten what was said
	talk          int // frames until down hears the same as the group's

	aside   []int16 // what it says that only one hears, at the rate of the mix; nil: nothing
	coached bool    // it is such a one
	group   *group

	apart, spoken  bool // it hears something else in this frame; it has heard it
	loud, measured int  // for Port.Level: sum of amplitudes, and of how many frames
}

func newPart(b *Bridge, shard *Shard, id int) *part {
	pt := &part{b: b, shard: shard, id: id}
	pt.beat = beat{tick: pt.tick, slot: -1}
	pt.exchange.timer.Fire = pt.giveUp
	return pt
}

// add makes p, which lives on the part's shard, a member.
func (pt *part) add(p *Port, is Membership) {
	pt.finish()
	c := &pt.shard.clock
	c.unsettle(&p.beat)
	if pt.beat.slot < 0 {
		c.settle(&pt.beat)
	} else {
		c.settled[pt.beat.slot]++ // once for each member: what counts is the work in a slot
	}
	m := &member{part: pt, port: p, is: is}
	p.member = m
	pt.members = append(pt.members, m)
	pt.size.Add(1)
	pt.b.count.Add(1)
	pt.changed()
}

// remove ends a membership, on the shard.
func (pt *part) remove(m *member) {
	i := slices.Index(pt.members, m)
	last := len(pt.members) - 1
	pt.members[i] = pt.members[last]
	pt.members[last] = nil
	pt.members = pt.members[:last]
	pt.shard.clock.settled[pt.beat.slot]--
	pt.size.Add(-1)
	pt.b.count.Add(-1)
	m.port.member = nil
	m.hush(ErrClosed)
	m.unmeasure()
	if m.keys != nil {
		m.port.line.ForwardKeys(nil)
	}
	m.port.update()
	m.port.bridge.Store(nil)
	pt.changed()
}

// changed brings all parts in step.
func (pt *part) changed() {
	pt.update()
	for _, q := range *pt.b.parts.Load() {
		if q != pt {
			q.shard.Post(q.update)
		}
	}
}

// update brings lines and clock in step with who hears whom.
func (pt *part) update() {
	pt.finish()
	pt.tune()
	pt.coach()
	b := pt.b
	all := int(b.count.Load())
	playing, tapped := b.playing.Load(), b.tapped.Load()
	pt.levels = b.levels.Load()
	two := all == 2 && len(pt.members) == 2
	// Without members of its own, the home of a room is there for what it plays and records.
	tick := (playing || tapped) && all > 0 && (pt.id == 0 || len(pt.members) > 0)
	tick = tick || pt.levels && len(pt.members) > 0
	prompt := playing || all > len(pt.members) // else only taps wait for a tick
	pt.mix.wanted = tapped || all > len(pt.members)

	for i, m := range pt.members {
		if m.other = nil; two {
			m.other = pt.members[1-i]
		}
		p := m.port
		live := p.format.Load() != nil && !p.ended
		was := m.passed
		m.passed = two && !playing && p.play == nil && m.over == nil && !m.other.is.secret() && !m.is.Deaf && passes(m.other.port, p)
		m.mixed = live && !m.passed && p.play == nil && (all > 1 || playing || m.over != nil)
		switch {
		case !m.mixed:
			m.wait = 0
		case was:
			m.wait = maxWait
		}
		pt.mix.wanted = pt.mix.wanted || m.mixed
		prompt = prompt || m.mixed || live && p.play != nil
		tick = tick || prompt || len(p.taps) > 0
	}
	passing := false
	for _, m := range pt.members {
		p, o := m.port, m.other
		heard := all > 1
		var forward PacketWriter
		var keys KeyWriter
		held := false
		if o != nil {
			heard = o.mixed && !o.port.muted[1] || len(o.port.taps) > 0
			if o.passed {
				forward, passing = o.port.line, true
				held = o.wasMixed
			}
			if b.digits && !m.is.secret() && !o.is.secret() {
				keys = o.port.line
			}
		}
		listen := !p.muted[0] && !m.is.Mute && (heard || tapped || pt.levels) || len(p.taps) > 0
		if !pt.levels || p.muted[0] || m.is.Mute {
			m.unmeasure()
		}
		p.set(listen, forward, held, tick && forward == nil)
		if keys != m.keys {
			m.keys = keys
			p.line.ForwardKeys(keys)
		}
	}
	for _, m := range pt.members {
		m.wasMixed = m.mixed
	}
	pt.passing.Store(passing)
	pt.active.Store(tick)
	pt.shard.clock.ease(&pt.beat, !prompt)
	pt.shard.clock.set(&pt.beat, tick)
}

// passes tells whether b can hear a by a's own packets.
func passes(a, b *Port) bool {
	from, to := a.format.Load(), b.format.Load()
	return from != nil && to != nil && to.takes(from) &&
		!a.ended && !b.ended && !a.uneven && !a.muted[0] && !b.muted[1]
}

// tune prepares for the rates and codecs of the members.
func (pt *part) tune() {
	b := pt.b
	highest := 0
	for _, m := range pt.members {
		highest = max(highest, m.port.Rate())
	}
	pt.rate.Store(int32(highest))
	for _, q := range *b.parts.Load() {
		highest = max(highest, int(q.rate.Load()))
	}
	if highest == 0 {
		b.rate.Store(0)
		return
	}
	if old := b.rate.Swap(int32(highest)); int(old) != highest {
		for _, q := range *b.parts.Load() {
			if q != pt {
				q.shard.Post(q.update)
			}
		}
	}
	if pt.mix.rate != highest {
		pt.mix.setRate(highest)
		pt.groups = nil
	}
	if pt.id == 0 { // whose shard owns plays
		for _, pl := range b.plays {
			pl.tune(highest)
		}
	}
	for _, m := range pt.members {
		m.over.tune(highest)
		m.tune(highest)
	}
}

func (pl *playing) tune(rateHz int) {
	if pl != nil && pl.src.Rate() != rateHz {
		pl.src = Resample(pl.src, rateHz)
	}
}

func (m *member) tune(mixRate int) {
	p := m.port
	form := p.format.Load()
	rate := p.Rate()
	if m.group != nil && m.form == form && m.mixRate == mixRate {
		return
	}
	m.form = form
	if m.rate != rate || m.mixRate != mixRate {
		m.rate, m.mixRate = rate, mixRate
		m.in, m.n, m.said = make([]int16, p.frameLen()), 0, nil
		m.up, m.down = nil, nil
		if rate != mixRate {
			var err, err2 error
			m.up, err = NewResampler(rate, mixRate)
			m.down, err2 = NewResampler(mixRate, rate)
			if err != nil || err2 != nil { // no codec has such a rate
				p.shard.log.Error("media: a member of a bridge can neither hear nor be heard", "err", err)
				m.up, m.down = nil, nil
			}
			m.atRate = make([]int16, FrameLen(mixRate))
		}
	}
	m.group = m.part.groupOf(form, rate)
}

// groupOf finds or makes the group of those who send alike.
func (pt *part) groupOf(form *Format, rate int) *group {
	codec := ""
	if form != nil {
		codec = form.Codec
	}
	for _, g := range pt.groups {
		if g.codec == codec && g.rate == rate {
			return g
		}
	}
	g := newGroup(pt, form, rate)
	pt.groups = append(pt.groups, g)
	return g
}
