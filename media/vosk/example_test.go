package vosk_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/vosk"
)

func Example() {
	// In place of "docker run -p 2700:2700 alphacep/kaldi-en".
	server := httptest.NewServer(&fakeVosk{answer: func(samples int, final bool) string {
		if final {
			return `{"result" : [{"conf" : 1.0, "end" : 0.6, "start" : 0.2, "word" : "hello"}], "text" : "hello"}`
		}
		return `{"partial" : "hell"}`
	}})
	defer server.Close()

	t, err := vosk.New(vosk.Config{URLs: map[string]string{"en": strings.Replace(server.URL, "http", "ws", 1)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ear, err := media.NewEar(media.EarOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := range uint64(50) { // a second of a call; a port does this
		ear.Tick(n, make([]int16, 160), nil)
	}
	if err := ear.Close(); err != nil { // the end of the call
		fmt.Println(err)
	}
	err = t.Transcribe(context.Background(), ear, media.TranscribeOptions{Language: "en-GB"}, func(x media.Transcript) {
		fmt.Println(x.Final, x.Text, x.Start, x.End)
	})
	fmt.Println(err)
	// Output:
	// false hell 0s 0s
	// true hello 200ms 600ms
	// <nil>
}
