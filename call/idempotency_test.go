package call_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// TestIdempotency: 100 Dials with one key at the same time place one call, which later ones get, too, while it is up, when it
// is over, and from an engine that has begun anew with the same store.
func TestIdempotency(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("store ", kept), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := store.Memory()
				config := func(c *call.Config) {
					if c.Store = nil; kept {
						c.Store = memory
					}
				}
				h := open(t, nil, providers(1), config)
				p := callee(t, h, 1)
				o := call.DialOptions{Destination: number("+4930901820"), IdempotencyKey: "order 7", Metadata: map[string]string{"a": "1", "b": "2"}}
				var wg sync.WaitGroup
				var mu sync.Mutex
				got := map[*call.Call]int{}
				for range 100 {
					wg.Go(func() {
						c, err := h.Dial(t.Context(), o)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						got[c]++
					})
				}
				wg.Wait()
				if len(got) != 1 {
					t.Fatalf("%d calls", len(got))
				}
				var c *call.Call
				for c = range got {
				}
				again := func(h *house) *call.Call {
					t.Helper()
					d, err := h.Dial(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					if d.ID() != c.ID() {
						t.Errorf("another call, %s", d.ID())
					}
					return d
				}
				again(h)
				other := o
				other.Destination = number("+4930901821")
				if _, err := h.Dial(t.Context(), other); !errors.Is(err, call.ErrKeyConflict) {
					t.Errorf("another destination: %v", err)
				}
				p.WaitCall(t).Refuse(486)
				<-c.Done()
				synctest.Wait()
				d := again(h)
				<-d.Done()
				if r := d.Record(); r.SIPCode != 486 || r.HangupReason != "busy" || len(r.Attempts) != 1 {
					t.Errorf("record %+v", r)
				}
				if err := d.Hangup(t.Context(), action.Ending{}); err != nil && !errors.Is(err, action.ErrHangup) {
					t.Error(err)
				}
				if _, err := h.Dial(t.Context(), other); !errors.Is(err, call.ErrKeyConflict) {
					t.Errorf("another destination: %v", err)
				}
				if n := p.Calls(); n != 1 {
					t.Errorf("the provider got %d calls", n)
				}
				if kept {
					h.stop()
					h = open(t, nil, providers(1), config)
					if r := again(h).Record(); r.SIPCode != 486 {
						t.Errorf("record %+v", r)
					}
					if _, err := h.Dial(t.Context(), other); !errors.Is(err, call.ErrKeyConflict) {
						t.Errorf("another destination: %v", err)
					}
				}
				// After a day it is forgotten.
				time.Sleep(call.KeyTime + time.Second)
				d, err := h.Dial(t.Context(), o)
				if err != nil || d.ID() == c.ID() {
					t.Errorf("a day later: %v", err)
				}
				h.stop()
			})
		})
	}
}

// TestIdempotencyElsewhere: a key that a store has given to a call of another engine is not used again.
func TestIdempotencyElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(1))
		o := call.DialOptions{Destination: number("+4930901820"), IdempotencyKey: "k"}
		c, err := h.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		keys := h.store.(store.Keys)
		at := store.At(time.Now())
		was, err := keys.PutKey(t.Context(), store.Key{Name: "k", Sum: "x", CallID: "other", TmCreate: at, TmExpire: at})
		if err != nil || was.CallID != c.ID() {
			t.Fatalf("%+v, %v", was, err)
		}
		was.Name, was.CallID = "k2", "of-another-engine"
		if _, err := keys.PutKey(t.Context(), was); err != nil {
			t.Fatal(err)
		}
		o.IdempotencyKey = "k2"
		if _, err := h.Dial(t.Context(), o); !errors.Is(err, call.ErrKeyElsewhere) {
			t.Errorf("%v", err)
		}
		h.stop()
	})
}

// TestIdempotencyOfWhatIsNotPlaced: a refused call keeps its key, an engine without room does not.
func TestIdempotencyOfWhatIsNotPlaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(1), func(c *call.Config) { c.MaxCalls = 1; c.Outbound.Tel = []string{"+49"} })
		p := callee(t, h, 1)
		denied := call.DialOptions{Destination: number("+12125550100"), IdempotencyKey: "denied"}
		var refusal *call.Refusal
		a, err := h.Dial(t.Context(), denied)
		if !errors.As(err, &refusal) || a == nil {
			t.Fatalf("%v", err)
		}
		<-a.Done()
		synctest.Wait()
		if b, err := h.Dial(t.Context(), denied); !errors.As(err, &refusal) || b.ID() != a.ID() {
			t.Errorf("%v", err)
		}
		one := call.DialOptions{Destination: number("+4930901820"), IdempotencyKey: "one"}
		two := one
		two.IdempotencyKey = "two"
		c, err := h.Dial(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Dial(t.Context(), two); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("%v", err)
		}
		if d, err := h.Dial(t.Context(), one); err != nil || d != c { // it is no new call
			t.Errorf("%v", err)
		}
		p.WaitCall(t).Refuse(486)
		<-c.Done()
		if _, err := h.Dial(t.Context(), two); err != nil {
			t.Error(err)
		}
		h.stop()
	})
}
