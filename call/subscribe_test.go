package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// drain reads what waits.
func drain(s *call.Subscription) (all []call.Event) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for e := range s.All(ctx) {
		all = append(all, e)
	}
	return all
}

func subscribe(t *testing.T, h *house, o call.SubscribeOptions) *call.Subscription {
	t.Helper()
	s, err := h.Subscribe(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestEventsOfACall looks at every field of every event of one call, and that the hook and a subscriber are told the same.
func TestEventsOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"recording_start"},{"id":"d","type":"digits_receive","option":{"duration":3000,"length":2}},{"type":"beep"}]`}, func(c *call.Config) {
			c.QualityInterval = time.Second
		})
		s := subscribe(t, h, call.SubscribeOptions{})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.Say(calltest.Tone(500, 2500*time.Millisecond))
		time.Sleep(2500 * time.Millisecond)
		c.Press("7*")
		c.WaitEnd(t)
		rec := h.records(t)[0]
		got := drain(s)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(got) != len(h.events) {
			t.Fatalf("the subscriber got %d events, the hook %d", len(got), len(h.events))
		}
		var types []string
		for i, e := range got {
			types = append(types, e.Type)
			if e.ID == "" || e.Seq != i+1 || e.CallID != rec.ID || e.JourneyID != rec.JourneyID || e.Time.IsZero() || e.Data == nil {
				t.Errorf("event %d: %+v", i, e)
			}
			if o := h.events[i]; o.ID != e.ID || o.Type != e.Type {
				t.Errorf("the hook's event %d is %s %s", i, o.Type, o.ID)
			}
			if i > 0 && (e.ID <= got[i-1].ID || e.Time.Before(got[i-1].Time)) {
				t.Errorf("event %d is not after the one before", i)
			}
		}
		want := "call_created call_ringing activeflow_created activeflow_updated call_progressing activeflow_updated recording_started activeflow_updated " +
			"call_quality call_quality dtmf_received activeflow_updated dtmf_received call_quality activeflow_deleted call_terminating recording_finished call_quality call_hangup"
		if s := strings.Join(types, " "); s != want {
			t.Errorf("events\n%s\nwant\n%s", s, want)
		}
		by := map[string][]any{}
		for _, e := range got {
			by[e.Type] = append(by[e.Type], e.Data)
		}
		d := by["dtmf_received"][0].(call.Digit)
		if d.Digit != "7" || d.DurationMS < 40 || d.DurationMS > 400 || d.Direction != "in" || d.By != "rtp" || d.CallID != rec.ID {
			t.Errorf("digit %+v", d)
		}
		q := by["call_quality"][3].(call.Quality)
		if !q.Final || q.MOS == nil || *q.MOS < 4 || q.LossPercent == nil || *q.LossPercent != 0 || q.JitterMS == nil || q.PacketsIn < 100 || q.Codec != "PCMU" {
			t.Errorf("quality at the end %+v", q)
		}
		if q := by["call_quality"][0].(call.Quality); q.Final || q.MOS != nil && *q.MOS < 1 || q.PacketsIn < 30 {
			t.Errorf("quality after a second %+v", q)
		}
		started, finished := by["recording_started"][0].(store.Recording), by["recording_finished"][0].(store.Recording)
		if started.ID != rec.RecordingIDs[0] || started.Status != store.RecordingRecording || finished.Status != store.RecordingEnded || finished.DurationMS < 2500 ||
			finished.Code != "hangup" || len(finished.Files) != 1 || finished.Files[0].Bytes < 40000 || finished.ReferenceID != rec.ID || finished.JourneyID != rec.JourneyID {
			t.Errorf("recording %+v and %+v", started, finished)
		}
		flows := by["activeflow_updated"]
		if a := flows[2].(call.Activeflow); a.ID != rec.ActiveflowID || a.CurrentAction.ID != "d" || a.CurrentAction.Execution != 3 || a.Status != call.ActiveflowRunning {
			t.Errorf("the flow at its third step: %+v", a)
		}
		if a := by["activeflow_deleted"][0].(call.Activeflow); a.Status != call.ActiveflowEnded || a.CurrentAction != nil {
			t.Errorf("the flow at its end: %+v", a)
		}
		if s.Err() != call.ErrEngineEnded {
			t.Errorf("the subscription ended by %v", s.Err())
		}
		if _, err := h.Subscribe(call.SubscribeOptions{}); err != call.ErrEngineEnded {
			t.Errorf("subscribing after the end: %v", err)
		}
	})
}

// TestQualityIsNilUntilMeasured has a caller who sends nothing.
func TestQualityIsNilUntilMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`})
		s := subscribe(t, h, call.SubscribeOptions{Types: []string{"call_quality"}})
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{NoRTP: true}).Dial(t, "100").WaitEnd(t)
		h.stop()
		got := drain(s)
		if len(got) != 1 {
			t.Fatalf("%d events", len(got))
		}
		if q := got[0].Data.(call.Quality); q.MOS != nil || q.JitterMS != nil || q.LossPercent != nil || q.PacketsOut == 0 || !q.Final {
			t.Errorf("%+v", q)
		}
	})
}

