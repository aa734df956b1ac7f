package media_test

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/media"
)

func ExampleBridge() {
	shards := media.NewShards(media.ShardsConfig{N: 2})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()

	bridge := media.NewBridge(media.BridgeOptions{Digits: true})
	var ports []*media.Port
	for range 3 {
		shard := shards.Pick() // a leg of media/rtp does this part
		port := media.NewPort(shard, &printLine{}, 8000)
		shard.Do(func() { port.SetFormat(&media.Format{Codec: "PCMU", Rate: 8000}) })
		ports = append(ports, port)
	}
	for _, p := range ports {
		if err := bridge.Join(p); err != nil {
			fmt.Println(err)
		}
		fmt.Println(bridge.Stats().Members, "members, packets pass untouched:", bridge.Stats().Passing)
	}
	bridge.Leave(ports[2]) // or ports[2].Close()
	fmt.Println(bridge.Stats().Members, "members, packets pass untouched:", bridge.Stats().Passing)

	bridge.Close()
	stop()
	fmt.Println(<-done)
	// Output:
	// 1 members, packets pass untouched: false
	// 2 members, packets pass untouched: true
	// 3 members, packets pass untouched: false
	// 2 members, packets pass untouched: true
	// <nil>
}
