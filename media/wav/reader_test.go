package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zaf/g711"
)

// file builds a WAV file by hand.
type file struct {
	riff     string // the id, "" is RIFF
	riffSize int64  // -1: right
	tag      uint16
	sub      uint16 // the tag in an extensible format
	channels int
	rate     int
	bits     int
	align    int    // 0: right
	before   []byte // chunks before data
	data     []byte
	dataSize int64 // -1: right
	after    []byte
}

func pcm16(samples ...int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func plain(samples ...int16) file {
	return file{riffSize: -1, dataSize: -1, tag: 1, channels: 1, rate: 8000, bits: 16, data: pcm16(samples...)}
}

func (f file) bytes() []byte {
	le := binary.LittleEndian
	var b []byte
	if f.riff == "" {
		f.riff = "RIFF"
	}
	b = append(b, f.riff+"\x00\x00\x00\x00WAVE"...)
	size := uint32(16)
	if f.tag == tagExtensible {
		size = 40
	}
	if f.align == 0 {
		f.align = f.channels * (f.bits + 7) / 8
	}
	b = append(b, "fmt "...)
	b = le.AppendUint32(b, size)
	b = le.AppendUint16(b, f.tag)
	b = le.AppendUint16(b, uint16(f.channels))
	b = le.AppendUint32(b, uint32(f.rate))
	b = le.AppendUint32(b, uint32(f.rate*f.align))
	b = le.AppendUint16(b, uint16(f.align))
	b = le.AppendUint16(b, uint16(f.bits))
	if f.tag == tagExtensible {
		b = le.AppendUint16(b, 22)
		b = le.AppendUint16(b, uint16(f.bits))
		b = le.AppendUint32(b, 0)
		b = le.AppendUint16(b, f.sub)
		b = append(b, subFormat...)
	}
	b = append(b, f.before...)
	if f.dataSize < 0 {
		f.dataSize = int64(len(f.data))
	}
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(f.dataSize))
	b = append(append(b, f.data...), f.after...)
	if f.riffSize < 0 {
		f.riffSize = int64(len(b) - 8)
	}
	le.PutUint32(b[4:], uint32(f.riffSize))
	return b
}

