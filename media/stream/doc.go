// Package stream carries the sound of a call to a program outside and back, in the wire formats that such programs speak.
//
// There are three types to know. A [Protocol] is a wire format, got by [ByName]; a [Conn] is a connection that carries its
// messages ([DialWebSocket], [DialAudioSocket], [NewWebSocket]); a [Session] is one stream, a media.Tap on the port of a call:
//
//	proto, err := stream.ByName("twilio", 0)
//	s, err := stream.Connect(ctx, stream.Config{
//		Protocol: proto,
//		Open:     func(ctx context.Context) (stream.Conn, error) { return stream.DialWebSocket(ctx, "wss://...", stream.DialOptions{}) },
//		Info:     stream.Info{StreamID: id, CallID: callID, Listen: media.In},
//		Play:     port.PlayStream,
//	})
//	untap := port.Tap(s)
//	result := s.Run(ctx) // until the program, Stop or ctx ends it
//	untap()
//
// # What passes
//
// Each frame of 20 ms goes to the program as it comes, silence too. The media thread writes it to a ring, without a lock and without
// memory, and wakes the goroutine that sends. A program that does not read loses sound, never the call: what has waited for
// Config.Buffer is dropped and counted, and a program that takes nothing for Config.WriteTimeout, or answers no ping, is taken for lost.
//
// What the program says is queued and played one after another; marks are places in that queue, and are told when they are
// reached; a clear drops the queue at once, with what is in it being heard fading out within 5 ms. The queue has room for Config.Queue: what a
// program sends beyond that is dropped and counted (Stats.SamplesDropped).
//
// Messages that are not understood are ignored and counted, whatever they are.
//
// # Losses
//
// A connection that breaks is made again, at once and then less and less often, for Config.ReconnectFor; what is said meanwhile is dropped. A
// WebSocket that the program closes with 1000, or without a code, is no loss but the end. After a loss the stream begins anew, with all that
// the protocol has at the beginning, and what was queued is forgotten: the program may be another one. In Twilio's format it has another streamSid then.
//
// # Protocols
//
//   - twilio: Twilio Media Streams, mu-law at 8000 Hz. Both directions are separate tracks.
//
// Sources: the published documentation of each.
package stream
