// Package vad tells where in sound somebody speaks.
//
// There are two types. A [Detector] takes frames of 20 ms and says where speech begins and ends, to the sample position of the frame; it
// does not allocate and costs some microseconds a frame. A [Listener] reads a [media.Stream], as an [media.Ear] is one, with a Detector
// and gives each utterance with its sound:
//
//	stop, err := call.Listen(ctx, func(rateHz int) (media.Tap, error) {
//		ear, err = media.NewEar(media.EarOptions{Rate: rateHz})
//		return ear, err
//	})
//	l, err := vad.NewListener(ear, vad.ListenerConfig{})
//	for {
//		e, err := l.Next(ctx)
//		... // vad.Started: be silent; vad.Ended: e.Sound is what was said
//	}
//
// A [Transcriber] makes any [media.RecordingTranscriber] one for calls, an utterance at a time.
//
// # How it judges
//
// Sound is looked at below 4 kHz. Six bands between 200 and 3600 Hz have a noise floor each, which is what was least in the last 1.6 s; a
// frame is active where they stand out of it. Noise that begins is active, too, so speech needs frames with a pitch between 60
// and 400 Hz to begin, and cannot go on for long without. One or two sines that hold their pitch are no voice: keys (DTMF), beeps
// and dial tones are not speech, and neither is hum, once it is part of the floor.
//
// # Caveats
//
// Music with a melody is speech to it, and so is a second voice in the room. A steady sound with many harmonics, an engine or a choir, may be taken
// for speech for up to 2 s when it begins. Who speaks already in the first frame is found with the first gap between sounds, or after
// the noise floor of the first frame is passed. Whisper has no pitch and is not found.
//
// An [media.AnswerDetector] has rules of its own: it measures pauses of 50 ms in greetings, which are no ends of speech here.
package vad
