package wav

import (
	"encoding/binary"

	"github.com/callbin/callbin/media"
)

// Encode returns clip as a file of 16-bit PCM, in memory.
func Encode(clip *media.Clip) []byte {
	pcm := clip.PCM()
	le := binary.LittleEndian
	b := make([]byte, 0, headerSize+2*len(pcm))
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(headerSize-8+2*len(pcm)))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, tagPCM)
	b = le.AppendUint16(b, 1) // channel
	b = le.AppendUint32(b, uint32(clip.Rate()))
	b = le.AppendUint32(b, uint32(2*clip.Rate()))
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(2*len(pcm)))
	for _, s := range pcm {
		b = le.AppendUint16(b, uint16(s))
	}
	return b
}
