// Package media moves sound: frames of 20 ms of 16-bit mono PCM between sources, sinks
// and the legs of calls, on a few media threads that all calls share.
//
// There are only a few types that matter. A [Source] gives frames, a [Clip] is sound in
// memory that many sources share, a [Port] is the two-way audio of one leg, a [Bridge] joins
// Ports, a [Tap] watches a Port or a Bridge, a [Recorder] is a Tap that writes, an [Ear] is one
// that lets somebody slow read along, [Shards] are the
// threads. A [Line] is what carries a Port's audio: media/rtp has one.
//
//	shards := media.NewShards(media.ShardsConfig{})
//	go shards.Run(ctx)                       // until the program ends
//	...                                      // a leg on them, by media/rtp
//	err := leg.Port().Play(ctx, clip.Source()) // blocks until it was sent
//
//	bridge := media.NewBridge(media.BridgeOptions{Digits: true})
//	err = bridge.Join(leg.Port())            // and others: two make a call, more a conference
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
// # Bridges
//
// Two members whose codecs and packet lengths fit get each other's packets as they arrive, with the
// numbers rewritten. Each direction does so by itself: it stops where what a member hears is something else, because it is
// played to or muted, or a third member comes, and begins again when that ends, without a hole or a
// double in the stream. Recording and other taps do not stop it; they see decoded copies. While a jitter
// buffer fills at such a change the phone conceals 20 to 40 ms once; what the buffer holds at the way back
// goes out at once.
//
// Members are muted and deafened in the bridge alone (SetMembers), whatever their ports do elsewhere. What a bridge plays is mixed with speech:
// to all, to all but one, or to one. A bridge that measures levels decodes its members, as for a recording, and adds up one sample in seven
// of those that are not silent; Port.Level reads what came of it without asking the thread.
//
// All else is mixed: the frames of all members are summed in 32 bits, each one hears the sum
// without itself, clipped once. Those that are silent at the moment and have one codec hear the same,
// which is encoded once. The mix has the highest rate of the members, others are resampled, and it
// takes 20 to 30 ms from packet to packet on a steady network.
//
// Joining moves a port to the thread of the first member, with its sockets: what was posted before runs
// there, and what is posted meanwhile here. Of a large room the members beyond the first 64 stay where they are. Its parts
// tick in the same slot and hand each other their sums; one that is later than 3 ms is missing for that frame.
//
// A member that not everybody is to hear joins with a [Membership]: nobody hears it, or one member alone, besides what it hears of the
// others. Nobody else hears a difference.
//
// # Layers
//
// On a Port, PlayOver covers PlayMusic, and that what Play plays, which covers the bridge. What is covered waits and
// goes on, with edges of a frame in place of clicks.
//
// # Caveats
//
// Frames are always 20 ms, and sound is mono. One source at a time plays on a layer of a Port, to all of a Bridge, below that as its
// music, and to each of its members alone. The last two members of a room that was large may live on two threads: they
// are mixed then, and their digits do not cross. A Recorder of a Bridge has the rate of its start: it
// does not follow Bridge.Rate.
package media