func TestFormatsAreDecoded(t *testing.T) {
	le := binary.LittleEndian
	float32s := func(v ...float32) (b []byte) {
		for _, f := range v {
			b = le.AppendUint32(b, math.Float32bits(f))
		}
		return b
	}
	float64s := func(v ...float64) (b []byte) {
		for _, f := range v {
			b = le.AppendUint64(b, math.Float64bits(f))
		}
		return b
	}
	base := plain()
	with := func(change func(*file)) file { f := base; change(&f); return f }
	for name, c := range map[string]struct {
		file file
		want []int16
	}{
		"16 bit":           {plain(0, 1, -1, 32767, -32768), []int16{0, 1, -1, 32767, -32768}},
		"8 bit":            {with(func(f *file) { f.bits, f.data = 8, []byte{0, 127, 128, 255} }), []int16{-32768, -256, 0, 32512}},
		"24 bit":           {with(func(f *file) { f.bits, f.data = 24, []byte{0, 1, 0, 0x80, 0, 0, 0xff, 0xff, 0x7f, 0, 0, 0x80} }), []int16{1, 1, 32767, -32768}},
		"24 bit in 32":     {with(func(f *file) { f.bits, f.align, f.data = 24, 4, []byte{0, 0, 1, 0, 0, 0, 0xff, 0xff} }), []int16{1, -1}},
		"12 bit in 16":     {with(func(f *file) { f.bits, f.align, f.data = 12, 2, pcm16(16, -16) }), []int16{16, -16}},
		"32 bit":           {with(func(f *file) { f.bits, f.data = 32, []byte{0, 0, 1, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0x80} }), []int16{1, 32767, -32768}},
		"float 32":         {with(func(f *file) { f.tag, f.bits, f.data = 3, 32, float32s(0, 0.5, -1, 7, float32(math.NaN())) }), []int16{0, 16384, -32768, 32767, 0}},
		"float 64":         {with(func(f *file) { f.tag, f.bits, f.data = 3, 64, float64s(0.25, math.Inf(-1)) }), []int16{8192, -32768}},
		"A-law":            {with(func(f *file) { f.tag, f.bits, f.data = 6, 8, []byte{0, 0xd5, 0xff} }), []int16{g711.DecodeAlawFrame(0), g711.DecodeAlawFrame(0xd5), g711.DecodeAlawFrame(0xff)}},
		"mu-law":           {with(func(f *file) { f.tag, f.bits, f.data = 7, 8, []byte{0, 0x7f, 0xff} }), []int16{g711.DecodeUlawFrame(0), g711.DecodeUlawFrame(0x7f), g711.DecodeUlawFrame(0xff)}},
		"extensible PCM":   {with(func(f *file) { f.tag, f.sub, f.data = tagExtensible, 1, pcm16(5, 6) }), []int16{5, 6}},
		"extensible float": {with(func(f *file) { f.tag, f.sub, f.bits, f.data = tagExtensible, 3, 32, float32s(0.5) }), []int16{16384}},
		"stereo":           {with(func(f *file) { f.channels, f.data = 2, pcm16(100, 200, -100, -300, 32767, 32767) }), []int16{150, -200, 32767}},
		"eight channels":   {with(func(f *file) { f.channels, f.data = 8, pcm16(8, 8, 8, 8, 0, 0, 0, 0) }), []int16{4}},
		"LIST before":      {with(func(f *file) { f.data, f.before = pcm16(7), []byte("LIST\x04\x00\x00\x00INFO") }), []int16{7}},
		"odd chunk":        {with(func(f *file) { f.data, f.before = pcm16(7), []byte("odd \x03\x00\x00\x00abc\x00") }), []int16{7}},
		"odd, unpadded":    {with(func(f *file) { f.data, f.before = pcm16(7), []byte("odd \x03\x00\x00\x00abc") }), []int16{7}},
		"LIST after":       {with(func(f *file) { f.data, f.after = pcm16(7), []byte("LIST\x04\x00\x00\x00INFO") }), []int16{7}},
		"junk after":       {with(func(f *file) { f.data, f.after = pcm16(7), []byte("\x01junk") }), []int16{7}},
		"broken off":       {with(func(f *file) { f.data, f.dataSize = pcm16(7, 8), 1000 }), []int16{7, 8}},
		"broken sample":    {with(func(f *file) { f.data, f.dataSize = append(pcm16(7, 8), 1), 1000 }), []int16{7, 8}},
		"pipe of ffmpeg":   {with(func(f *file) { f.data, f.riffSize, f.dataSize = pcm16(7, 8), 0xffffffff, 0xffffffff }), []int16{7, 8}},
		"pipe of sox":      {with(func(f *file) { f.data, f.riffSize, f.dataSize = pcm16(7, 8), 0x7ffff024, 0x7ffff000 }), []int16{7, 8}},
		"never finished":   {with(func(f *file) { f.data, f.riffSize, f.dataSize = pcm16(7, 8), 36, 0 }), []int16{7, 8}},
		"sizes of 0":       {with(func(f *file) { f.data, f.riffSize, f.dataSize = pcm16(7, 8), 0, 0 }), []int16{7, 8}},
		"empty":            {plain(), nil},
		"empty, LIST":      {with(func(f *file) { f.after = []byte("LIST\x04\x00\x00\x00INFO") }), nil},
		"RF64": {with(func(f *file) {
			f.riff, f.riffSize, f.dataSize, f.data, f.after = "RF64", 0xffffffff, 0xffffffff, pcm16(7, 8), []byte("LIST\x00\x00\x00\x00")
			f.before = append([]byte("ds64\x1c\x00\x00\x00"), make([]byte, 28)...)
			f.before[16] = 4 // the size of data
		}), []int16{7, 8}},
	} {
		for reading, r := range map[string]io.Reader{"at once": bytes.NewReader(c.file.bytes()), "by bytes": iotest.OneByteReader(bytes.NewReader(c.file.bytes()))} {
			clip, err := Decode(r, Limits{})
			if err != nil {
				t.Errorf("%s %s: %v", name, reading, err)
				continue
			}
			if got := clip.PCM(); len(got) != len(c.want) || len(got) > 0 && !equal(got, c.want) {
				t.Errorf("%s %s: %v, want %v", name, reading, got, c.want)
			}
			if clip.Rate() != 8000 {
				t.Errorf("%s: rate %d", name, clip.Rate())
			}
		}
	}
}

