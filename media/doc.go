// Package media moves sound: frames of 20 ms of 16-bit mono PCM between sources, sinks
// and the legs of calls, on a few media threads that all calls share.
//
// There are only a few types that matter. A [Source] gives frames, a [Clip] is sound in
// memory that many sources share, a [Port] is the two-way audio of one leg, a [Tap]
// watches a Port, a [Recorder] is a Tap that writes, [Shards] are the threads. A [Line]
// is what carries a Port's audio: media/rtp has one.
//
//	shards := media.NewShards(media.ShardsConfig{})
//	go shards.Run(ctx)                       // until the program ends
//	...                                      // a leg on them, by media/rtp
//	err := leg.Port().Play(ctx, clip.Source()) // blocks until it was sent
//
// # Shards
//
// A [Shard] is one thread with its sockets (epoll on Linux, a goroutine per socket
// elsewhere or with ShardsConfig.Portable), its clock and its ports. Whatever happens to
// a port happens on its shard, so that no packet and no frame takes a lock. Other
// goroutines post to it; while it sleeps they do its work themselves, which saves a
// thread switch and is why OnEvent functions and the like must not block.
//
// The clock has slots of 1 ms with absolute deadlines, and sleeps to the next slot that
// somebody uses: a leg that is neither played to nor tapped costs no ticks. A shard that was held up
// runs at most three missed frames in a row, and skips the rest: frame numbers jump,
// nothing is late for good. [Shards.Lateness] tells how punctual the ticks are. Go's scheduler
// decides about that: with busy goroutines beside it, ticks were 29 ms late at p99 with
// GOMAXPROCS of 2 on two CPUs, and 7 ms with 6. A program of many calls sets
// GOMAXPROCS to twice the CPUs and two; a library must not.
//
// # Paths of audio
//
// A Port uses the cheapest way that does: an echo that nobody taps sends packets back
// as they arrive; a Clip that nobody taps is sent in payloads that were encoded
// once for all calls, and what the peer says meanwhile is read once a frame; else
// frames are decoded and encoded. A change takes effect at the next frame.
//
// # Caveats
//
// Frames are always 20 ms, and sound is mono. Only one source plays on a Port at a time;
// there is no mixer yet.
package media
