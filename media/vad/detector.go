package vad

import (
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
)

// Kind of an Event.
type Kind int

// What happens. The zero Kind is nothing.
const (
	Started Kind = iota + 1 // somebody speaks
	Ended                   // and has stopped
)

func (k Kind) String() string {
	switch k {
	case Started:
		return "started"
	case Ended:
		return "ended"
	}
	return "nothing"
}

// Event is a beginning or an end of speech.
type Event struct {
	Kind  Kind
	At    int64 // where speech began or ended, in samples since the first frame
	Found int64 // where that was certain: the end of the frame that told
}

// Config of a Detector. Zero fields are the defaults.
type Config struct {
	Rate     int           // of the frames, in Hz: 8000, 16000, 24000, 32000 or 48000; 0: 8000
	Attack   time.Duration // voice of so long begins speech; 0: 60 ms
	Hangover time.Duration // so long without speech ends it; 0: 500 ms
	// Level is what speech has at least, in dB of full scale; 0: -50. Line noise is below that, a distant
	// speaker hardly.
	Level float64
	// Margin is by how many dB speech stands out of the noise floor, of all bands together; 0: 9. Less hears more.
	Margin float64
}

const (
	workRate = 8000 // Hz, at which sound is judged
	workLen  = workRate / 50

	// voicelessMost is how long speech goes on without a pitch: s, f and the like, and words that fade into noise.
	voicelessMost = 12 // frames
	// gapMost is how many quiet frames a beginning may have: between a p and its vowel.
	gapMost = 3
	// leadMost is how far before the first pitch speech may begin.
	leadMost = 12 // frames
)

// Detector tells where speech begins and ends in frames of one voice. It belongs to one goroutine, and
// what it says depends on the frames alone.
type Detector struct {
	rate, factor     int // factor is rate / workRate
	attack, hangover int // frames
	level, margin    float64

	spectrum spectrum
	floor    floor
	pitch    pitch
	tone     steady

	frames   int64 // so far
	speaking bool

	// Of a beginning that may become one.
	first  int64 // frame
	voiced int   // frames with a pitch since then
	gap    int   // quiet frames, the last ones

	lastSpeech int64 // frame
	lastVoiced int64 // frame
}

// New returns a Detector.
func New(cfg Config) (*Detector, error) {
	if cfg.Rate == 0 {
		cfg.Rate = workRate
	}
	if cfg.Rate < workRate || cfg.Rate > 48000 || cfg.Rate%workRate != 0 {
		return nil, fmt.Errorf("vad: new detector: %d Hz is no multiple of %d up to 48000", cfg.Rate, workRate)
	}
	if cfg.Attack <= 0 {
		cfg.Attack = 60 * time.Millisecond
	}
	if cfg.Hangover <= 0 {
		cfg.Hangover = 500 * time.Millisecond
	}
	if cfg.Level == 0 {
		cfg.Level = -50
	}
	if cfg.Margin == 0 {
		cfg.Margin = 9
	}
	frames := func(d time.Duration) int {
		return max(1, int((d+media.FrameDuration-1)/media.FrameDuration))
	}
	d := &Detector{
		rate: cfg.Rate, factor: cfg.Rate / workRate,
		attack: frames(cfg.Attack), hangover: frames(cfg.Hangover),
		level: fromDB(cfg.Level), margin: cfg.Margin,
	}
	d.forget()
	return d, nil
}

// Rate is that of the config.
func (d *Detector) Rate() int { return d.rate }

// Speaking tells whether speech has started and not ended.
func (d *Detector) Speaking() bool { return d.speaking }

// Frame takes the next frame, of media.FrameLen(Rate()) samples: nil, and what lacks, is silence, what is over is not
// looked at. ok is false where nothing has begun or ended.
func (d *Detector) Frame(pcm []int16) (e Event, ok bool) {
	active, voiced, tonal := d.judge(pcm)
	now := d.frames
	d.frames++
	if voiced {
		d.lastVoiced = now
	}
	if d.speaking {
		if active && !tonal && now-d.lastVoiced <= voicelessMost {
			d.lastSpeech = now
		}
		if now-d.lastSpeech < int64(d.hangover) {
			return Event{}, false
		}
		d.restart()
		return d.event(Ended, d.lastSpeech+1), true
	}
	switch {
	case tonal:
		d.forget()
		return Event{}, false
	case active:
		if d.first < 0 {
			d.first = now
		}
		d.gap = 0
	case d.first >= 0:
		if d.gap++; d.gap > gapMost {
			d.forget()
		}
		return Event{}, false
	}
	if !voiced {
		return Event{}, false
	}
	if d.voiced == 0 {
		d.first = max(d.first, now-leadMost)
	}
	if d.voiced++; d.voiced < d.attack {
		return Event{}, false
	}
	d.speaking, d.lastSpeech = true, now
	return d.event(Started, d.first), true
}

// restart ends speech without an event: who still speaks begins anew.
func (d *Detector) restart() {
	d.speaking = false
	d.forget()
}

func (d *Detector) forget() { d.first, d.voiced, d.gap = -1, 0, 0 }

func (d *Detector) event(k Kind, frame int64) Event {
	size := int64(media.FrameLen(d.rate))
	return Event{Kind: k, At: frame * size, Found: d.frames * size}
}

// judge says what one frame is by itself.
func (d *Detector) judge(pcm []int16) (active, voiced, tonal bool) {
	var frame [workLen]float32
	d.decimate(frame[:], pcm)
	d.pitch.add(frame[:])
	d.spectrum.add(frame[:])
	var bands [bandCount]float64
	total := d.spectrum.bands(&bands)
	over := d.floor.add(&bands)
	tonal = d.tone.add(&d.spectrum.power, total)
	if total < d.level || over < d.margin {
		return false, false, false
	}
	if tonal {
		return true, false, true
	}
	return true, d.pitch.has(), false
}

// decimate brings pcm to workRate: samples are averaged, which is a filter good enough for energies.
func (d *Detector) decimate(dst []float32, pcm []int16) {
	pcm = pcm[:min(len(pcm), len(dst)*d.factor)]
	const scale = 1.0 / 32768
	if d.factor == 1 {
		for i, s := range pcm {
			dst[i] = float32(s) * scale
		}
		return
	}
	f := scale / float32(d.factor)
	for i := range dst {
		at := i * d.factor
		if at >= len(pcm) {
			return
		}
		sum := 0
		for _, s := range pcm[at:min(at+d.factor, len(pcm))] {
			sum += int(s)
		}
		dst[i] = float32(sum) * f
	}
}
