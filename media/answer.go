package media

import (
	"math"
	"time"
)

// What an AnswerDetector finds, in VoIPBIN's words.
const (
	AnswerHuman   = "human"
	AnswerMachine = "machine"
	AnswerNotSure = "notsure"
)

// Why it finds that.
const (
	AnswerByPause    = "pause"    // a short greeting, then silence: somebody waits for us to speak
	AnswerBySilence  = "silence"  // nobody spoke for too long
	AnswerByGreeting = "greeting" // the greeting is too long for a human
	AnswerByWords    = "words"    // it has too many words
	AnswerByBeep     = "beep"     // a tone
	AnswerByTime     = "time"     // nothing of these in the time there was
)

// AnswerOptions are the times by which an AnswerDetector tells a human from a machine. Zero values are the defaults, those of the
// dialers that people know.
type AnswerOptions struct {
	Rate           int           // of the port, in Hz; 0: 8000
	InitialSilence time.Duration // silence from the start that is a machine's; 0: 2.5 s
	Greeting       time.Duration // speech that is too long for a human; 0: 1.5 s
	AfterGreeting  time.Duration // silence after a greeting with which a human waits; 0: 800 ms
	Total          time.Duration // longest analysis; 0: 5 s
	MinWord        time.Duration // shorter sound is no word; 0: 100 ms
	BetweenWords   time.Duration // silence that ends a word; 0: 50 ms
	MaxWords       int           // so many words are a machine's; 0: 4
	Beep           time.Duration // a steady tone that is a machine's; 0: 200 ms
	SilenceLevel   int           // mean amplitude of a frame below which it is silence; 0: 256 (-42 dB)
}

func (o AnswerOptions) withDefaults() AnswerOptions {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&o.InitialSilence, 2500*time.Millisecond)
	set(&o.Greeting, 1500*time.Millisecond)
	set(&o.AfterGreeting, 800*time.Millisecond)
	set(&o.Total, 5*time.Second)
	set(&o.MinWord, 100*time.Millisecond)
	set(&o.BetweenWords, 50*time.Millisecond)
	set(&o.Beep, 200*time.Millisecond)
	if o.Rate == 0 {
		o.Rate = 8000
	}
	if o.MaxWords <= 0 {
		o.MaxWords = 4
	}
	if o.SilenceLevel <= 0 {
		o.SilenceLevel = 256
	}
	return o
}

// Answer is what an AnswerDetector found.
type Answer struct {
	Verdict string        // AnswerHuman, AnswerMachine, AnswerNotSure
	Cause   string        // one of the AnswerBy constants
	After   time.Duration // of sound
}

// AnswerDetector tells whether a human or a machine has answered, by how long it speaks and is silent, and by beeps: a human says a word
// or two and waits, a machine goes on. It is a Tap, to be hung on a port of its rate at the answer.
type AnswerDetector struct {
	o     AnswerOptions
	found chan Answer // of one

	// Owned by the media thread.
	done    bool
	started bool
	next    uint64
	at      time.Duration // since the first frame
	silence time.Duration // now, 0 while a word lasts
	voice   time.Duration // of the sound that lasts now
	spoken  time.Duration // of all words
	words   int
	inWord  bool
	tone    time.Duration // how long the same one sounds
	hz      float64       // of it
}

var _ Tap = (*AnswerDetector)(nil)

// NewAnswerDetector returns an AnswerDetector. It has nothing to be released.
func NewAnswerDetector(o AnswerOptions) *AnswerDetector {
	return &AnswerDetector{o: o.withDefaults(), found: make(chan Answer, 1)}
}

// Found gets what was found, once.
func (d *AnswerDetector) Found() <-chan Answer { return d.found }

// Tick takes a frame (see Tap).
func (d *AnswerDetector) Tick(n uint64, in, _ []int16) {
	if d.done {
		return
	}
	if d.started && n > d.next { // the clock has jumped: nobody knows what was said
		d.at += time.Duration(min(n-d.next, uint64(d.o.Total/FrameDuration))) * FrameDuration
	}
	d.started, d.next = true, n+1
	d.at += FrameDuration
	if d.loud(in) {
		d.sound(in)
	} else {
		d.quiet()
	}
	if !d.done && d.at >= d.o.Total {
		d.decide(AnswerNotSure, AnswerByTime)
	}
}

func (d *AnswerDetector) decide(verdict, cause string) {
	d.done = true
	d.found <- Answer{verdict, cause, d.at} // there is room for one
}

func (d *AnswerDetector) loud(pcm []int16) bool {
	sum := 0
	for _, s := range pcm {
		if s < 0 {
			sum -= int(s)
		} else {
			sum += int(s)
		}
	}
	return len(pcm) > 0 && sum >= len(pcm)*d.o.SilenceLevel
}

// quiet takes a frame of silence.
func (d *AnswerDetector) quiet() {
	d.tone = 0
	d.silence += FrameDuration
	if d.silence >= d.o.BetweenWords {
		d.voice, d.inWord = 0, false
	}
	switch {
	case d.words == 0 && d.at >= d.o.InitialSilence:
		d.decide(AnswerMachine, AnswerBySilence)
	case d.words > 0 && d.silence >= d.o.AfterGreeting:
		d.decide(AnswerHuman, AnswerByPause)
	}
}

// sound takes a frame with sound.
func (d *AnswerDetector) sound(pcm []int16) {
	d.voice += FrameDuration
	if d.beeps(pcm) {
		d.decide(AnswerMachine, AnswerByBeep)
		return
	}
	if d.voice < d.o.MinWord {
		return
	}
	d.silence = 0
	if d.inWord {
		d.spoken += FrameDuration
	} else {
		d.inWord = true
		d.words++
		d.spoken += d.voice
	}
	switch {
	case d.tone > 0 && d.tone == d.voice: // a tone from its start on: it may become a beep
	case d.words >= d.o.MaxWords:
		d.decide(AnswerMachine, AnswerByWords)
	case d.spoken >= d.o.Greeting:
		d.decide(AnswerMachine, AnswerByGreeting)
	}
}

// beeps tells whether one tone has lasted for long enough.
func (d *AnswerDetector) beeps(pcm []int16) bool {
	hz, ok := pureTone(pcm, d.o.Rate)
	switch {
	case !ok:
		d.tone = 0
	case d.tone > 0 && math.Abs(hz-d.hz) < 0.02*d.hz:
		d.tone += FrameDuration
	default:
		d.tone, d.hz = FrameDuration, hz
	}
	return d.tone >= d.o.Beep
}

// Between these a beep is; lower tones are in any voice.
const (
	lowestBeep  = 350
	highestBeep = 2600
)

// pureTone tells whether pcm is one sine, and of which frequency: then x[n] + x[n-2] is 2cos(w) x[n-1] for all n.
func pureTone(pcm []int16, rate int) (hz float64, ok bool) {
	var xy, xx, yy float64
	for i := 2; i < len(pcm); i++ {
		x, y := float64(pcm[i-1]), float64(pcm[i])+float64(pcm[i-2])
		xy += x * y
		xx += x * x
		yy += y * y
	}
	if xx == 0 {
		return 0, false
	}
	c := xy / xx / 2
	if c <= -1 || c >= 1 {
		return 0, false
	}
	hz = math.Acos(c) * float64(rate) / (2 * math.Pi)
	rest := yy - xy*xy/xx // what is left of y where x is taken out
	return hz, hz >= lowestBeep && hz <= highestBeep && rest < 0.01*xx
}
