package codec

import (
	"errors"
	"strings"
)

// ErrShortBuffer says that dst cannot hold what Encode or Decode was to write.
// Nothing was written.
var ErrShortBuffer = errors.New("codec: destination is too short for the frame")

// ByName finds a codec of this package by its name in SDP, in any case (RFC 4855 3).
func ByName(name string) (Codec, bool) {
	for _, c := range [...]Codec{PCMU, PCMA} {
		if strings.EqualFold(c.Name(), name) {
			return c, true
		}
	}
	return nil, false
}

// Codec is one payload format. Values are shared and safe for concurrent use;
// the state of a stream lives in the Encoder and Decoder made from it.
type Codec interface {
	Name() string       // as in SDP rtpmap: "PCMU", "PCMA"
	PayloadType() uint8 // the static type of RFC 3551 table 4, or 0xff where it is dynamic
	ClockRate() int     // of RTP timestamps, in Hz; differs from SampleRate for G.722 (RFC 3551 4.5.2)
	SampleRate() int    // of the PCM, in Hz
	NewEncoder() Encoder
	NewDecoder() Decoder
}

// Stateless tells whether a payload of c depends on its samples only, not on those before them. A
// codec says so by a method Stateless() bool.
func Stateless(c Codec) bool {
	s, ok := c.(interface{ Stateless() bool })
	return ok && s.Stateless()
}

// Encoder makes payloads. Encode writes to dst the payload of pcm and returns
// its length; it neither allocates nor keeps its arguments.
type Encoder interface {
	Encode(dst []byte, pcm []int16) (n int, err error)
}

// Decoder reads payloads. Decode writes to dst the samples of payload and
// returns their number. Conceal fills dst in place of a lost frame (packet loss
// concealment); successive calls fade to silence. Neither allocates.
type Decoder interface {
	Decode(dst []int16, payload []byte) (n int, err error)
	Conceal(dst []int16) (n int)
}
