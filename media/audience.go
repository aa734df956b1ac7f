package media

// Audience says who hears a member of a Bridge. The zero value is everybody. All members hear the bridge
// as they did, whoever listens in: nobody can tell.
type Audience struct {
	Nobody bool  // the member only listens
	Only   *Port // this member alone, besides what it hears of the others; nil: as Nobody says
}

// secret tells whether not everybody hears it.
func (a *Audience) secret() bool { return a.Nobody || a.Only != nil }

// JoinAs is Join for a member that not everybody is to hear. It lives on the shard of near, which is a member, or
// where Join puts it for nil: who is heard by one only has to live where that one does.
func (b *Bridge) JoinAs(p *Port, a Audience, near *Port) error {
	return b.join(p, a, near)
}

// SetAudience changes who hears p, where it is a member.
func (b *Bridge) SetAudience(p *Port, a Audience) {
	p.Do(func() {
		if m := p.member; m != nil && m.part.b == b {
			m.part.finish()
			m.audience = a
			m.part.changed()
		}
	})
}

// coach finds those that have someone of their own to hear. It costs nothing in a bridge without one.
func (pt *part) coach() {
	clear(pt.asides)
	pt.asides = pt.asides[:0]
	for _, m := range pt.members {
		m.coached = false
		if m.audience.Only != nil {
			pt.asides = append(pt.asides, m)
		}
	}
	for _, s := range pt.asides {
		for _, m := range pt.members {
			m.coached = m.coached || m.port == s.audience.Only
		}
	}
}

// speakCoached is the sum without the member's own voice, and with those that only it hears.
func (m *member) speakCoached(dst []int16) []int16 {
	x := &m.part.mix
	dst = dst[:len(x.sum)]
	if m.said == nil {
		copy(dst, x.clipped())
	} else {
		x.without(dst, m.said)
	}
	for _, s := range m.part.asides {
		if s.aside == nil || s.audience.Only != m.port {
			continue
		}
		for i, v := range s.aside[:len(dst)] {
			dst[i] = clip(int32(dst[i]) + int32(v))
		}
	}
	return dst
}
