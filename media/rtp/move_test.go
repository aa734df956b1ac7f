package rtp

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

// inThreads is inBubble with so many shards.
func inThreads(t *testing.T, n int, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: &network{}, threads: n}
		w.run(Config{Listen: w.net.listen}, true, f)
	})
}

// Legs are moved to and fro beneath a stream of packets: nothing is lost.
func TestMovedLegLosesNothing(t *testing.T) {
	run := func(t *testing.T, w *world) {
		a := w.newCaller(11, "0 101")
		far, near := w.newCaller(13, "0 101"), w.newCaller(14, "0 101")
		// Bridges that live on one shard each: joining them moves a.
		for far.leg.Port().Shard() == near.leg.Port().Shard() {
			near = w.newCaller(15, "0 101")
		}
		homes := []*media.Bridge{media.NewBridge(media.BridgeOptions{}), media.NewBridge(media.BridgeOptions{})}
		for i, c := range []*caller{far, near} {
			if err := homes[i].Join(c.leg.Port()); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 200 {
				if err := homes[i%2].Join(a.leg.Port()); err != nil {
					t.Error(err)
				}
				homes[i%2].Leave(a.leg.Port())
				time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
			}
		})
		for range 500 {
			a.send(1)
			if w.net == nil {
				pauseSocket(a.peer)
			} else {
				time.Sleep(100 * time.Microsecond)
			}
		}
		wg.Wait()
		deadline := time.Now().Add(5 * time.Second)
		for a.leg.Stats().PacketsIn < 500 && time.Now().Before(deadline) {
			pauseSocket(a.peer)
		}
		if st := a.leg.Stats(); st.PacketsIn != 500 || st.Lost != 0 || st.Invalid+st.Foreign+st.SendErrors > 0 {
			t.Errorf("%+v", st)
		}
		for _, b := range homes {
			b.Close()
		}
	}
	t.Run("bubble", func(t *testing.T) { inThreads(t, 2, func(w *world) { run(w.t, w) }) })
	for _, portable := range []bool{false, true} {
		name := "epoll"
		if portable {
			name = "portable"
		}
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, threads: 2}
			w.run(Config{Ports: [2]uint16{21000, 21999}}, portable, func(w *world) { run(t, w) })
		})
	}
}

// pauseSocket waits a moment, on a socket of the test.
func pauseSocket(p *peer) { p.recv(p.rtcp, 200*time.Microsecond) }

func TestLegNearAnother(t *testing.T) {
	inThreads(t, 3, func(w *world) {
		t := w.t
		a := w.newCaller(11, "0 101")
		for range 5 {
			l, err := w.factory.NewLeg(LegConfig{Near: a.leg, Codecs: []codec.Codec{codec.PCMA}})
			if err != nil {
				t.Fatal(err)
			}
			if l.Port().Shard() != a.leg.Port().Shard() {
				t.Error("it is elsewhere")
			}
			offer, err := l.Offer()
			if err != nil || !bytes.Contains(offer, []byte("RTP/AVP 8 101")) {
				t.Errorf("%v: %s", err, offer)
			}
			l.Close()
		}
	})
}

// An offer may be answered by one branch of a forked call and then by another.
func TestAnswersOfTwoBranches(t *testing.T) {
	inBubble(t, Config{}, func(w *world) {
		t := w.t
		if _, err := w.leg.Offer(); err != nil {
			t.Fatal(err)
		}
		w.leg.Port().Echo(true)
		for i, p := range []*peer{w.newPeer(2), w.newPeer(3)} {
			format := []string{"0 101", "8"}[i]
			p.pt = []uint8{0, 8}[i]
			if err := w.leg.TakeAnswer([]byte(p.offer(format, ""))); err != nil {
				t.Fatal(err)
			}
			p.to = netip.AddrPortFrom(w.factory.v4.Bind, w.leg.number)
			p.mustHear()
			p.send(0x35)
			if g := p.mustHear(); g.payload[0] != 0x35 || g.payloadType != p.pt {
				t.Errorf("branch %d: %+v", i, g)
			}
			if w.leg.Events() != (i == 0) {
				t.Errorf("branch %d: events %v", i, w.leg.Events())
			}
		}
		p := w.newPeer(4)
		if _, err := w.leg.Answer([]byte(p.offer("0", ""))); err != nil {
			t.Fatal(err)
		}
		if err := w.leg.TakeAnswer([]byte(p.offer("0", ""))); !errors.Is(err, ErrNoOffer) {
			t.Errorf("an answer after the peer's own offer: %v", err)
		}
	})
}

// Everything that can happen to two bridged legs happens at once.
func TestBridgedLegsUnderFire(t *testing.T) {
	for _, portable := range []bool{false, true} {
		w := &world{t: t, threads: 3}
		w.run(Config{Ports: [2]uint16{21000, 21999}}, portable, func(w *world) {
			bridges := []*media.Bridge{media.NewBridge(media.BridgeOptions{Digits: true}), media.NewBridge(media.BridgeOptions{Digits: true})}
			var wg sync.WaitGroup
			for i := range 6 {
				c := w.newCaller(byte(20+i), []string{"0 101", "8 101"}[i%2])
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(i), 7))
					for range 40 {
						br := bridges[rnd.IntN(2)]
						_ = br.Join(c.leg.Port())
						c.send(1)
						c.event('5', c.ts, true, 400)
						br.Leave(c.leg.Port())
					}
				})
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(i), 8))
					for k := range 25 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
						switch rnd.IntN(4) {
						case 0:
							_ = c.leg.SendDigits(ctx, "1", 0, 0)
						case 1:
							_ = c.leg.Port().Play(ctx, media.Silence(time.Second, 8000))
						case 2:
							c.leg.Port().Tap(&tapRecorder{})()
						case 3:
							c.leg.Port().Mute(media.Both, k%2 == 0)
						}
						cancel()
						c.leg.Stats()
					}
					if i%3 == 0 {
						c.leg.Close()
					}
				})
			}
			wg.Wait()
			for _, b := range bridges {
				if st := b.Stats(); st.Members != 0 {
					t.Errorf("%+v", st)
				}
				b.Close()
			}
		})
	}
}
