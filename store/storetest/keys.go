package storetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/store"
)

// testKeys is for drivers that are store.Keys; others pass.
func testKeys(t *testing.T, s store.Store) {
	keys, ok := s.(store.Keys)
	if !ok {
		t.Skip("not a store.Keys")
	}
	first := store.Key{Name: "order 7 ✓", Sum: "a", CallID: "c1", TmCreate: at(0), TmExpire: at(time.Hour)}
	put := func(k, want store.Key) {
		t.Helper()
		got, err := keys.PutKey(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("PutKey (-want +got):\n%s", d)
		}
	}
	put(first, first)
	second := store.Key{Name: first.Name, Sum: "b", CallID: "c2", TmCreate: at(time.Hour - time.Second), TmExpire: at(2 * time.Hour)}
	put(second, first)
	second.TmCreate = at(time.Hour) // the first has expired
	put(second, second)
	put(first, second) // whose clock is behind does not get it back
	other := first
	other.Name = "order 8"
	put(other, other)
	if err := keys.DeleteKey(t.Context(), second.Name); err != nil {
		t.Fatal(err)
	}
	if err := keys.DeleteKey(t.Context(), second.Name); err != nil {
		t.Errorf("again: %v", err)
	}
	put(first, first)
	for _, bad := range []store.Key{{CallID: "c", TmCreate: at(0), TmExpire: at(1)}, {Name: strings.Repeat("n", store.MaxKeyName+1), CallID: "c", TmCreate: at(0), TmExpire: at(1)},
		{Name: "a\xffb", CallID: "c", TmCreate: at(0), TmExpire: at(1)}, {Name: "n", TmCreate: at(0), TmExpire: at(1)}, {Name: "n", CallID: "c", TmExpire: at(1)}, {Name: "n", CallID: "c", TmCreate: at(0)}} {
		_, err := keys.PutKey(t.Context(), bad)
		wantErr(t, err, store.ErrInvalid, "PutKey of what is incomplete")
	}

	// Of many at once one wins.
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for i := range 20 {
		wg.Go(func() {
			k, err := keys.PutKey(t.Context(), store.Key{Name: "race", CallID: string(rune('a' + i)), TmCreate: at(0), TmExpire: at(time.Hour)})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			won[k.CallID]++
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("winners: %v", won)
	}
}
