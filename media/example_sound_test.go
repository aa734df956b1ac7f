package media_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

func ExampleClip() {
	clip := media.NewClip(16000, make([]int16, 16000))
	narrow, err := clip.At(8000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(clip.Duration(), narrow.Rate(), narrow.Duration())
	// Output: 1s 8000 1s
}

func ExampleEncodedSource() {
	src := tone.Beep().Clip(16000).Source()
	if e, ok := src.(media.EncodedSource); ok { // a thousand calls share one encoding
		c := codec.PCMU
		err := e.PrepareEncoded(c.Name(), c.SampleRate(), func() media.EncodeFunc { return c.NewEncoder().Encode })
		payload, err2 := e.NextEncoded()
		fmt.Println(len(payload), err, err2)
	}
	// Output: 160 <nil> <nil>
}

func ExampleReadAll() {
	src := media.Concat(tone.Beep().Source(8000), media.Silence(time.Second, 8000))
	clip, err := media.ReadAll(context.Background(), src, time.Minute)
	fmt.Println(clip.Duration(), err)
	// Output: 1.5s <nil>
}

func ExampleResample() {
	src := media.Resample(tone.Sine(440, time.Second).Source(44100), 8000)
	frame := make([]int16, media.FrameLen(src.Rate()))
	n, err := src.ReadFrame(frame)
	fmt.Println(src.Rate(), n, err)
	// Output: 8000 160 <nil>
}

func ExampleResampler() {
	r, err := media.NewResampler(8000, 16000)
	if err != nil {
		fmt.Println(err)
		return
	}
	out := make([]int16, 320)
	fmt.Println(r.Process(out, make([]int16, 160)))
	// Output: 320 160
}

func ExampleQueue() {
	q := media.NewQueue(8000, 5*time.Second)
	go func() { // an engine that speaks faster than it is heard
		err := q.Write(context.Background(), make([]int16, 12_000))
		q.CloseWrite(err)
	}()
	clip, err := media.ReadAll(context.Background(), q, time.Minute)
	fmt.Println(clip.Duration(), err)
	// Output: 1.5s <nil>
}

func ExampleRecorders() {
	dir, err := os.MkdirTemp("", "recording")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := wav.Create(filepath.Join(dir, "call.wav"), wav.Format{Rate: 8000, Channels: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	var recorders media.Recorders // one for all calls
	defer recorders.Close()
	r, err := recorders.Start(w, media.RecorderOptions{MaxDuration: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	said, heard := make([]int16, 160), make([]int16, 160)
	for n := range uint64(50) { // what a port does each 20 ms
		r.Tick(n, said, heard)
	}
	recording, err := r.Stop(context.Background())
	fmt.Println(recording.Duration, recording.Reason, recording.Bytes, err)
	// Output: 1s stopped 32044 <nil>
}
