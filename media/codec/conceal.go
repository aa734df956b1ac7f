package codec

// The concealer's lengths, in samples at 8000 Hz. Its method is the one of G.711
// appendix I without that one's added delay of 3.75 ms: the last pitch period is
// repeated, fades, and is blended into the first frame that arrives again.
const (
	minPitch    = 40                 // 200 Hz
	maxPitch    = 120                // 66 Hz
	pitchWindow = 160                // how much is compared when the pitch is looked for
	historyLen  = maxPitch + 160 + 1 // one pitch period before the window, and the sample before that
	holdLen     = 80                 // 10 ms at full level,
	fadeLen     = 400                // then down to silence within 50 ms more
	blendLen    = 40                 // 5 ms from concealment into the next good frame
)

// concealer fills in for lost frames of one stream.
type concealer struct {
	history [historyLen]int16 // the last samples that were played, newest last
	period  [maxPitch]int16   // one pitch period, its start joined to its end
	pitch   int               // length of period
	pos     int               // next sample of period
	lost    int               // samples concealed since the last good frame
	started bool              // whether anything was ever decoded
}

// good takes a decoded frame: it remembers it and, after a loss, blends its start.
func (c *concealer) good(pcm []int16) {
	if c.lost > 0 && len(pcm) > 0 {
		n := min(blendLen, len(pcm))
		for i := range pcm[:n] {
			w := int32(i+1) * 32768 / int32(n+1)
			pcm[i] = int16((int32(pcm[i])*w + int32(c.next())*(32768-w)) >> 15)
		}
		c.lost = 0
	}
	c.started = c.started || len(pcm) > 0
	c.remember(pcm)
}

// conceal fills dst with what may have been lost.
func (c *concealer) conceal(dst []int16) {
	if !c.started {
		clear(dst)
		return
	}
	if c.lost == 0 {
		c.begin()
	}
	for i := range dst {
		dst[i] = c.next()
	}
	c.remember(dst)
}

// begin finds the pitch of the history and keeps one period of it.
func (c *concealer) begin() {
	c.pitch, c.pos = c.findPitch(), 0
	h := c.history[historyLen-c.pitch:]
	copy(c.period[:], h)
	// The period follows its own end each time round. What is missing at the seam
	// is taken in over its first quarter, so that there is no click.
	step := int32(c.history[historyLen-1]) - int32(c.history[historyLen-c.pitch-1])
	fade := int32(c.pitch / 4)
	for i := range fade {
		c.period[i] = clip(int32(c.period[i]) + step*(fade-i)/fade)
	}
}

// next is the following concealed sample; it counts it as lost.
func (c *concealer) next() int16 {
	if c.lost >= holdLen+fadeLen {
		return 0
	}
	s := int32(c.period[c.pos])
	if c.pos++; c.pos == c.pitch {
		c.pos = 0
	}
	if past := c.lost - holdLen; past > 0 {
		s = s * int32(fadeLen-past) / fadeLen
	}
	c.lost++
	return int16(s)
}

// findPitch returns the lag, in samples, at which the history resembles itself most.
func (c *concealer) findPitch() int {
	// Every second sample and lag first, then every one around the best.
	best, score := minPitch, c.likeness(minPitch, 2)
	for lag := minPitch + 2; lag <= maxPitch; lag += 2 {
		if s := c.likeness(lag, 2); s > score {
			best, score = lag, s
		}
	}
	around := best
	best, score = around, c.likeness(around, 1)
	for _, lag := range [2]int{around - 1, around + 1} {
		if lag < minPitch || lag > maxPitch {
			continue
		}
		if s := c.likeness(lag, 1); s > score {
			best, score = lag, s
		}
	}
	return best
}

// likeness is the normalised correlation, squared with its sign, of the newest
// pitchWindow samples with those lag before them.
func (c *concealer) likeness(lag, stride int) float32 {
	a := c.history[historyLen-pitchWindow:]
	b := c.history[historyLen-pitchWindow-lag:]
	b = b[:len(a)]
	var dot, energy float32
	for i := 0; i < len(a); i += stride {
		x, y := float32(a[i]), float32(b[i])
		dot += x * y
		energy += y * y
	}
	if energy == 0 || dot <= 0 {
		return 0
	}
	return dot * dot / energy
}

func (c *concealer) remember(pcm []int16) {
	if n := historyLen - len(pcm); n > 0 {
		copy(c.history[:n], c.history[len(pcm):])
		copy(c.history[n:], pcm)
		return
	}
	copy(c.history[:], pcm[len(pcm)-historyLen:])
}

func clip(v int32) int16 { return int16(max(-32768, min(32767, v))) }
