package main

import "github.com/callbin/callbin/media"

const (
	echoFrames = 20   // 400 ms, in which an echo of ours is back
	echoPower  = 0.02 // of ours, that an echo has at most: -17 dB
)

// gate is the tap by which the bot hears: what is much quieter than what the bot says at that time is its own echo, and silence. It runs
// on the media thread.
type gate struct {
	ear *media.Ear
	out [echoFrames]float64 // power of what the bot has said last
	at  int
}

func (g *gate) Tick(n uint64, in, out []int16) {
	g.out[g.at] = power(out)
	g.at = (g.at + 1) % echoFrames
	loudest := 0.0
	for _, p := range g.out {
		loudest = max(loudest, p)
	}
	if power(in) < echoPower*loudest {
		in = nil
	}
	g.ear.Tick(n, in, nil)
}

func power(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(pcm))
}