// TestSubscribersChoose has subscribers of types, calls, journeys and rooms.
func TestSubscribersChoose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"conference_join","option":{"conference_id":"${voipbin.call.source.target_name}"}}]`, "200": `[{"type":"answer"},{"type":"conference_join","option":{"conference_id":"blue"}}]`},
			func(c *call.Config) { c.OpenRooms = true })
		all := subscribe(t, h, call.SubscribeOptions{})
		ends := subscribe(t, h, call.SubscribeOptions{Types: []string{"call_hangup", "conference_*"}})
		room := subscribe(t, h, call.SubscribeOptions{ConferenceID: "blue"})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "200")
		var id, journey string
		for c := range h.Calls() {
			id, journey = c.ID(), c.Record().JourneyID
		}
		one := subscribe(t, h, call.SubscribeOptions{CallID: id})
		way := subscribe(t, h, call.SubscribeOptions{JourneyID: journey, Types: []string{"call_*"}})
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "200")
		time.Sleep(time.Second)
		a.Hangup(t)
		b.Hangup(t)
		h.stop()
		told := drain(all)
		pick := func(f func(e call.Event) bool) (ids []string) {
			for _, e := range told {
				if f(e) {
					ids = append(ids, e.ID)
				}
			}
			return ids
		}
		ids := func(s *call.Subscription) (ids []string) {
			for _, e := range drain(s) {
				ids = append(ids, e.ID)
			}
			return ids
		}
		isRoom := func(e call.Event) bool { return strings.HasPrefix(e.Type, "conference") }
		if got, want := ids(ends), pick(func(e call.Event) bool { return e.Type == "call_hangup" || strings.HasPrefix(e.Type, "conference_") }); !slices.Equal(got, want) || len(got) != 5 {
			t.Errorf("of ends %d events, want %d", len(got), len(want))
		}
		if got, want := ids(room), pick(isRoom); !slices.Equal(got, want) || len(got) != 9 {
			t.Errorf("of the room %d events, want %d", len(got), len(want))
		}
		later := func(ids []string, from []string) []string { // of from, those that are not before the first of ids
			return slices.DeleteFunc(from, func(id string) bool { return len(ids) == 0 || id < ids[0] })
		}
		got := ids(one)
		if want := later(got, pick(func(e call.Event) bool { return e.CallID == id })); !slices.Equal(got, want) || len(got) < 5 {
			t.Errorf("of the call %d events, want %d", len(got), len(want))
		}
		got = ids(way)
		if want := later(got, pick(func(e call.Event) bool { return e.JourneyID == journey && strings.HasPrefix(e.Type, "call_") })); !slices.Equal(got, want) || len(got) < 2 {
			t.Errorf("of the journey %d events, want %d", len(got), len(want))
		}
		seq := 0
		for _, e := range told { // the room counts its own
			if isRoom(e) {
				if seq++; e.Seq != seq || e.ConferenceID != "blue" {
					t.Errorf("%s of the room has number %d, want %d", e.Type, e.Seq, seq)
				}
			}
		}
		if last := told[slices.IndexFunc(told, func(e call.Event) bool { return e.Type == "conference_deleted" })]; last.Seq != seq {
			t.Error("conference_deleted is not the last event of the room")
		}
	})
}

// TestSubscriptionChanges: a subscription wants something else from one moment on, and what was told before is not touched.
func TestSubscriptionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`})
		h.KeepEvents()
		s := subscribe(t, h, call.SubscribeOptions{Any: []call.EventFilter{}})
		phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		dial := func() {
			phone.Dial(t, "100").WaitEnd(t)
			time.Sleep(time.Second) // all of it is told
		}
		dial() // of which nothing is wanted
		s.Choose([]call.EventFilter{{Types: []string{"call_created"}}, {Types: []string{"call_hangup"}}})
		dial()
		s.Choose([]call.EventFilter{{Types: []string{"call_progressing"}}})
		dial()
		recent := h.RecentEvents(call.SubscribeOptions{Types: []string{"call_hangup"}}, "", 10)
		older := h.RecentEvents(call.SubscribeOptions{}, recent[0].ID, 2)
		h.stop()
		var got []string
		for {
			ev, text, err := s.NextJSON(context.Background())
			if err != nil {
				break
			}
			var same call.Event
			if err := json.Unmarshal(text, &same); err != nil || same.ID != ev.ID || same.Type != ev.Type || same.Seq != ev.Seq {
				t.Errorf("%s: %v, %v", text, same, err)
			}
			got = append(got, ev.Type)
		}
		if want := []string{"call_created", "call_hangup", "call_progressing"}; !slices.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
		if len(recent) != 3 || recent[0].ID < recent[1].ID || len(older) != 2 || older[0].ID >= recent[0].ID || older[1].ID >= older[0].ID {
			t.Errorf("%d are recent, %d are older", len(recent), len(older))
		}
	})
}

