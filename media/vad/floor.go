package vad

// The floor of a band is the least of its smoothed power within so many frames, 1.6 s: nobody speaks that long without a gap.
const (
	floorParts = 8
	floorPart  = 10 // frames

	smooth    = 0.75 // of the power: what is left of it after a frame
	bias      = 1.8  // by how much the mean of noise is over its minimum
	leastBand = 1e-8 // -80 dB: what is below is silence

	// What one band counts for: noise passes its mean by some dB now and then, and one band alone is no voice.
	bandFree = 3.0
	bandMost = 12.0
)

// floor is the noise in each band.
type floor struct {
	now   [bandCount]float64 // smoothed power
	least [floorParts][bandCount]float64
	part  int
	count int // frames in part
	begun bool
}

// add takes the power of a frame and says by how many dB it stands out of the noise, all bands together.
func (f *floor) add(bands *[bandCount]float64) (over float64) {
	if !f.begun {
		f.begun = true
		f.now = *bands
		for i := range f.least {
			f.least[i] = *bands
		}
	}
	if f.count++; f.count > floorPart {
		f.count = 1
		f.part = (f.part + 1) % floorParts
		f.least[f.part] = f.now
	}
	for i, p := range bands {
		f.now[i] = smooth*f.now[i] + (1-smooth)*p
		f.least[f.part][i] = min(f.least[f.part][i], f.now[i])
		least := f.least[0][i]
		for _, l := range f.least[1:] {
			least = min(least, l[i])
		}
		noise := max(least*bias, leastBand)
		if p > 2*noise { // bandFree dB
			over += min(toDB(p/noise)-bandFree, bandMost)
		}
	}
	return over
}
