package wav_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

func TestEncodeIsReadAgain(t *testing.T) {
	for _, pcm := range [][]int16{nil, {1}, {0, -32768, 32767, 5}} {
		b := wav.Encode(media.NewClip(16000, pcm))
		clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
		if err != nil || clip.Rate() != 16000 || !slices.Equal(clip.PCM(), pcm) {
			t.Errorf("%v became %v, %v", pcm, clip, err)
		}
	}
}
