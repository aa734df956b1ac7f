package media

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Clip is a piece of sound, decoded once and shared by all who play it. It does not
// change, and is safe for concurrent use. What is made of it, the same sound at
// another rate and in a codec, is kept with it.
type Clip struct {
	rate int
	pcm  []int16

	mu      sync.Mutex
	at      map[int]*Clip           // by rate, guarded by mu
	encoded map[string]*encodedClip // by codec, guarded by mu
}

// How many variants a clip keeps; there are not that many rates and codecs of phones.
const maxVariants = 8

// NewClip makes a clip of mono samples at rateHz, which is 4000 to 192000; any other
// is a fault of the program and panics. The clip keeps pcm: do not write to it later.
func NewClip(rateHz int, pcm []int16) *Clip {
	if rateHz < minRate || rateHz > maxRate {
		panic(fmt.Sprintf("media: NewClip: %d Hz is not %d to %d", rateHz, minRate, maxRate))
	}
	return &Clip{rate: rateHz, pcm: pcm[:len(pcm):len(pcm)]}
}

// Rate is the clip's, in Hz.
func (c *Clip) Rate() int { return c.rate }

// PCM is the clip's sound, not to be written to.
func (c *Clip) PCM() []int16 { return c.pcm }

// Duration is the clip's length.
func (c *Clip) Duration() time.Duration { return samplesDuration(len(c.pcm), c.rate) }

// At returns the same sound at rateHz: c itself, or a clip that is computed at the
// first call, which takes about a millisecond for each second of sound. Its error matches ErrRate.
func (c *Clip) At(rateHz int) (*Clip, error) {
	if rateHz == c.rate {
		return c, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.at[rateHz]; ok {
		return r, nil
	}
	b, err := filters.get(c.rate, rateHz)
	if err != nil {
		return nil, err
	}
	n := (int64(len(c.pcm))*int64(rateHz) + int64(c.rate) - 1) / int64(c.rate)
	pcm := make([]int16, n)
	r := newAligned(b)
	done, _ := r.Process(pcm, c.pcm)
	for zeros := make([]int16, inputReserve); done < len(pcm); {
		w, _ := r.Process(pcm[done:], zeros)
		done += w
	}
	clip := NewClip(rateHz, pcm)
	if c.at == nil {
		c.at = map[int]*Clip{}
	}
	if len(c.at) < maxVariants {
		c.at[rateHz] = clip
	}
	return clip, nil
}

// Source returns a new reader of the clip from its start. It is an EncodedSource and
// costs no copy of the sound.
func (c *Clip) Source() Source { return &clipSource{clip: c} }

// Loop returns a new reader of the clip that begins anew at its end, for ever. An empty clip ends at once.
func (c *Clip) Loop() Source { return &clipSource{clip: c, loop: len(c.pcm) > 0} }

// EncodeFunc encodes one frame, as codec.Encoder's method Encode does.
type EncodeFunc func(dst []byte, pcm []int16) (n int, err error)

// EncodedSource is a Source that can give its frames encoded already, so that a
// prompt that a thousand calls hear is encoded once. Whoever plays it prepares it on
// a goroutine that may wait, and then reads it by NextEncoded on a media thread; it
// may go over to ReadFrame at any frame, where the sound has to be mixed, and back.
type EncodedSource interface {
	Source

	// PrepareEncoded makes frames of the codec name ready, which codes PCM at rateHz with
	// the encoder that newEncoder makes. It may take long the first time.
	PrepareEncoded(name string, rateHz int, newEncoder func() EncodeFunc) error

	// NextEncoded returns the payload of the next frame, the last one filled up with silence,
	// and (nil, io.EOF) after it. It is not to be written to. Like ReadFrame it
	// neither blocks nor allocates. Without PrepareEncoded its error is ErrNotPrepared.
	NextEncoded() (payload []byte, err error)
}

// encodedClip is a clip's sound in one codec, frame by frame.
type encodedClip struct {
	payload []byte
	ends    []uint32 // of each frame in payload
}

func (e *encodedClip) frame(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = e.ends[i-1]
	}
	return e.payload[start:e.ends[i]:e.ends[i]]
}