// TestSlowSubscriberIsDropped fills a buffer, and goes on after the last event that was read.
// What was told before the end of a subscription, by whichever side, can be read after it: the dispatcher may not have had its turn.
func TestNothingToldIsLostAtTheEnd(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, nil)
			closed, ended := subscribe(t, h, call.SubscribeOptions{}), subscribe(t, h, call.SubscribeOptions{Buffer: 100})
			const n = 20
			for i := range n {
				if _, err := h.CreateConference(call.ConferenceOptions{ID: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			closed.Close()
			if got := len(drain(closed)); got != n {
				t.Errorf("%d of %d events are left after Close", got, n)
			}
			h.stop()
			created := slices.DeleteFunc(drain(ended), func(e call.Event) bool { return e.Type != "conference_created" })
			if len(created) != n || ended.Err() != call.ErrEngineEnded {
				t.Errorf("%d of %d events are left after the engine's end: %v", len(created), n, ended.Err())
			}
		})
	}
}

func TestSlowSubscriberIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`}, func(c *call.Config) { c.EventHistory = 1000 })
		all := subscribe(t, h, call.SubscribeOptions{})
		slow := subscribe(t, h, call.SubscribeOptions{Buffer: 5})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		p.Dial(t, "100").WaitEnd(t)
		synctest.Wait()
		if slow.Err() != call.ErrSlowSubscriber {
			t.Errorf("ended by %v", slow.Err())
		}
		had := drain(slow)
		if _, err := slow.Next(t.Context()); err != call.ErrSlowSubscriber || len(had) != 5 {
			t.Errorf("%d events, then %v", len(had), err)
		}
		again := subscribe(t, h, call.SubscribeOptions{Buffer: 500, After: had[4].ID})
		p.Dial(t, "100").WaitEnd(t)
		synctest.Wait()
		var want, got []string
		for _, e := range drain(all) {
			want = append(want, e.ID)
		}
		for _, e := range append(had, drain(again)...) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with the gap closed there are %d events, want %d", len(got), len(want))
		}
		for range 100 { // 10 events each
			p.Dial(t, "100").WaitEnd(t)
		}
		if _, err := h.Subscribe(call.SubscribeOptions{After: had[4].ID}); err != call.ErrEventsLost {
			t.Errorf("after an event that is not kept: %v", err)
		}
		for _, o := range []call.SubscribeOptions{{Buffer: -1}, {Buffer: 1 << 20}, {After: "x"}} {
			if _, err := h.Subscribe(o); err == nil {
				t.Errorf("%+v is taken", o)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("why")
		cancel(why)
		synctest.Wait() // for the last call_hangup
		fresh := subscribe(t, h, call.SubscribeOptions{})
		if _, err := fresh.Next(ctx); err != why {
			t.Errorf("got %v", err)
		}
		fresh.Close()
		fresh.Close()
		if _, err := fresh.Next(t.Context()); err != call.ErrUnsubscribed {
			t.Errorf("got %v", err)
		}
	})
}

// TestStalledSubscribersStallNobody has 500 calls at once, 200 subscribers and 20 that never read: all calls do the same, at the same
// time, as without them; each of the 200 gets every event, once and in order; and the others hold what fits in their buffers.
func TestStalledSubscribersStallNobody(t *testing.T) {
	const calls = 500
	readers, stalled := 200, 20
	if testing.Short() {
		readers = 20
	}
	run := func(t *testing.T, readers, stalled int) (times []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":2000}},{"type":"variable_set","option":{"key":"a","value":"b"}}]`}, func(c *call.Config) {
				c.OnEvent = nil
			})
			var wg sync.WaitGroup
			var told atomic.Int64
			sums := make([]string, readers)
			for i := range readers {
				s := subscribe(t, h, call.SubscribeOptions{Types: []string{"call_*"}, Buffer: 16 * calls})
				wg.Go(func() {
					seqs, n := map[string]int{}, 0
					last := ""
					for e := range s.All(context.Background()) {
						if e.Seq <= seqs[e.CallID] || e.ID <= last {
							t.Errorf("event %d of %s after %d", e.Seq, e.CallID, seqs[e.CallID])
						}
						seqs[e.CallID], last = e.Seq, e.ID
						n++
					}
					told.Add(int64(n))
					sums[i] = fmt.Sprint(n, " ", len(seqs), " ", last)
				})
			}
			var stuck []*call.Subscription
			for range stalled {
				stuck = append(stuck, subscribe(t, h, call.SubscribeOptions{}))
			}
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
			begun := time.Now()
			var all []*calltest.PhoneCall
			for range calls {
				all = append(all, p.Start(t, "100"))
			}
			for _, c := range all {
				c.WaitEnd(t)
				times = append(times, time.Since(begun))
			}
			if n := len(h.records(t)); n != 100 { // a page
				t.Errorf("%d records", n)
			}
			wg.Wait()
			for i, s := range sums {
				if s != sums[0] {
					t.Errorf("subscriber %d got %s, another one %s", i, s, sums[0])
				}
			}
			if n := told.Load(); n != int64(readers*calls*6) { // created, ringing, progressing, terminating, quality, hangup
				t.Errorf("%d events were read, want %d", n, readers*calls*6)
			}
			for _, s := range stuck {
				if n := len(drain(s)); n != call.DefaultEventBuffer || s.Err() != call.ErrSlowSubscriber {
					t.Errorf("one that does not read holds %d events, and ended by %v", n, s.Err())
				}
			}
		})
		return times
	}
	alone := run(t, 0, 0)
	crowded := run(t, readers, stalled)
	for i := range alone {
		if d := (crowded[i] - alone[i]).Abs(); d > 25*time.Millisecond { // of a caller who is at another place of the clock's tick
			t.Errorf("call %d ends after %v, without subscribers after %v", i, crowded[i], alone[i])
		}
	}
}

// BenchmarkTell is what a call pays for an event: the same with any number of subscribers.
func BenchmarkTell(b *testing.B) {
	for _, n := range []int{0, 1, 20, 200} {
		b.Run(fmt.Sprint(n, " subscribers"), func(b *testing.B) {
			e, stop := calltest.Run(b, calltest.NewNet(), call.Config{Route: noFlow})
			defer stop()
			var wg sync.WaitGroup
			defer wg.Wait()
			for range n {
				s, err := e.Subscribe(call.SubscribeOptions{Buffer: 1 << 16})
				if err != nil {
					b.Fatal(err)
				}
				wg.Go(func() {
					for range s.All(context.Background()) { // it keeps up
					}
				})
				defer s.Close()
			}
			f, err := e.CreateConference(call.ConferenceOptions{ID: "x"})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				call.TellForTest(f)
				if i++; i%32 == 0 {
					b.StopTimer() // the others have their turn: what is measured is the teller
					runtime.Gosched()
					b.StartTimer()
				}
			}
		})
	}
}
