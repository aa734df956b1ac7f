package media_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/callbin/callbin/media"
)

func ExampleEar() {
	ear, err := media.NewEar(media.EarOptions{Direction: media.In})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A port calls Tick on its media thread, after port.Tap(ear).
	ear.Tick(1, make([]int16, 160), nil)
	ear.Tick(2, nil, nil) // silence
	if err := ear.Close(); err != nil {
		fmt.Println(err)
	}

	pcm := make([]int16, 1000)
	for {
		n, err := ear.Read(context.Background(), pcm)
		if errors.Is(err, io.EOF) {
			break
		}
		fmt.Println(n, "samples,", ear.Dropped(), "dropped")
	}
	// Output: 320 samples, 0 dropped
}
