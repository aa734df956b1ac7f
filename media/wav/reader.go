package wav

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/zaf/g711"

	"github.com/callbin/callbin/media"
)

// ErrTooLong says that a file is beyond Limits.
var ErrTooLong = errors.New("wav: file is too long")

// Limits of what is read. Zero fields are the defaults.
type Limits struct {
	Duration time.Duration // of the sound; 0: 1 hour
	Bytes    int64         // of the file; 0: 512 MiB
}

// Format of a file.
type Format struct {
	Rate     int // in Hz
	Channels int
	Bits     int // of a sample; 0 in a Writer: 16
}

// Encodings of fmt chunks (RFC 2361).
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagULaw       = 7
	tagExtensible = 0xfffe
)

var tagNames = map[uint16]string{
	2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 06.10", 0x40: "G.721", 0x45: "G.726",
	0x50: "MPEG", 0x55: "MP3", 0x61: "DUCK", 0xff: "AAC", 0x161: "WMA", 0x674f: "Vorbis",
}

const (
	maxChannels = 8
	minRate     = 4000
	maxRate     = 192000
	// pipeSize and more stands in headers of writers that could not seek back; they
	// differ in how far below 2 or 4 GiB they stay. 2 GiB of sound is beyond our limits anyway.
	pipeSize = 0x7fff0000
)

// Reader reads a file's sound as 16-bit mono at the file's rate; channels are averaged.
// It blocks as its io.Reader does, and is therefore no media.Source; a media.Queue joins the two.
type Reader struct {
	format  Format
	r       *bufio.Reader
	sample  func([]byte) int // decodes one sample
	width   int              // bytes of a sample
	left    int64            // bytes of the data chunk, math.MaxInt64 where the end of file ends it
	samples int64            // that may still be read, by Limits.Duration
	limit   time.Duration
	block   []byte
}

// NewReader reads the header. Its errors say what is wrong with the file.
func NewReader(r io.Reader, l Limits) (*Reader, error) {
	if l.Duration <= 0 {
		l.Duration = time.Hour
	}
	if l.Bytes <= 0 {
		l.Bytes = 512 << 20
	}
	d := &Reader{r: bufio.NewReader(&limitedReader{r: r, left: l.Bytes}), limit: l.Duration}
	if err := d.header(); err != nil {
		return nil, err
	}
	d.samples = int64(l.Duration.Seconds() * float64(d.format.Rate))
	d.block = make([]byte, d.width*d.format.Channels*256)
	return d, nil
}

// Format is the file's.
func (d *Reader) Format() Format { return d.format }

// Read fills pcm and returns how many samples it read; the end is io.EOF. A file that
// breaks off is read as far as it goes.
func (d *Reader) Read(pcm []int16) (n int, err error) {
	block := d.width * d.format.Channels
	for n < len(pcm) {
		want := min(int64(len(pcm)-n), int64(len(d.block)/block), d.left/int64(block))
		if want == 0 {
			return n, eof(n)
		}
		k, err := io.ReadFull(d.r, d.block[:want*int64(block)])
		if d.left != math.MaxInt64 {
			d.left -= int64(k)
		}
		for b := d.block[:k-k%block]; len(b) > 0; b = b[block:] {
			if d.samples == 0 {
				return n, fmt.Errorf("%w: more than %v of sound", ErrTooLong, d.limit)
			}
			d.samples--
			sum := 0
			for c := range d.format.Channels {
				sum += d.sample(b[c*d.width : (c+1)*d.width])
			}
			pcm[n] = int16(sum / d.format.Channels)
			n++
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			d.left = 0
		case err != nil:
			return n, fmt.Errorf("wav: read: %w", err)
		}
	}
	return n, nil
}

func eof(n int) error {
	if n > 0 {
		return nil
	}
	return io.EOF
}

