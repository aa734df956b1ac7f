package tone

import (
	"io"
	"math"
	"slices"
	"time"

	"github.com/callbin/callbin/media"
)

// Segment is a part of a Pattern: sines that sound together, or silence where Hz is empty.
type Segment struct {
	Hz       []float64
	Duration time.Duration
}

// Pattern is a row of segments, played once or over and over. Each segment has edges
// of 3 ms, so that nothing clicks.
type Pattern struct {
	Segments []Segment
	Endless  bool
	Level    float64 // of each sine, in dB below or above full scale; 0: -12
}

const (
	defaultLevel = -12.0
	edge         = 3 * time.Millisecond
)

// Sine is one sine of length d; 0 is endless.
func Sine(hz float64, d time.Duration) Pattern {
	if d <= 0 {
		// The edges of a minute's seam cannot be heard; a phase that runs for hours drifts.
		return Pattern{Segments: []Segment{{Hz: []float64{hz}, Duration: time.Minute}}, Endless: true}
	}
	return Pattern{Segments: []Segment{{Hz: []float64{hz}, Duration: d}}}
}

// Beep is VoIPBIN's beep: half a second of 1000 Hz.
func Beep() Pattern { return Sine(1000, 500*time.Millisecond) }

// Duration is the length of one round of p.
func (p Pattern) Duration() (d time.Duration) {
	for _, s := range p.Segments {
		d += s.Duration
	}
	return d
}

// Clip is one round of p as a clip; rates are those of media.NewClip.
func (p Pattern) Clip(rateHz int) *media.Clip {
	p.Endless = false
	src := p.Source(rateHz)
	var pcm []int16
	frame := make([]int16, media.FrameLen(rateHz))
	for {
		n, err := src.ReadFrame(frame)
		pcm = append(pcm, frame[:n]...)
		if err != nil {
			return media.NewClip(rateHz, pcm)
		}
	}
}

// Source plays p at rateHz, computing each frame as it is read.
func (p Pattern) Source(rateHz int) media.Source {
	level := p.Level
	if level == 0 {
		level = defaultLevel
	}
	s := &source{pattern: p, rate: rateHz, amplitude: 32767 * math.Pow(10, level/20)}
	s.pattern.Segments = slices.Clone(p.Segments)
	voices, total := 0, 0
	for _, seg := range p.Segments {
		voices = max(voices, len(seg.Hz))
		total += samples(seg.Duration, rateHz)
	}
	s.voices = make([]voice, voices)
	s.edge = samples(edge, rateHz)
	s.index = -1
	s.silent = total == 0
	return s
}

func samples(d time.Duration, rateHz int) int {
	return int(int64(d) * int64(rateHz) / int64(time.Second))
}

// voice is an oscillator: a vector that turns by a fixed angle a sample.
type voice struct{ re, im, cos, sin float64 }

type source struct {
	pattern   Pattern
	rate      int
	amplitude float64
	voices    []voice
	sounding  int  // voices of the segment
	index     int  // the segment, -1 before the first
	at, size  int  // samples of the segment
	edge      int  // samples of an edge
	silent    bool // a pattern without length
}

func (s *source) Rate() int { return s.rate }

func (s *source) ReadFrame(dst []int16) (n int, err error) {
	dst = dst[:min(len(dst), media.FrameLen(s.rate))]
	if s.silent {
		return 0, io.EOF
	}
	for n < len(dst) {
		if s.at == s.size {
			if !s.advance() {
				return n, io.EOF
			}
			continue
		}
		k := min(len(dst)-n, s.size-s.at)
		s.fill(dst[n : n+k])
		n += k
		s.at += k
	}
	if s.at == s.size && !s.pattern.Endless && s.index == len(s.pattern.Segments)-1 {
		return n, io.EOF
	}
	return n, nil
}

// advance goes to the next segment.
func (s *source) advance() bool {
	if s.index++; s.index >= len(s.pattern.Segments) {
		if !s.pattern.Endless {
			return false
		}
		s.index = 0
	}
	seg := s.pattern.Segments[s.index]
	s.at, s.size = 0, samples(seg.Duration, s.rate)
	s.sounding = len(seg.Hz)
	for i, hz := range seg.Hz {
		sin, cos := math.Sincos(2 * math.Pi * hz / float64(s.rate))
		s.voices[i] = voice{re: 1, cos: cos, sin: sin}
	}
	return true
}

// fill writes samples of the segment from s.at on.
func (s *source) fill(dst []int16) {
	if s.sounding == 0 {
		clear(dst)
		return
	}
	for i := range dst {
		sum := 0.0
		for v := range s.voices[:s.sounding] {
			o := &s.voices[v]
			sum += o.im
			o.re, o.im = o.re*o.cos-o.im*o.sin, o.re*o.sin+o.im*o.cos
		}
		gain := s.amplitude
		if near := min(s.at+i, s.size-1-s.at-i); near < s.edge {
			gain *= 0.5 - 0.5*math.Cos(math.Pi*float64(near)/float64(s.edge))
		}
		dst[i] = int16(max(-32768, min(32767, math.Round(gain*sum))))
	}
	// Rounding lets the vectors grow or shrink by and by.
	for v := range s.voices[:s.sounding] {
		o := &s.voices[v]
		size := math.Hypot(o.re, o.im)
		o.re, o.im = o.re/size, o.im/size
	}
}
