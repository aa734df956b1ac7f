package rtp

import (
	"sync"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

const (
	// voiceLevel is the mean amplitude from which a packet counts as sound: -42 dB.
	voiceLevel = 256
	// shortStride and longStride are the ways between the samples that are looked at, by turns: even
	// steps would see only the zero crossings of some tones.
	shortStride, longStride = 5, 9
)

// levels gives the amplitude of each byte of a codec whose payload has one byte for a
// sample, nil for others: those of G.711, made once.
var levels = sync.OnceValue(func() map[string]*[256]uint16 {
	all := map[string]*[256]uint16{}
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA} {
		var t [256]uint16
		var pcm [1]int16
		dec := c.NewDecoder()
		for b := range 256 {
			if _, err := dec.Decode(pcm[:], []byte{byte(b)}); err != nil { // one byte is one sample
				panic(err)
			}
			t[b] = uint16(max(int(pcm[0]), -int(pcm[0])))
		}
		all[c.Name()] = &t
	}
	return all
})

// sounds tells whether a payload is louder than silence, by every seventh of its samples.
func sounds(payload []byte, level *[256]uint16) bool {
	sum, n := 0, 0
	for i := 0; i < len(payload); i += shortStride + longStride {
		sum += int(level[payload[i]])
		n++
		if i+shortStride < len(payload) {
			sum += int(level[payload[i+shortStride]])
			n++
		}
	}
	return sum >= voiceLevel*n && n > 0
}

// listenTo adds a payload to the time in which the peer was heard to make a sound. What
// cannot be measured without decoding counts as sound.
func (s *session) listenTo(f *receiveFormat, payload []byte) {
	switch {
	case f.level == nil:
		s.voice += media.FrameDuration * time.Duration(max(1, int(s.n.Ptime/media.FrameDuration)))
	case sounds(payload, f.level):
		s.voice += time.Duration(len(payload)) * time.Second / time.Duration(f.codec.ClockRate())
	}
}
