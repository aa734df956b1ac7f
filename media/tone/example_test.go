package tone_test

import (
	"fmt"

	"github.com/callbin/callbin/media/tone"
)

func ExamplePattern() {
	clip := tone.Beep().Clip(8000)
	fmt.Println(clip.Duration())
	fmt.Printf("%.2f %.2f\n", tone.Goertzel(clip.PCM(), 8000, 1000), tone.Goertzel(clip.PCM(), 8000, 700))
	// Output:
	// 500ms
	// 0.25 0.00
}

func ExampleDTMF() {
	p, err := tone.DTMF("42#", 0, 0)
	fmt.Println(p.Duration(), err)
	// Output: 600ms <nil>
}

func ExampleSegment() {
	siren := tone.Pattern{Endless: true, Segments: []tone.Segment{
		{Hz: []float64{440}, Duration: 500e6}, {Hz: []float64{585}, Duration: 500e6},
	}}
	frame := make([]int16, 160)
	n, err := siren.Source(8000).ReadFrame(frame)
	fmt.Println(n, err)
	// Output: 160 <nil>
}

func ExampleCorrelate() {
	p, _ := tone.DTMF("159", 0, 0)
	sent := p.Clip(8000).PCM()
	heard := append(make([]int16, 400), sent...) // 50 ms later
	peak, lag := tone.Correlate(sent, heard)
	fmt.Printf("%.2f %d\n", peak, lag)
	// Output: 1.00 400
}
