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

// One of three is muted, and what is played to another one is heard by that one alone.
func ExampleBridge_PlayTo() {
	shards := media.NewShards(media.ShardsConfig{N: 1})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()

	bridge := media.NewBridge(media.BridgeOptions{})
	var ports []*media.Port
	for i := range 3 {
		shard := shards.Pick() // a leg of media/rtp does this part
		port := media.NewPort(shard, &printLine{}, 8000)
		shard.Do(func() { port.SetFormat(&media.Format{Codec: "PCMU", Rate: 8000}) })
		if err := bridge.JoinAs(port, media.Membership{Mute: i == 0}, nil); err != nil {
			fmt.Println(err)
		}
		ports = append(ports, port)
	}
	fmt.Println(bridge.PlayTo(ctx, media.Silence(media.FrameDuration, 8000), media.Audience{Only: ports[1]}))
	bridge.SetMembers(map[*media.Port]media.Membership{ports[0]: {}}) // not muted any more
	bridge.Leave(ports[1])
	fmt.Println(bridge.PlayTo(ctx, media.Silence(media.FrameDuration, 8000), media.Audience{Only: ports[1]}))

	bridge.Close()
	stop()
	fmt.Println(<-done)
	// Output:
	// <nil>
	// media: the port is not in the bridge
	// <nil>
}