func equal(a, b []int16) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestRatesAreKept(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000} {
		f := plain(make([]int16, rate/10)...)
		f.rate = rate
		clip, err := Decode(bytes.NewReader(f.bytes()), Limits{})
		if err != nil || clip.Rate() != rate || clip.Duration() < 99*time.Millisecond || clip.Duration() > 100*time.Millisecond {
			t.Errorf("%d Hz: %v, %v", rate, clip, err)
		}
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	with := func(change func(*file)) []byte { f := plain(1, 2); change(&f); return f.bytes() }
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"nothing":         {nil, "wav: the file ends in its header: RIFF header: unexpected EOF"},
		"text":            {[]byte("<!DOCTYPE html>"), `wav: not a WAV file: it begins with "<!DO"`},
		"AVI":             {[]byte("RIFF\x00\x00\x00\x00AVI "), `wav: not a WAV file: a RIFF file of type "AVI "`},
		"big endian":      {with(func(f *file) { f.riff = "RIFX" }), "wav: big-endian RIFX is not supported"},
		"MP3":             {with(func(f *file) { f.tag = 0x55 }), "wav: format 0x55 (MP3) is not supported"},
		"unknown":         {with(func(f *file) { f.tag = 0x1234 }), "wav: format 0x1234 (unknown) is not supported"},
		"channels 0":      {with(func(f *file) { f.channels = 0 }), "wav: 0 channels are not supported"},
		"channels 9":      {with(func(f *file) { f.channels = 9 }), "wav: 9 channels are not supported"},
		"rate 0":          {with(func(f *file) { f.rate = 0 }), "wav: sample rate 0 Hz is not supported"},
		"bits 0":          {with(func(f *file) { f.bits = 0 }), "wav: format 0x1 with 0 bits is not supported"},
		"bits 64":         {with(func(f *file) { f.bits = 64 }), "wav: format 0x1 with 64 bits is not supported"},
		"half float":      {with(func(f *file) { f.tag = 3 }), "wav: format 0x3 with 16 bits is not supported"},
		"no fmt":          {[]byte("RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00\x00\x00"), "wav: the data chunk comes before a fmt chunk"},
		"short fmt":       {[]byte("RIFF\x00\x00\x00\x00WAVEfmt \x02\x00\x00\x00\x00\x00"), "wav: read fmt chunk: 2 bytes are too few"},
		"ends in fmt":     {plain(1).bytes()[:30], "wav: the file ends in its header: fmt chunk: unexpected EOF"},
		"no data":         {plain(1).bytes()[:36], "wav: the file ends in its header: chunk: unexpected EOF"},
		"ends in a chunk": {with(func(f *file) { f.before, f.data = []byte("LIST\xff\x00\x00\x00ab"), nil }), `wav: the file ends in its header: chunk "LIST" after 10 bytes: unexpected EOF`},
		"odd subformat":   {bytes.Replace(with(func(f *file) { f.tag = tagExtensible }), subFormat, make([]byte, 14), 1), "wav: the fmt chunk has an unknown extended format"},
	} {
		if _, err := Decode(bytes.NewReader(c.body), Limits{}); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	broken := errors.New("disk is gone")
	r := io.MultiReader(bytes.NewReader(plain(1, 2).bytes()[:46]), iotest.ErrReader(broken))
	if _, err := Decode(r, Limits{}); !errors.Is(err, broken) {
		t.Errorf("a failing disk: %v", err)
	}
}

func TestLimits(t *testing.T) {
	second := plain(make([]int16, 8000)...)
	for name, c := range map[string]struct {
		l    Limits
		long bool
	}{
		"exactly as long":  {Limits{Duration: time.Second}, false},
		"one sample more":  {Limits{Duration: time.Second - 125*time.Microsecond}, true},
		"exactly as large": {Limits{Bytes: 16044}, false},
		"one byte more":    {Limits{Bytes: 16043}, true},
	} {
		_, err := Decode(bytes.NewReader(second.bytes()), c.l)
		if errors.Is(err, ErrTooLong) != c.long || !c.long && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A header that claims much must not make us reserve much.
	f := plain(1)
	f.dataSize, f.riffSize = 0x7ffeffff, 0x7fffffff
	if _, err := Decode(bytes.NewReader(f.bytes()), Limits{}); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(plain(1, 2, 3).bytes())
	ext := plain(1, 2, 3)
	ext.tag, ext.sub, ext.channels, ext.before = tagExtensible, 3, 2, []byte("odd \x03\x00\x00\x00abc\x00")
	ext.bits = 32
	f.Add(ext.bytes())
	rf := plain(1, 2)
	rf.riff, rf.dataSize, rf.before = "RF64", 0xffffffff, append([]byte("ds64\x1c\x00\x00\x00"), make([]byte, 28)...)
	f.Add(rf.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		clip, err := Decode(bytes.NewReader(b), Limits{Bytes: 1 << 20, Duration: time.Second})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "wav: ") {
				t.Fatalf("an error of another package: %v", err)
			}
			return
		}
		if len(clip.PCM()) > len(b) || clip.Duration() > time.Second {
			t.Fatalf("%d samples of %d bytes", len(clip.PCM()), len(b))
		}
	})
}
