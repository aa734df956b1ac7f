package media

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// Ports are moved to and fro while all else happens to them.
func TestBridgesUnderFire(t *testing.T) {
	shards := NewShards(ShardsConfig{N: 3, Portable: true, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()
	r := &room{t: t, shards: shards}
	bridges := []*Bridge{NewBridge(BridgeOptions{Digits: true}), NewBridge(BridgeOptions{}), NewBridge(BridgeOptions{})}
	for i := range 12 {
		r.phone(float64(300+i), []int{8000, 16000}[i%2])
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	posts := map[*Port][]int{} // guarded by mu
	for i, l := range r.lines {
		p := l.port
		wg.Go(func() { // membership: one goroutine a port, all over the shards
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 60 {
				b := bridges[rnd.IntN(len(bridges))]
				if b.Join(p) == nil && p.Shard() != *shardOf(p) {
					t.Error("the port does not know where it lives")
				}
				b.Leave(p)
			}
		})
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			for n := range 60 {
				p.Post(func() {
					mu.Lock()
					posts[p] = append(posts[p], n)
					mu.Unlock()
				})
				switch rnd.IntN(5) {
				case 0:
					ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
					_ = p.Play(ctx, &levels{n: 2})
					cancel()
				case 1:
					p.Tap(tapFunc(func(uint64, []int16, []int16) {}))()
				case 2:
					p.Mute(Both, n%2 == 0)
				case 3:
					bridges[0].Tap(tapFunc(func(uint64, []int16, []int16) {}))()
				case 4:
					_ = bridges[1].Stats()
				}
			}
			if i%4 == 3 {
				p.Close()
			}
		})
	}
	wg.Wait()
	for _, l := range r.lines {
		l.port.Do(func() {})
		want := make([]int, 60)
		for n := range want {
			want[n] = n
		}
		mu.Lock()
		if got := posts[l.port]; !slices.Equal(got, want) {
			t.Errorf("posts ran as %v", got)
		}
		mu.Unlock()
		l.port.Close()
	}
	for _, b := range bridges {
		if st := b.Stats(); st.Members != 0 {
			t.Errorf("%+v", st)
		}
		b.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// shardOf reads the port's shard where it may be read, on it.
func shardOf(p *Port) **Shard {
	s := new(*Shard)
	p.Do(func() { *s = p.shard })
	return s
}
