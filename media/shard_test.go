package media

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestInboxKeepsTheOrderOfEachWriter(t *testing.T) {
	var q inbox
	q.init(64)
	const writers, each = 4, 5000
	last := make([]int, writers)
	total := 0
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 1; n <= each; {
				k := n
				if q.push(deliverFunc(func() {
					if last[w] != k-1 {
						t.Errorf("writer %d: %d after %d", w, k, last[w])
					}
					last[w] = k
					total++
				})) {
					n++
				} else {
					runtime.Gosched()
				}
			}
		})
	}
	for total < writers*each {
		runtime.Gosched()
		q.drain()
	}
	wg.Wait()
	if q.drain() {
		t.Error("not empty")
	}
	for i := range 64 {
		if !q.push(deliverFunc(func() {})) {
			t.Fatalf("refused at %d of 64", i)
		}
	}
	if q.push(deliverFunc(func() {})) {
		t.Error("a full inbox takes more")
	}
}

type deliverFunc func()

func (f deliverFunc) Deliver() { f() }

// runShards runs shards on real time until the test ends.
func runShards(t *testing.T, cfg ShardsConfig) *Shards {
	t.Helper()
	s := NewShards(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func TestPostRunsEverythingOnceInBothModes(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s := NewShards(ShardsConfig{N: 1, Portable: portable})
		sh := s.Pick()
		var n int // owned by the shard
		var wg sync.WaitGroup
		post := func() {
			for range 1000 {
				sh.Post(func() { n++ })
			}
		}
		wg.Go(post) // some before Run, some beside its start and its end
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for range 3 {
			wg.Go(post)
		}
		sh.Do(func() {})
		cancel()
		wg.Wait()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := 0
		sh.Do(func() { got = n })
		if got != 4000 {
			t.Errorf("portable %v: %d of 4000 ran", portable, got)
		}
	}
}

// The end may come while the shard is awake, between its last look and its sleep.
func TestShardsEndWhileTheShardIsAwake(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s := NewShards(ShardsConfig{N: 1, Portable: portable})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		sh := s.Pick()
		tm := &Timer{Fire: func() { sh.Post(func() { sh.stopping.Store(true) }) }}
		sh.Do(func() { sh.SetTimer(tm, sh.Now()+time.Millisecond) })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

func TestFeedWakesTheShardInBothModes(t *testing.T) {
	for _, portable := range []bool{false, true} {
		sh := runShards(t, ShardsConfig{N: 1, Portable: portable}).Pick()
		for range 100 {
			got := make(chan struct{})
			if !sh.Feed(deliverFunc(func() { close(got) })) {
				t.Fatal("refused")
			}
			<-got
		}
	}
}

func TestTimerFiresOnARealShard(t *testing.T) {
	for _, portable := range []bool{false, true} {
		sh := runShards(t, ShardsConfig{N: 1, Portable: portable}).Pick()
		fired := make(chan time.Duration, 1)
		tm := &Timer{}
		var set atomic.Int64
		tm.Fire = func() { fired <- sh.Now() }
		sh.Do(func() {
			set.Store(int64(sh.Now() + 3*time.Millisecond))
			sh.SetTimer(tm, sh.Now()+3*time.Millisecond)
		})
		if by := <-fired - time.Duration(set.Load()); by < 0 {
			t.Errorf("portable %v: early by %v", portable, -by)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	s := NewShards(ShardsConfig{N: 1})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	sh := s.Pick()
	b.ReportAllocs()
	for b.Loop() {
		sh.Do(func() {})
	}
	cancel()
	<-done
}

func BenchmarkClockOf1000Ports(b *testing.B) {
	sh := NewShards(ShardsConfig{N: 1, Portable: true}).Pick()
	for range 1000 {
		p := NewPort(sh, &silentLine{}, 8000)
		p.Tap(tapFunc(func(uint64, []int16, []int16) {}))
	}
	now := time.Second
	b.ReportAllocs()
	for b.Loop() { // one frame of each
		for range slots {
			now += slotLen
			sh.clock.run(now)
			_ = sh.clock.next()
		}
	}
}

type silentLine struct{ testLine }

func (*silentLine) Forward(PacketWriter, bool)            {}
func (*silentLine) Listen(bool)                           {}
func (*silentLine) ReadFrame(uint64, []int16) (int, bool) { return 0, false }
