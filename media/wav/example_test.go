package wav_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/callbin/callbin/media/wav"
)

func Example() {
	dir, err := os.MkdirTemp("", "wav")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "call.wav")

	w, err := wav.Create(name, wav.Format{Rate: 8000, Channels: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Write(make([]int16, 2*4000)), w.Close())

	f, err := os.Open(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	clip, err := wav.Decode(f, wav.Limits{})
	fmt.Println(clip.Rate(), clip.Duration(), err)
	// Output:
	// <nil> <nil>
	// 8000 500ms <nil>
}

func ExampleReader() {
	pr, pw := io.Pipe()
	go func() { // a program that pipes: its header has no length
		header := "RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\xff\xff\xff\xff"
		_, err := io.WriteString(pw, header+"\x01\x00\x02\x00\x03\x00")
		pw.CloseWithError(err)
	}()
	r, err := wav.NewReader(pr, wav.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	pcm := make([]int16, 10)
	n, err := r.Read(pcm)
	fmt.Println(r.Format().Rate, pcm[:n], err)
	// Output: 16000 [1 2 3] <nil>
}

func ExampleWriter() {
	f, err := os.CreateTemp("", "*.wav")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w, err := wav.NewWriter(f, wav.Format{Rate: 16000, Channels: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Write([]int16{1, 2, 3}), w.Close(), w.Size())
	// Output: <nil> <nil> 50
}
