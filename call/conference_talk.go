package call

import (
	"cmp"
	"slices"
	"time"
)

// How talking is told from noise: a member talks that was loud for three looks, until it was quiet for ten. A look sees a
// tenth of a second.
const (
	talkLook  = 100 * time.Millisecond
	talkLevel = 0.01 // mean amplitude: -40 dB
	talkBegin = 3
	talkEnd   = 10

	talkingStarted = "conference_talking_started"
	talkingStopped = "conference_talking_stopped"
)

// talk is whether somebody talks.
type talk struct {
	on          bool
	level       float64
	loud, quiet int // looks in a row
	since       time.Time
}

// look takes one look, and tells whether something has changed.
func (t *talk) look(level float64, now time.Time) (changed bool) {
	t.level = level
	if level >= talkLevel {
		t.loud, t.quiet = t.loud+1, 0
	} else {
		t.loud, t.quiet = 0, t.quiet+1
	}
	switch {
	case !t.on && t.loud == talkBegin:
		t.on, t.since = true, now.Add(-talkBegin*talkLook)
		return true
	case t.on && t.quiet == talkEnd:
		return true // stopTalking ends it
	}
	return false
}

// stopTalking ends the talk of s, if it talks, and counts it. The conference's mu is held.
func (s *roomStay) stopTalking(now time.Time) (stopped bool) {
	t := &s.talk
	if !t.on {
		return false
	}
	until := now.Add(-time.Duration(t.quiet) * talkLook)
	s.record.TalkMS += max(0, until.Sub(t.since).Milliseconds())
	*t = talk{level: t.level}
	return true
}

// listen looks at the levels that the media threads have measured, and tells who begins and ends to talk. It ends
// when nobody is there, or nobody wants to know.
func (f *Conference) listen() {
	ticks := time.NewTicker(talkLook)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-f.ctx.Done():
		}
		over := f.ctx.Err() != nil
		now := time.Now()
		f.mu.Lock()
		over = over || f.in == 0 || !f.o.TalkerEvents
		for c, s := range f.stays {
			switch {
			case !s.in:
			case over:
				s.talk.level = 0
				if s.stopTalking(now) {
					f.noteStay(talkingStopped, s.member())
				}
			case s.talk.look(c.audio().Level(), now):
				event := talkingStarted
				if s.talk.quiet == talkEnd {
					event = talkingStopped
					s.stopTalking(now)
				}
				f.noteStay(event, s.member())
			}
		}
		if over {
			f.listening = false
		}
		f.unlock()
		if over {
			return
		}
	}
}

// Talkers are the members that talk, the loudest first. It is empty without TalkerEvents.
func (f *Conference) Talkers() []Member {
	all := f.Calls()
	n := 0
	for _, m := range all {
		if m.Talking {
			all[n] = m
			n++
		}
	}
	all = all[:n]
	slices.SortStableFunc(all, func(a, b Member) int { return cmp.Compare(b.Level, a.Level) })
	return all
}
