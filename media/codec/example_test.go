package codec_test

import (
	"fmt"

	"github.com/callbin/callbin/media/codec"
)

func ExampleCodec() {
	c, ok := codec.ByName("pcma")
	fmt.Println(ok, c.Name(), c.PayloadType(), c.SampleRate())
	// Output: true PCMA 8 8000
}

func ExampleEncoder() {
	payload := make([]byte, 3)
	n, err := codec.PCMU.NewEncoder().Encode(payload, []int16{0, 1000, -1000})
	fmt.Printf("%d %x %v\n", n, payload, err)
	// Output: 3 ffce4e <nil>
}

func ExampleDecoder() {
	dec := codec.PCMU.NewDecoder()
	pcm := make([]int16, 3)
	n, err := dec.Decode(pcm, []byte{0xff, 0xce, 0x4e})
	fmt.Println(n, pcm, err)
	fmt.Println(dec.Conceal(pcm)) // the next frame was lost
	// Output:
	// 3 [0 988 -988] <nil>
	// 3
}

func ExampleTable() {
	payload := []byte{0xff, 0xce, 0x4e}
	if t, ok := codec.Table(codec.PCMU, codec.PCMA); ok {
		codec.Translate(payload, payload, t)
	}
	fmt.Printf("%x\n", payload)
	// Output: d5fb7b
}
