package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

const (
	headerSize = 44
	// maxData keeps the file below the 4 GiB that its header can express.
	maxData = math.MaxUint32 - headerSize - 1
)

// ErrClosed says that a Writer was closed.
var ErrClosed = errors.New("wav: writer is closed")

// Writer writes 16-bit PCM. The file is valid at every moment: samples are written
// behind what the header claims, and the header is then replaced by one write, at
// each quarter of a second of sound. A process that is killed loses no more than that.
// One goroutine at a time may use it.
type Writer struct {
	f       io.WriteSeeker
	at      io.WriterAt // f, where it has that: then nothing seeks
	close   func() error
	format  Format
	data    int64 // bytes of samples written
	claimed int64 // of these, what the header on disk says
	err     error // the first failure, or ErrClosed
	buf     []byte
	head    [headerSize]byte
}

// NewWriter writes the header of an empty file to f, which must be empty and at its start. Close
// does not close f. A file opened with os.O_APPEND does not do.
func NewWriter(f io.WriteSeeker, format Format) (*Writer, error) {
	if format.Bits == 0 {
		format.Bits = 16
	}
	switch {
	case format.Bits != 16:
		return nil, fmt.Errorf("wav: writing %d bits is not supported", format.Bits)
	case format.Channels < 1 || format.Channels > maxChannels:
		return nil, fmt.Errorf("wav: writing %d channels is not supported", format.Channels)
	case format.Rate < minRate || format.Rate > maxRate:
		return nil, fmt.Errorf("wav: writing %d Hz is not supported", format.Rate)
	}
	w := &Writer{f: f, format: format}
	w.at, _ = f.(io.WriterAt)
	if _, err := f.Write(w.header()); err != nil {
		return nil, fmt.Errorf("wav: write header: %w", err)
	}
	return w, nil
}

// Create makes the file name, which must not exist, and a Writer of it whose Close also
// syncs and closes the file.
func Create(name string, format Format) (*Writer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, fmt.Errorf("wav: create: %w", err)
	}
	w, err := NewWriter(f, format)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	w.close = func() error { return errors.Join(f.Sync(), f.Close()) }
	return w, nil
}

// Write appends samples, interleaved where there are several channels, whose number must
// divide that of pcm. After an error nothing more is written, and the file is valid up to there.
func (w *Writer) Write(pcm []int16) error {
	switch {
	case w.err != nil:
		return w.err
	case len(pcm)%w.format.Channels != 0:
		return fmt.Errorf("wav: write: %d samples are no multiple of %d channels", len(pcm), w.format.Channels)
	case w.data+int64(2*len(pcm)) > maxData:
		w.err = fmt.Errorf("wav: write: %w: a WAV file ends at 4 GiB", ErrTooLong)
		return w.err
	}
	if cap(w.buf) < 2*len(pcm) {
		w.buf = make([]byte, 2*len(pcm))
	}
	b := w.buf[:2*len(pcm)]
	for i, s := range pcm {
		binary.LittleEndian.PutUint16(b[2*i:2*i+2], uint16(s))
	}
	if _, err := w.f.Write(b); err != nil {
		// What was written of b is behind the end that the header claims.
		w.err = fmt.Errorf("wav: write: %w", err)
		return w.err
	}
	w.data += int64(len(b))
	if w.claimed == 0 || w.data-w.claimed >= int64(w.format.Rate*w.format.Channels*2/4) {
		return w.Flush()
	}
	return nil
}

// Flush makes the header claim all that was written.
func (w *Writer) Flush() error {
	if w.err != nil || w.claimed == w.data {
		return w.err
	}
	if err := w.writeHeader(w.header()); err != nil {
		w.err = fmt.Errorf("wav: write header: %w", err)
		return w.err
	}
	w.claimed = w.data
	return nil
}

// Close flushes, and closes what Create opened. Later calls do nothing.
func (w *Writer) Close() error {
	if w.err == ErrClosed {
		return nil
	}
	err := w.Flush()
	if w.close != nil {
		if cerr := w.close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("wav: close: %w", cerr))
		}
	}
	w.err = ErrClosed
	return err
}

// Size is the length of the file in bytes.
func (w *Writer) Size() int64 { return headerSize + w.data }

// writeHeader replaces the header by a single write, which cannot be seen half done.
func (w *Writer) writeHeader(h []byte) error {
	if w.at != nil {
		_, err := w.at.WriteAt(h, 0)
		return err
	}
	if _, err := w.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.f.Write(h); err != nil {
		return err
	}
	_, err := w.f.Seek(headerSize+w.data, io.SeekStart)
	return err
}

func (w *Writer) header() []byte {
	le := binary.LittleEndian
	h := w.head[:]
	block := w.format.Channels * 2
	copy(h[0:], "RIFF")
	le.PutUint32(h[4:], uint32(headerSize-8+w.data))
	copy(h[8:], "WAVEfmt ")
	le.PutUint32(h[16:], 16)
	le.PutUint16(h[20:], tagPCM)
	le.PutUint16(h[22:], uint16(w.format.Channels))
	le.PutUint32(h[24:], uint32(w.format.Rate))
	le.PutUint32(h[28:], uint32(w.format.Rate*block))
	le.PutUint16(h[32:], uint16(block))
	le.PutUint16(h[34:], 16)
	copy(h[36:], "data")
	le.PutUint32(h[40:], uint32(w.data))
	return h
}
