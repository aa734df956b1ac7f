// Package media moves 20 ms frames of 16-bit mono PCM between sources, sinks and
// legs, on a clock that they share. It knows neither SIP nor RTP nor files.
//
// Sound comes from a [Source]: a [Clip] that a thousand calls share, a [Queue] that a
// speech engine fills, the outcome of [Concat], [Resample] or [Silence]. It passes
// a port, where a [Tap] sees both directions; [Recorders] are such taps that write to disk.
//
//	clip, err := wav.Decode(file, wav.Limits{})   // once
//	src := clip.Source()                          // for each call, and to be played
//
//	var recorders media.Recorders                 // once
//	r, err := recorders.Start(w, media.RecorderOptions{MaxDuration: time.Hour})
//	r.Tick(n, in, out)                            // what the port of a call does
//	recording, err := r.Stop(ctx)
//
// Two kinds of goroutine meet here. A media thread calls ReadFrame, WriteFrame, Tick and
// NextEncoded: these neither block nor allocate. All other functions and methods may
// take their time, and are not for a media thread.
package media