// Decode reads a whole file. An error of NewReader or Read is returned as it is.
func Decode(r io.Reader, l Limits) (*media.Clip, error) {
	d, err := NewReader(r, l)
	if err != nil {
		return nil, err
	}
	var pcm []int16
	buf := make([]int16, 4096)
	for {
		n, err := d.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if err == io.EOF {
			return media.NewClip(d.format.Rate, pcm), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// header reads up to the first sample.
func (d *Reader) header() error {
	var h [12]byte
	if _, err := io.ReadFull(d.r, h[:]); err != nil {
		return headerError("RIFF header", err)
	}
	switch id := string(h[:4]); {
	case id == "RIFX":
		return errors.New("wav: big-endian RIFX is not supported")
	case id != "RIFF" && id != "RF64":
		return fmt.Errorf("wav: not a WAV file: it begins with %q", h[:4])
	case string(h[8:]) != "WAVE":
		return fmt.Errorf("wav: not a WAV file: a RIFF file of type %q", h[8:])
	}
	riff := int64(binary.LittleEndian.Uint32(h[4:]))
	at := int64(12)
	long := int64(-1) // the size of data in a file of more than 4 GiB
	for {
		var c [8]byte
		if _, err := io.ReadFull(d.r, c[:]); err != nil {
			return headerError("chunk", err)
		}
		at += 8
		size := int64(binary.LittleEndian.Uint32(c[4:]))
		switch string(c[:4]) {
		case "fmt ":
			if err := d.formatChunk(size); err != nil {
				return err
			}
		case "ds64":
			b, err := d.chunk(size, 24)
			if err != nil {
				return headerError("ds64 chunk", err)
			}
			if v := binary.LittleEndian.Uint64(b[8:]); v < math.MaxInt64 {
				long = int64(v)
			}
		case "data":
			if d.sample == nil {
				return errors.New("wav: the data chunk comes before a fmt chunk")
			}
			d.left = size
			switch {
			case size == 0xffffffff && long >= 0:
				d.left = long
			case size >= pipeSize:
				d.left = math.MaxInt64
			case size == 0 && riff+8 <= at:
				// The header says that the file ends here: its writer did not live to
				// finish it. With something behind the chunk it really is empty.
				d.left = math.MaxInt64
			}
			return nil
		default:
			if n, err := io.CopyN(io.Discard, d.r, size); err != nil {
				return headerError(fmt.Sprintf("chunk %q after %d bytes", c[:4], n), err)
			}
		}
		at += size
		if size%2 == 1 {
			// There is a byte of padding, which some writers forget.
			if b, err := d.r.Peek(1); err == nil && b[0] == 0 {
				d.r.Discard(1)
				at++
			}
		}
	}
}

// chunk reads a chunk of at least so many bytes, of which it keeps no more than 64.
func (d *Reader) chunk(size int64, least int) ([]byte, error) {
	if size < int64(least) {
		return nil, fmt.Errorf("%d bytes are too few", size)
	}
	b := make([]byte, min(size, 64))
	if _, err := io.ReadFull(d.r, b); err != nil {
		return nil, err
	}
	_, err := io.CopyN(io.Discard, d.r, size-int64(len(b)))
	return b, err
}

// The last 14 bytes of the sub-format of WAVE_FORMAT_EXTENSIBLE; the first two are a tag.
var subFormat = []byte("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71")

func (d *Reader) formatChunk(size int64) error {
	b, err := d.chunk(size, 16)
	if err != nil {
		return headerError("fmt chunk", err)
	}
	le := binary.LittleEndian
	tag, align, bits := le.Uint16(b), int(le.Uint16(b[12:])), int(le.Uint16(b[14:]))
	channels, rate := int(le.Uint16(b[2:])), le.Uint32(b[4:])
	if tag == tagExtensible {
		if len(b) < 40 || !bytes.Equal(b[26:40], subFormat) {
			return errors.New("wav: the fmt chunk has an unknown extended format")
		}
		tag = le.Uint16(b[24:])
	}
	switch {
	case channels < 1 || channels > maxChannels:
		return fmt.Errorf("wav: %d channels are not supported", channels)
	case rate < minRate || rate > maxRate:
		return fmt.Errorf("wav: sample rate %d Hz is not supported", rate)
	}
	// The room of a sample can be larger than its bits: 24 of 32, 12 of 16.
	d.width = (bits + 7) / 8
	if align%channels == 0 && align/channels > d.width {
		d.width = align / channels
	}
	d.format = Format{Rate: int(rate), Channels: channels, Bits: bits}
	switch {
	case tag == tagPCM && d.width >= 1 && d.width <= 4 && bits > 0:
		d.sample = pcmDecoder(d.width)
	case tag == tagFloat && d.width == 4:
		d.sample = func(b []byte) int { return fromFloat(float64(math.Float32frombits(le.Uint32(b)))) }
	case tag == tagFloat && d.width == 8:
		d.sample = func(b []byte) int { return fromFloat(math.Float64frombits(le.Uint64(b))) }
	case tag == tagALaw && d.width == 1:
		d.sample = func(b []byte) int { return int(g711.DecodeAlawFrame(b[0])) }
	case tag == tagULaw && d.width == 1:
		d.sample = func(b []byte) int { return int(g711.DecodeUlawFrame(b[0])) }
	case tag == tagPCM || tag == tagFloat || tag == tagALaw || tag == tagULaw:
		return fmt.Errorf("wav: format 0x%x with %d bits is not supported", tag, bits)
	default:
		name := tagNames[tag]
		if name == "" {
			name = "unknown"
		}
		return fmt.Errorf("wav: format 0x%x (%s) is not supported", tag, name)
	}
	return nil
}

// pcmDecoder decodes samples of so many bytes; what is below 16 bits is rounded off.
func pcmDecoder(width int) func([]byte) int {
	le := binary.LittleEndian
	switch width {
	case 1:
		return func(b []byte) int { return (int(b[0]) - 128) << 8 }
	case 2:
		return func(b []byte) int { return int(int16(le.Uint16(b))) }
	case 3:
		return func(b []byte) int { return round16(int(int8(b[2]))<<16|int(b[1])<<8|int(b[0]), 8) }
	}
	return func(b []byte) int { return round16(int(int32(le.Uint32(b))), 16) }
}

func round16(v, shift int) int { return min(32767, (v+1<<(shift-1))>>shift) }

func fromFloat(f float64) int {
	if math.IsNaN(f) {
		return 0
	}
	return int(math.Round(max(-32768, min(32767, f*32768))))
}

func headerError(what string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("wav: the file ends in its header: %s: %w", what, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("wav: read %s: %w", what, err)
}

// limitedReader fails where io.LimitedReader would pretend that the file ends.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	if l.left <= 0 {
		// Only what comes behind the limit makes the file too long.
		var one [1]byte
		n, err := io.ReadFull(l.r, one[:])
		if n > 0 {
			return 0, fmt.Errorf("%w: more bytes than the limit", ErrTooLong)
		}
		return 0, err
	}
	n, err := l.r.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}
