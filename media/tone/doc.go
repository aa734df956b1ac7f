// Package tone makes and finds tones: ringback and busy, beeps, DTMF, and the
// measures that tests of sound need.
//
// There is one type that matters, [Pattern]: tones and pauses one after another. It
// becomes a [media.Source], made while it is played, or a [media.Clip]:
//
//	p, ok := tone.Ringback("uk")
//	src := p.Source(8000)                  // endless
//	clip := tone.Beep().Clip(8000)         // half a second
//	level := tone.Goertzel(pcm, 8000, 440) // how loud 440 Hz is in pcm
//
// Levels are those of ITU-T E.180 roughly, cadences and frequencies exactly.
package tone