// maxPayload is more than any codec makes of 20 ms: 16-bit stereo at 48 kHz.
const maxPayload = 3840

// encode returns the clip in a codec, computed at the first call.
func (c *Clip) encode(name string, rateHz int, newEncoder func() EncodeFunc) (*encodedClip, error) {
	if FrameLen(rateHz) <= 0 {
		return nil, fmt.Errorf("media: encode clip as %s: %w: %d Hz", name, ErrRate, rateHz)
	}
	key := fmt.Sprintf("%s/%d", name, rateHz)
	c.mu.Lock()
	e, ok := c.encoded[key]
	c.mu.Unlock()
	if ok {
		return e, nil
	}
	at, err := c.At(rateHz)
	if err != nil {
		return nil, fmt.Errorf("media: encode clip as %s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.encoded[key]; ok {
		return e, nil // a second caller waited here for the first
	}
	if e, err = encodeFrames(at, newEncoder()); err != nil {
		return nil, fmt.Errorf("media: encode clip as %s: %w", name, err)
	}
	if c.encoded == nil {
		c.encoded = map[string]*encodedClip{}
	}
	if len(c.encoded) < maxVariants {
		c.encoded[key] = e
	}
	return e, nil
}

func encodeFrames(c *Clip, enc EncodeFunc) (*encodedClip, error) {
	size := FrameLen(c.rate)
	frames := (len(c.pcm) + size - 1) / size
	e := &encodedClip{payload: make([]byte, 0, frames*size), ends: make([]uint32, 0, frames)}
	last := make([]int16, size)
	out := make([]byte, maxPayload)
	for i := range frames {
		pcm := c.pcm[i*size : min((i+1)*size, len(c.pcm))]
		if len(pcm) < size {
			copy(last, pcm)
			pcm = last
		}
		n, err := enc(out, pcm)
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
		e.payload = append(e.payload, out[:n]...)
		e.ends = append(e.ends, uint32(len(e.payload)))
	}
	return e, nil
}

type clipSource struct {
	clip    *Clip
	encoded *encodedClip
	pos     int // the next sample
	loop    bool
}

func (s *clipSource) Rate() int { return s.clip.rate }

func (s *clipSource) ReadFrame(dst []int16) (int, error) {
	n := copy(dst[:min(len(dst), FrameLen(s.clip.rate))], s.clip.pcm[s.pos:])
	if s.pos += n; s.pos == len(s.clip.pcm) {
		if s.loop {
			s.pos = 0
			return n, nil
		}
		return n, io.EOF
	}
	return n, nil
}

func (s *clipSource) PrepareEncoded(name string, rateHz int, newEncoder func() EncodeFunc) error {
	e, err := s.clip.encode(name, rateHz, newEncoder)
	if err != nil {
		return err
	}
	s.encoded = e
	return nil
}

func (s *clipSource) NextEncoded() ([]byte, error) {
	if s.encoded == nil {
		return nil, ErrNotPrepared
	}
	// Frames are counted in time, because the codec's rate may differ from the clip's.
	size := FrameLen(s.clip.rate)
	i := (s.pos + size - 1) / size
	if i >= len(s.encoded.ends) && s.loop {
		i = 0
	}
	if i >= len(s.encoded.ends) {
		s.pos = len(s.clip.pcm)
		return nil, io.EOF
	}
	s.pos = min((i+1)*size, len(s.clip.pcm))
	return s.encoded.frame(i), nil
}

func samplesDuration(n, rateHz int) time.Duration {
	return time.Duration(int64(n) * int64(time.Second) / int64(rateHz))
}

func durationSamples(d time.Duration, rateHz int) int {
	return int(int64(d) * int64(rateHz) / int64(time.Second))
}
