package media

import "time"

// FrameDuration is the length of every frame that moves through this module.
const FrameDuration = 20 * time.Millisecond

// FrameLen is the number of samples of one frame at rateHz: 160 at 8000.
func FrameLen(rateHz int) int { return rateHz / 50 }

// Source yields 16-bit linear mono PCM, one frame a call.
//
//  1. Rate is in Hz and never changes.
//  2. ReadFrame fills at most len(dst) samples, and at most one frame (FrameLen(Rate())).
//  3. It must not block, lock for long, or allocate: it runs on a media thread.
//     Nothing yet is (0, nil); the end is (n, io.EOF) with the last n samples.
//  4. One goroutine at a time calls it. A Source that also has Close() error is
//     closed once when whoever plays it is done, also when it was cut short.
type Source interface {
	Rate() int
	ReadFrame(dst []int16) (n int, err error)
}

// Sink takes 16-bit linear mono PCM at a rate agreed beforehand. WriteFrame
// must neither block nor keep pcm after it returns.
type Sink interface {
	WriteFrame(pcm []int16) error
}

// Tap watches both directions of a Port. Tick is called on the media thread once
// a frame with what came from the peer (in) and what went to it (out), both of one
// frame at the port's rate; nil stands for silence. n counts frames of the port's
// clock and jumps where the thread was held up, so that a recording can keep time.
// Tick must neither block, allocate, nor keep its slices.
type Tap interface {
	Tick(n uint64, in, out []int16)
}

// Direction names one way of a Port's audio as VoIPBIN does.
type Direction string

const (
	In   Direction = "in"   // from the peer into us
	Out  Direction = "out"  // from us towards the peer
	Both Direction = "both" // both ways
)
