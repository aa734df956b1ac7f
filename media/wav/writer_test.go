package wav

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// memory is a file that calls seen after each change, as a crash could find it.
type memory struct {
	b    []byte
	at   int64
	seen func([]byte)
	fail func(size int64) error // of a write that would make the file so large
}

func (m *memory) Write(p []byte) (int, error) {
	if end := m.at + int64(len(p)); end > int64(len(m.b)) {
		if m.fail != nil {
			if err := m.fail(end); err != nil {
				return 0, err
			}
		}
		m.b = append(m.b, make([]byte, end-int64(len(m.b)))...)
	}
	copy(m.b[m.at:], p)
	m.at += int64(len(p))
	if m.seen != nil {
		m.seen(m.b)
	}
	return len(p), nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, errors.New("not this way")
	}
	m.at = offset
	return offset, nil
}

func ramp(n, from int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(from + i)
	}
	return pcm
}

func TestFileIsValidAtEveryWrite(t *testing.T) {
	states, longest := 0, 0
	m := &memory{}
	m.seen = func(b []byte) {
		states++
		clip, err := Decode(bytes.NewReader(b), Limits{})
		if err != nil {
			t.Fatalf("state %d: %v", states, err)
		}
		// The header claims no more than there is, and what it claims is right.
		claimed := int(binary.LittleEndian.Uint32(b[40:]))
		if claimed > len(b)-headerSize {
			t.Fatalf("state %d: the header claims %d of %d bytes", states, claimed, len(b)-headerSize)
		}
		if riff := int(binary.LittleEndian.Uint32(b[4:])); riff != claimed+headerSize-8 {
			t.Fatalf("state %d: RIFF is %d long, data %d", states, riff, claimed)
		}
		for i, v := range clip.PCM() {
			if v != int16(i) {
				t.Fatalf("state %d: sample %d is %d", states, i, v)
			}
		}
		longest = max(longest, len(clip.PCM()))
	}
	w, err := NewWriter(m, Format{Rate: 8000, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < 8000; at += 160 {
		if err := w.Write(ramp(160, at)); err != nil {
			t.Fatal(err)
		}
		if at > 4000 && longest < at-2000-160 {
			t.Fatalf("after %d samples a crash would leave %d", at, longest)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if states > 50+7 {
		t.Errorf("%d writes for 50 of the caller's: the header is written too often", states)
	}
	if longest != 8000 || w.Size() != 16044 || len(m.b) != 16044 {
		t.Errorf("%d samples, size %d, %d bytes", longest, w.Size(), len(m.b))
	}
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := w.Write(ramp(1, 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

func TestWrittenFormatsAreReadBack(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		for _, channels := range []int{1, 2} {
			name := filepath.Join(t.TempDir(), "x.wav")
			w, err := Create(name, Format{Rate: rate, Channels: channels})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.Write(ramp(rate/2*channels, 0)), w.Close()); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := NewReader(f, Limits{})
			if err != nil || r.Format() != (Format{Rate: rate, Channels: channels, Bits: 16}) {
				t.Errorf("%v, %v", r.Format(), err)
			}
			got := make([]int16, rate)
			if n, err := r.Read(got); n != rate/2 || err != nil {
				t.Errorf("Read = %d, %v", n, err)
			}
			if n, err := r.Read(got); n != 0 || err != io.EOF {
				t.Errorf("Read at the end = %d, %v", n, err)
			}
			if _, err := Create(name, Format{Rate: rate, Channels: channels}); !errors.Is(err, os.ErrExist) {
				t.Errorf("Create over a file: %v", err)
			}
		}
	}
}

func TestFullDiskLeavesAValidFile(t *testing.T) {
	full := errors.New("no space left on device")
	m := &memory{fail: func(size int64) error {
		if size > 6000 {
			return full
		}
		return nil
	}}
	w, err := NewWriter(m, Format{Rate: 8000, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		err = w.Write(ramp(160, 0))
	}
	if !errors.Is(err, full) {
		t.Errorf("Write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close: %v", err)
	}
	if clip, err := Decode(bytes.NewReader(m.b), Limits{}); err != nil || len(clip.PCM()) < 2000 {
		t.Errorf("%v, %v", clip, err)
	}
}

func TestImpossibleFormatsAreRefused(t *testing.T) {
	for format, want := range map[Format]string{
		{Rate: 8000, Channels: 1, Bits: 24}: "wav: writing 24 bits is not supported",
		{Rate: 8000}:                        "wav: writing 0 channels is not supported",
		{Rate: 1, Channels: 1}:              "wav: writing 1 Hz is not supported",
	} {
		if _, err := NewWriter(&memory{}, format); err == nil || err.Error() != want {
			t.Errorf("%v: %v", format, err)
		}
	}
	w, err := NewWriter(&memory{}, Format{Rate: 8000, Channels: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ramp(3, 0)); err == nil || err.Error() != "wav: write: 3 samples are no multiple of 2 channels" {
		t.Errorf("an odd write: %v", err)
	}
}

func TestFourGiBIsTheEnd(t *testing.T) {
	w, err := NewWriter(&memory{}, Format{Rate: 8000, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.data = maxData - 10 // as after three days
	if err := w.Write(ramp(6, 0)); !errors.Is(err, ErrTooLong) {
		t.Errorf("Write: %v", err)
	}
}

const childEnv = "CALLBIN_WAV_CHILD"

// The child process of the test below: it writes until it is killed.
func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	w, err := Create(name, Format{Rate: 8000, Channels: 2})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for at := 0; at < 1<<22; at += 160 {
		if err := w.Write(ramp(320, at)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(at + 160) // how many samples per channel were written
	}
}

func TestFileSurvivesAKilledProcess(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, kill := range []int{1, 13, 100, 777} {
		name := filepath.Join(t.TempDir(), fmt.Sprintf("%d.wav", i))
		child := exec.Command(exe)
		child.Env = append(os.Environ(), childEnv+"="+name)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		written := 0
		lines := bufio.NewScanner(out)
		for n := 0; n < kill && lines.Scan(); n++ {
			if _, err := fmt.Sscan(lines.Text(), &written); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, out)
		_ = child.Wait() // "killed" is what it was to be
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		clip, err := Decode(bytes.NewReader(b), Limits{})
		if err != nil {
			t.Fatalf("killed at %d: %v", written, err)
		}
		if got := len(clip.PCM()); got < written-2000 {
			t.Errorf("killed after %d samples, %d are left", written, got)
		}
		soxReads(t, name, int(binary.LittleEndian.Uint32(b[40:]))/4) // sox believes the header, we a start without end
	}
}

// soxReads checks that sox finds so many samples in each of two channels and nothing to complain of.
func soxReads(t *testing.T, name string, samples int) {
	t.Helper()
	sox, err := exec.LookPath("sox")
	if err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatal("sox is not installed")
		}
		t.Log("sox is not installed: its opinion is not asked")
		return
	}
	out, err := exec.Command(sox, "-D", name, "-t", "raw", "-e", "signed", "-b", "16", name+".raw").CombinedOutput()
	if samples == 0 && err == nil {
		return
	}
	if err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("sox: %v: %s", err, out)
		return
	}
	raw, err := os.Stat(name + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	if got := int(raw.Size() / 4); got != samples {
		t.Errorf("sox reads %d samples, want %d", got, samples)
	}
}

// BenchmarkWriteSecond writes a second of stereo in pieces of various lengths.
func BenchmarkWriteSecond(b *testing.B) {
	for _, pieces := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("%d pieces", pieces), func(b *testing.B) {
			pcm := ramp(16000/pieces, 0)
			b.SetBytes(32000)
			b.ReportAllocs()
			dir := b.TempDir()
			for i := 0; b.Loop(); i++ {
				w, err := Create(filepath.Join(dir, fmt.Sprintf("%d.wav", i)), Format{Rate: 8000, Channels: 2})
				if err != nil {
					b.Fatal(err)
				}
				w.close = nil // no sync of a file that is thrown away
				for range 60 * pieces {
					if err := w.Write(pcm); err != nil {
						b.Fatal(err)
					}
				}
				if err := errors.Join(w.Close(), w.f.(*os.File).Close(), os.Remove(filepath.Join(dir, fmt.Sprintf("%d.wav", i)))); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/60, "us/second")
		})
	}
}
