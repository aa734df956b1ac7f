package httpapi

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// ask asks for the key, and tells whether it was done, and not answered from memory.
func ask(t *testing.T, p *replays, key string, bytes int) (done bool) {
	t.Helper()
	_, again, err := p.once(t.Context(), replayKey{key: key}, nil, func() answer { return answer{code: 200, body: make([]byte, bytes)} })
	if err != nil {
		t.Fatal(err)
	}
	return !again
}

// TestKeysAreForgottenWhereThereAreTooMany: by number, by bytes, and by time; the oldest go first.
func TestKeysAreForgottenWhereThereAreTooMany(t *testing.T) {
	for name, tc := range map[string]struct{ keys, bytes int }{"keys": {maxKeys + 1, 1}, "bytes": {33, 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			p := &replays{}
			for i := range tc.keys {
				ask(t, p, fmt.Sprint(i), tc.bytes)
			}
			if ask(t, p, fmt.Sprint(tc.keys-1), tc.bytes) {
				t.Error("the last one is done anew")
			}
			if !ask(t, p, "0", tc.bytes) {
				t.Error("the first one is kept, too")
			}
			if len(p.all) > maxKeys || len(p.order) != len(p.all) || p.bytes > maxKeyBytes {
				t.Errorf("%d keys, %d in order, %d bytes", len(p.all), len(p.order), p.bytes)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := &replays{}
		ask(t, p, "a", 10)
		time.Sleep(keyTime - time.Second)
		if ask(t, p, "a", 10) {
			t.Error("forgotten within a day")
		}
		time.Sleep(time.Second)
		if !ask(t, p, "a", 10) || p.bytes != 10 {
			t.Errorf("kept for longer than a day, or counted twice: %d bytes", p.bytes)
		}
	})
}

// TestWhatFailsIsDoneAnew: a fault of ours is not kept, and who waits for it tries in its turn; who waits may give up.
func TestWhatFailsIsDoneAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &replays{}
		n := 0
		do := func() answer {
			n++
			time.Sleep(time.Second)
			return answer{code: map[int]int{1: 500, 2: 429}[n]}
		}
		codes := make(chan int, 3)
		for range 3 {
			go func() {
				a, _, err := p.once(t.Context(), replayKey{key: "k"}, nil, do)
				if err != nil {
					t.Error(err)
				}
				codes <- a.code
			}()
		}
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := p.once(short, replayKey{key: "k"}, nil, do); err == nil {
			t.Error("who waited longer than it wants got an answer")
		}
		time.Sleep(5 * time.Second)
		if got := []int{<-codes, <-codes, <-codes}; n != 3 || got[0] != 500 || got[1] != 429 || got[2] != 0 {
			t.Errorf("done %d times, with %v", n, got)
		}
		if _, again, err := p.once(t.Context(), replayKey{key: "k"}, nil, do); !again || err != nil {
			t.Errorf("the third one is not kept: %v", err)
		}
	})
}
