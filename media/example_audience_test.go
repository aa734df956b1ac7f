package media_test

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/media"
)

// Somebody listens to a talk of two, then speaks to one of them alone, and then to both.
func ExampleBridge_SetMember() {
	shards := media.NewShards(media.ShardsConfig{N: 1})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()

	var ports []*media.Port
	for range 3 {
		shard := shards.Pick() // a leg of media/rtp does this part
		port := media.NewPort(shard, &printLine{}, 8000)
		shard.Do(func() { port.SetFormat(&media.Format{Codec: "PCMU", Rate: 8000}) })
		ports = append(ports, port)
	}
	customer, agent, coach := ports[0], ports[1], ports[2]
	bridge := media.NewBridge(media.BridgeOptions{})
	fmt.Println(bridge.Join(customer), bridge.Join(agent), bridge.Stats().Passing)
	fmt.Println(bridge.JoinAs(coach, media.Membership{Mute: true}, agent), bridge.Stats().Passing)
	bridge.SetMember(coach, media.Membership{Only: agent})
	bridge.SetMember(coach, media.Membership{})
	bridge.Leave(coach)
	fmt.Println(bridge.Stats().Members, bridge.Stats().Passing)
	for _, p := range ports {
		p.Close()
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// <nil> <nil> true
	// <nil> false
	// 2 true
	// <nil>
}
