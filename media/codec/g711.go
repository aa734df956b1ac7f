package codec

import "github.com/zaf/g711"

// PCMU and PCMA are G.711 mu-law and A-law: 8000 Hz, a byte a sample, static
// payload types 0 and 8 (RFC 3551 4.5.14).
var (
	PCMU Codec = &law{name: "PCMU", payloadType: 0, newEncoder: func() Encoder { return ulawEncoder{} }, decode: &ulawToLinear}
	PCMA Codec = &law{name: "PCMA", payloadType: 8, newEncoder: func() Encoder { return alawEncoder{} }, decode: &alawToLinear}
)

// The tables are filled from the reference functions once. Mu-law looks at the
// upper 14 bits of a sample and A-law at the upper 12, so that smaller tables than
// 64 Ki entries give the same bytes and stay in the first-level cache.
var (
	linearToULaw = func() (t [1 << 14]byte) {
		for i := range t {
			t[i] = g711.EncodeUlawFrame(int16(uint16(i << 2)))
		}
		return t
	}()
	linearToALaw = func() (t [1 << 12]byte) {
		for i := range t {
			t[i] = g711.EncodeAlawFrame(int16(uint16(i << 4)))
		}
		return t
	}()
	ulawToLinear = byteTable(g711.DecodeUlawFrame)
	alawToLinear = byteTable(g711.DecodeAlawFrame)
	ulawToALaw   = byteTable(g711.Ulaw2AlawFrame)
	alawToULaw   = byteTable(g711.Alaw2UlawFrame)
)

func byteTable[T byte | int16](f func(byte) T) (t [256]T) {
	for i := range t {
		t[i] = f(byte(i))
	}
	return t
}

// Table returns the table that turns each byte of a payload of from into one of
// to, where such a table exists: between PCMU and PCMA. It must not be written to.
// Going through it equals decoding and encoding again (G.711 table 3 and 4).
func Table(from, to Codec) (t *[256]byte, ok bool) {
	switch {
	case from == PCMU && to == PCMA:
		return &ulawToALaw, true
	case from == PCMA && to == PCMU:
		return &alawToULaw, true
	}
	return nil, false
}

// Translate writes src to dst byte by byte through t, which Table returned, and
// returns the number of bytes: the shorter length. dst may be src.
func Translate(dst, src []byte, t *[256]byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	for i, b := range src {
		dst[i] = t[b]
	}
	return n
}

// law is one of the two laws of G.711.
type law struct {
	name        string
	payloadType uint8
	newEncoder  func() Encoder
	decode      *[256]int16
}

func (l *law) Name() string        { return l.name }
func (l *law) PayloadType() uint8  { return l.payloadType }
func (l *law) ClockRate() int      { return 8000 }
func (l *law) SampleRate() int     { return 8000 }
func (l *law) NewEncoder() Encoder { return l.newEncoder() }
func (l *law) Stateless() bool     { return true }
func (l *law) NewDecoder() Decoder { return &lawDecoder{table: l.decode} }

type ulawEncoder struct{}

func (ulawEncoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(dst) < len(pcm) {
		return 0, ErrShortBuffer
	}
	dst = dst[:len(pcm)]
	for i, s := range pcm {
		dst[i] = linearToULaw[uint16(s)>>2]
	}
	return len(pcm), nil
}

type alawEncoder struct{}

func (alawEncoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(dst) < len(pcm) {
		return 0, ErrShortBuffer
	}
	dst = dst[:len(pcm)]
	for i, s := range pcm {
		dst[i] = linearToALaw[uint16(s)>>4]
	}
	return len(pcm), nil
}

type lawDecoder struct {
	table *[256]int16
	plc   concealer
}

func (d *lawDecoder) Decode(dst []int16, payload []byte) (int, error) {
	if len(dst) < len(payload) {
		return 0, ErrShortBuffer
	}
	dst = dst[:len(payload)]
	t := d.table
	for i, b := range payload {
		dst[i] = t[b]
	}
	d.plc.good(dst)
	return len(dst), nil
}

func (d *lawDecoder) Conceal(dst []int16) int {
	d.plc.conceal(dst)
	return len(dst)
}
