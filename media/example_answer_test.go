package media_test

import (
	"fmt"

	"github.com/callbin/callbin/media"
)

// Somebody who says one word and waits.
func ExampleAnswerDetector() {
	d := media.NewAnswerDetector(media.AnswerOptions{Rate: 8000})
	word := make([]int16, media.FrameLen(8000))
	for i := range word {
		word[i] = int16(i*7919%8000 - 4000)
	}
	for n := range uint64(100) {
		if n >= 10 && n < 35 { // half a second, after a fifth of one
			d.Tick(n, word, nil)
		} else {
			d.Tick(n, nil, nil)
		}
	}
	found := <-d.Found()
	fmt.Println(found.Verdict, "by", found.Cause, "after", found.After)
	// Output: human by pause after 1.5s
}
