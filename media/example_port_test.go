package media_test

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
)

// printLine is a Line to nowhere: it counts what it is to send.
type printLine struct{ frames int }

func (l *printLine) WritePacket(*media.Packet)             {}
func (l *printLine) Forward(media.PacketWriter, bool)      {}
func (l *printLine) WriteKey(*media.Key) bool              { return false }
func (l *printLine) ForwardKeys(media.KeyWriter)           {}
func (l *printLine) Detach()                               {}
func (l *printLine) Attach(*media.Shard)                   {}
func (l *printLine) Listen(bool)                           {}
func (l *printLine) Pull(bool)                             {}
func (l *printLine) Receive()                              {}
func (l *printLine) ReadFrame(uint64, []int16) (int, bool) { return 0, false }
func (l *printLine) WriteFrame(uint64, []int16)            { l.frames++ }
func (l *printLine) WriteEncoded(uint64, []byte)           { l.frames++ }

func ExamplePort() {
	shards := media.NewShards(media.ShardsConfig{N: 1})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()

	// A leg of media/rtp does this part.
	line := &printLine{}
	port := media.NewPort(shards.Pick(), line, 8000)
	shards.Pick().Do(func() { port.SetFormat(&media.Format{Codec: "PCMU", Rate: 8000}) })

	err := port.Play(ctx, media.Silence(60*time.Millisecond, 8000))
	port.Close()
	fmt.Println(line.frames, "frames", err)

	stop()
	fmt.Println(<-done)
	// Output:
	// 3 frames <nil>
	// <nil>
}

func ExampleShards_Lateness() {
	shards := media.NewShards(media.ShardsConfig{})
	fmt.Println(shards.Lateness().Ticks)
	// Output: 0
}
