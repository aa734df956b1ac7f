package rtp_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/rtp"
)

func ExampleLeg() {
	shards := media.NewShards(media.ShardsConfig{N: 1})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()

	f, err := rtp.New(rtp.Config{Shards: shards, Ports: [2]uint16{23000, 23999}})
	if err != nil {
		fmt.Println(err)
		return
	}
	leg, err := f.NewLeg(rtp.LegConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := leg.Answer([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 39998 RTP/AVP 8 0\r\n"))
	fmt.Println(strings.Contains(string(answer), "a=rtpmap:8 PCMA/8000"), err)

	err = leg.Port().Play(ctx, media.Silence(60*time.Millisecond, 8000))
	stats := leg.Close()
	fmt.Println(stats.Codec, stats.PacketsOut, "packets,", err)

	stop()
	<-done
	// Output:
	// true <nil>
	// PCMA 4 packets, <nil>
}
