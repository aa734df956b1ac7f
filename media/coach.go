package media

// coach finds those that have someone of their own to hear. It costs nothing in a bridge without one.
func (pt *part) coach() {
	clear(pt.asides)
	pt.asides = pt.asides[:0]
	for _, m := range pt.members {
		m.coached = false
		if m.is.Only != nil {
			pt.asides = append(pt.asides, m)
		}
	}
	for _, s := range pt.asides {
		for _, m := range pt.members {
			m.coached = m.coached || m.port == s.is.Only
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
		if s.aside == nil || s.is.Only != m.port {
			continue
		}
		for i, v := range s.aside[:len(dst)] {
			dst[i] = clip(int32(dst[i]) + int32(v))
		}
	}
	return dst
}
