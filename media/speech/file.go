package speech

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/zaf/g711"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// A file of the cache is a WAV file that any player plays: mu-law at 8000 Hz, else
// 16-bit PCM, followed by a chunk "cbCR" with the CRC-32 (IEEE) of the samples.
const (
	telephoneRate = 8000
	formatPCM     = 1
	formatMuLaw   = 7
	crcChunk      = "cbCR"
	headerLen     = 12 + 8 + 18 + 8
)

var errCorrupt = errors.New("file is corrupt")

func encodeFile(c *media.Clip) []byte {
	linear := make([]byte, 0, 2*len(c.PCM()))
	for _, s := range c.PCM() {
		linear = binary.LittleEndian.AppendUint16(linear, uint16(s))
	}
	data, format, width := linear, uint16(formatPCM), 2
	if c.Rate() == telephoneRate {
		data, format, width = g711.EncodeUlaw(linear), formatMuLaw, 1
	}
	pad := len(data) & 1
	le := binary.LittleEndian
	b := make([]byte, 0, headerLen+len(data)+pad+12)
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(headerLen-8+len(data)+pad+12))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 18)
	b = le.AppendUint16(b, format)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, uint32(c.Rate()))
	b = le.AppendUint32(b, uint32(c.Rate()*width))
	b = le.AppendUint16(b, uint16(width))
	b = le.AppendUint16(b, uint16(8*width))
	b = le.AppendUint16(b, 0)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	b = append(b, make([]byte, pad)...)
	b = append(b, crcChunk...)
	b = le.AppendUint32(b, 4)
	return le.AppendUint32(b, crc32.ChecksumIEEE(data))
}

// decodeFile reads what encodeFile wrote, and no file that was cut short or changed.
func decodeFile(b []byte) (*media.Clip, error) {
	le := binary.LittleEndian
	if len(b) < headerLen+12 || string(b[:4]) != "RIFF" || int64(le.Uint32(b[4:]))+8 != int64(len(b)) || string(b[headerLen-8:headerLen-4]) != "data" {
		return nil, errCorrupt
	}
	n := int64(le.Uint32(b[headerLen-4:]))
	tail := b[len(b)-12:]
	if headerLen+n+n&1+12 != int64(len(b)) || string(tail[:4]) != crcChunk || le.Uint32(tail[8:]) != crc32.ChecksumIEEE(b[headerLen:headerLen+n]) {
		return nil, errCorrupt
	}
	clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if len(clip.PCM()) == 0 {
		return nil, errCorrupt
	}
	return clip, nil
}
