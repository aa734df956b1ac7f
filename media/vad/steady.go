package vad

// One or two sines hold nearly all of the power of a tone, at the same place for longer than a voice can hold it.
const (
	tonePart = 0.80 // of the power, in two peaks
	tonePure = 0.98 // of the power: no voice, held or not
	toneHeld = 1.3  // times the power of the frame before, at most
)

// steady finds tones.
type steady struct {
	peak  [2]int // bins of the frame before
	total float64
}

// add takes a spectrum and says whether it is that of a tone.
func (s *steady) add(power *[bins]float64, total float64) bool {
	first := loudest(power, -1)
	second := loudest(power, first)
	held := near(first, s.peak[0]) && near(second, s.peak[1]) || near(first, s.peak[1]) && near(second, s.peak[0]) ||
		near(first, s.peak[0]) && around(power, second) < 0.05*total
	same := total < toneHeld*s.total && s.total < toneHeld*total
	part := around(power, first) + around(power, second)
	s.peak, s.total = [2]int{first, second}, total
	return part > tonePure*total || held && same && part > tonePart*total
}

func near(a, b int) bool { return a-b <= 1 && b-a <= 1 }

// loudest returns the bin with most power, but for those around one.
func loudest(power *[bins]float64, but int) int {
	best := lowBin
	if but >= 0 && near(but, best) {
		best = highBin - 1
	}
	for k := lowBin; k < highBin; k++ {
		if power[k] > power[best] && (but < 0 || k-but > 4 || but-k > 4) {
			best = k
		}
	}
	return best
}

// around is the power of a peak: a sine fills so many bins.
func around(power *[bins]float64, at int) (sum float64) {
	for k := max(lowBin, at-2); k <= min(highBin-1, at+2); k++ {
		sum += power[k]
	}
	return sum
}
