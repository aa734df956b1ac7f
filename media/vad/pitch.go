package vad

import "math"

// A voice repeats itself after 1/400 to 1/60 s. That is looked for at 4 kHz, within the last 48 ms.
const (
	pitchRate = workRate / 2
	shortest  = pitchRate / 400
	longest   = pitchRate / 60
	pitchLen  = 128 // samples that are compared with earlier ones, 32 ms
	pitchPast = pitchLen + longest
	alike     = 0.55 // of 1, which is a repetition without any difference
)

// pitch tells whether sound has one.
type pitch struct {
	past [pitchPast]float32
	// Of a high-pass of second order at 150 Hz, so that hum is no pitch.
	x1, x2, y1, y2 float32
}

// The filter's coefficients (Butterworth, by the bilinear transform).
var highPass = func() (c struct{ b, a1, a2 float32 }) {
	w := math.Tan(math.Pi * 150 / workRate)
	n := 1 + math.Sqrt2*w + w*w
	c.b = float32(1 / n)
	c.a1 = float32(2 * (w*w - 1) / n)
	c.a2 = float32((1 - math.Sqrt2*w + w*w) / n)
	return c
}()

// add takes a frame.
func (p *pitch) add(frame []float32) {
	n := len(frame) / 2
	copy(p.past[:], p.past[n:])
	out := p.past[pitchPast-n:]
	x1, x2, y1, y2 := p.x1, p.x2, p.y1, p.y2
	for i, x := range frame {
		y := highPass.b*(x-2*x1+x2) - highPass.a1*y1 - highPass.a2*y2
		x2, x1, y2, y1 = x1, x, y1, y
		if i&1 == 1 {
			out[i/2] = y1 + y2
		}
	}
	if y1 < 1e-15 && y1 > -1e-15 { // what rings on for ever becomes slow to count with
		y1, y2 = 0, 0
	}
	p.x1, p.x2, p.y1, p.y2 = x1, x2, y1, y2
}

// has tells whether the last samples resemble earlier ones.
func (p *pitch) has() bool {
	now := p.past[longest:]
	var energy float32
	for _, v := range now {
		energy += v * v
	}
	if energy == 0 {
		return false
	}
	before := p.past[longest-shortest+1:][:pitchLen] // of the lag that is tried, moved on below
	var was float32
	for _, v := range before {
		was += v * v
	}
	for lag := shortest; lag <= longest; lag++ {
		from := longest - lag
		before = p.past[from : from+pitchLen]
		was += before[0]*before[0] - p.past[from+pitchLen]*p.past[from+pitchLen]
		var both float32
		for i, v := range now {
			both += v * before[i]
		}
		if both > 0 && both*both > alike*alike*energy*max(was, 1e-12) {
			return true
		}
	}
	return false
}
