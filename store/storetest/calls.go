package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

func testCallRoundTrip(t *testing.T, s store.Store) {
	_, err := s.Call(t.Context(), "none")
	wantErr(t, err, store.ErrNotFound, "Call of an unknown id")
	for _, c := range []store.Call{fullCall("full"), call("spare", 0)} {
		put(t, s, c)
		wantCall(t, s, c)
		page, _, err := s.ListCalls(t.Context(), store.CallFilter{Status: c.Status})
		if err != nil || len(page) != 1 {
			t.Fatalf("ListCalls = %d calls, %v; want 1", len(page), err)
		}
		if d := cmp.Diff(clean(t, c), page[0]); d != "" {
			t.Errorf("ListCalls differs (-want +got):\n%s", d)
		}
	}
}

func testCallReplaced(t *testing.T, s store.Store) {
	c := fullCall("a")
	c.Status = store.StatusRinging
	put(t, s, c, c)
	changed := call("a", time.Minute) // also its place in the list
	changed.Status, changed.Metadata = store.StatusHangup, map[string]string{"tenant": "b"}
	put(t, s, changed, call("b", time.Second), changed)
	wantCall(t, s, changed)
	wantIDs(t, list(t, s, store.CallFilter{}), "a", "b")
	wantIDs(t, list(t, s, store.CallFilter{Status: store.StatusHangup}), "a")
	wantIDs(t, list(t, s, store.CallFilter{JourneyID: "jo"}))
	wantIDs(t, list(t, s, store.CallFilter{Metadata: map[string]string{"tenant": "a"}}))
	wantIDs(t, list(t, s, store.CallFilter{Metadata: map[string]string{"tenant": "b"}}), "a")
}

func testCallsAreValues(t *testing.T, s store.Store) {
	c := fullCall("a")
	put(t, s, c)
	want := fullCall("a")
	spoil := func(c store.Call) {
		c.Metadata["tenant"], c.ActionMS["talk"], *c.MOS = "spoilt", -1, -1
		c.ChainedCallIDs[0], c.RecordingIDs[0], c.Verdict[0] = "spoilt", "spoilt", 'x'
		c.Attempts[0].Reason = "spoilt"
	}
	spoil(c) // what was given
	wantCall(t, s, want)
	got, err := s.Call(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	spoil(got) // what was handed out
	wantCall(t, s, want)
	page, _, err := s.ListCalls(t.Context(), store.CallFilter{})
	if err != nil || len(page) != 1 {
		t.Fatalf("ListCalls = %v, %v", page, err)
	}
	spoil(page[0])
	wantCall(t, s, want)
}

func testBadCalls(t *testing.T, s store.Store) {
	for name, c := range map[string]store.Call{
		"no id":            {TmCreate: at(0)},
		"no time":          {ID: "a"},
		"NUL in the id":    {ID: "a\x00b", TmCreate: at(0)},
		"broken id":        {ID: "\xff", TmCreate: at(0)},
		"long id":          {ID: strings.Repeat("x", 256), TmCreate: at(0)},
		"verdict not JSON": {ID: "a", TmCreate: at(0), Verdict: []byte("{")},
	} {
		wantErr(t, s.PutCall(t.Context(), c), store.ErrInvalid, name)
	}
	wantIDs(t, list(t, s, store.CallFilter{}))
}

func testOddText(t *testing.T, s store.Store) {
	for i, text := range []string{
		`'; DROP TABLE calls; --`, `%_\`, "a\x00b", "\xff\xfe", "line\nline\r\ttab", "\u2028\u202e", "🎧 日本語 العربية", `"quoted\"`, " ", "ß\u0301",
	} {
		c := call(fmt.Sprintf("odd %d %s", i, strings.Map(printable, text)), time.Duration(i)*time.Second)
		c.Source = address.Address{Type: "sip", Target: text, Name: text}
		c.Metadata = map[string]string{"k" + text: text}
		c.Sentence, c.JourneyID = text, text
		put(t, s, c)
		wantCall(t, s, c)
		want := clean(t, c)
		wantIDs(t, list(t, s, store.CallFilter{Source: want.Source.Target}), c.ID)
		wantIDs(t, list(t, s, store.CallFilter{Metadata: want.Metadata}), c.ID)
		wantIDs(t, list(t, s, store.CallFilter{JourneyID: want.JourneyID}), c.ID)
	}
}

func printable(r rune) rune {
	if r < ' ' || r == '\ufffd' || r == 0x7f {
		return -1
	}
	return r
}

func testHugeValues(t *testing.T, s store.Store) {
	c := call("huge", 0)
	c.Sentence = strings.Repeat("sentence ", 1<<17)
	c.Source.Name = strings.Repeat("ü", 1<<16)
	c.Metadata = map[string]string{}
	for i := range 500 {
		c.Metadata[fmt.Sprintf("key %d", i)] = strings.Repeat("v", 1000)
	}
	put(t, s, c)
	wantCall(t, s, c)
	trace := []byte(strings.Repeat(`{"a":1}`+"\n", 1<<17))
	if err := s.PutTrace(t.Context(), "huge", trace); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Trace(t.Context(), "huge"); err != nil || string(got) != string(trace) {
		t.Errorf("Trace: %d bytes, %v; want %d", len(got), err, len(trace))
	}
}

func testCallsNewestFirst(t *testing.T, s store.Store) {
	put(t, s, call("b", 2*time.Second), call("d", 4*time.Second), call("a", time.Second), call("c", 3*time.Second),
		call("old", -40*365*24*time.Hour), call("new", 40*365*24*time.Hour), call("b1", 2*time.Second+time.Microsecond))
	wantIDs(t, list(t, s, store.CallFilter{}), "new", "d", "c", "b1", "b", "a", "old")
	wantIDs(t, list(t, s, store.CallFilter{PageSize: 2}), "new", "d", "c", "b1", "b", "a", "old")
	wantIDs(t, list(t, s, store.CallFilter{Since: at(2 * time.Second), Until: at(4 * time.Second)}), "c", "b1", "b")
	wantIDs(t, list(t, s, store.CallFilter{Since: at(4 * time.Second), PageSize: 1}), "new", "d")
	wantIDs(t, list(t, s, store.CallFilter{Until: at(time.Second)}), "old")
	// A limit may lie between two microseconds.
	between := store.Time{Time: at(2 * time.Second).Add(time.Nanosecond)}
	wantIDs(t, list(t, s, store.CallFilter{Since: between, Until: at(3 * time.Second)}), "b1")
	wantIDs(t, list(t, s, store.CallFilter{Since: at(2 * time.Second), Until: between}), "b")
}

func testPagesUnderEqualTimes(t *testing.T, s store.Store) {
	var want []string
	for i := range 57 {
		id := fmt.Sprintf("%03d", i)
		put(t, s, call(id, 0))
		want = append(want, id)
	}
	slices.Reverse(want)
	for _, size := range []int{1, 7, 56, 57, 58, 100} {
		wantIDs(t, list(t, s, store.CallFilter{PageSize: size}), want...)
	}
}

func testPagesWhileRowsComeAndGo(t *testing.T, s store.Store) {
	for i := range 10 {
		put(t, s, call(fmt.Sprint(i), time.Duration(i)*time.Second))
	}
	f := store.CallFilter{PageSize: 4}
	first, next, err := s.ListCalls(t.Context(), f)
	if err != nil || len(first) != 4 {
		t.Fatalf("ListCalls = %d calls, %v", len(first), err)
	}
	put(t, s, call("newer", time.Hour))
	if err := s.DeleteCall(t.Context(), first[3].ID); err != nil { // the one that the token names
		t.Fatal(err)
	}
	f.PageToken = next
	wantIDs(t, list(t, s, f), "5", "4", "3", "2", "1", "0")
}

func testPageSizesAndTokens(t *testing.T, s store.Store) {
	for i := range 101 {
		put(t, s, call(fmt.Sprint(i), time.Duration(i)))
	}
	page, next, err := s.ListCalls(t.Context(), store.CallFilter{})
	if err != nil || len(page) != 100 || next == "" {
		t.Errorf("ListCalls without a size = %d calls, next %q, %v; want 100 and a token", len(page), next, err)
	}
	for _, f := range []store.CallFilter{{PageSize: -1}, {PageSize: 101}, {PageToken: "x"}, {PageToken: "MTIzNA"}, {PageToken: next + "="},
		{PageToken: strings.Repeat("A", 1<<16)}} {
		_, _, err := s.ListCalls(t.Context(), f)
		wantErr(t, err, store.ErrInvalid, fmt.Sprintf("ListCalls(size %d, token %.20q)", f.PageSize, f.PageToken))
		_, _, err = s.ListRecordings(t.Context(), store.RecordingFilter{PageSize: f.PageSize, PageToken: f.PageToken})
		wantErr(t, err, store.ErrInvalid, "ListRecordings")
		_, _, err = s.ListFlows(t.Context(), store.FlowFilter{PageSize: f.PageSize, PageToken: f.PageToken})
		wantErr(t, err, store.ErrInvalid, "ListFlows")
	}
}

func testCallFilters(t *testing.T, s store.Store) {
	mk := func(i int, change func(*store.Call)) store.Call {
		c := call(fmt.Sprint(i), time.Duration(i)*time.Second)
		change(&c)
		return c
	}
	put(t, s,
		mk(1, func(c *store.Call) { c.Status, c.HangupReason = store.StatusHangup, store.ReasonBusy }),
		mk(2, func(c *store.Call) { c.Status, c.HangupReason = store.StatusHangup, store.ReasonNormal }),
		mk(3, func(c *store.Call) {
			c.Direction = store.DirectionOutgoing
			c.JourneyID = "j"
			c.Account = "acc"
			c.ActiveflowID = "af"
		}),
		mk(4, func(c *store.Call) { c.Direction = store.DirectionIncoming; c.JourneyID = "j" }),
		mk(5, func(c *store.Call) { c.Source.Target = "+49301"; c.Destination.Target = "+49302" }),
		mk(6, func(c *store.Call) { c.Source.Target = "+49302"; c.Destination.Target = "+49301" }),
		mk(7, func(c *store.Call) { c.Source.TargetName = "2001"; c.Source.Target = "id" }),
		mk(8, func(c *store.Call) { c.Metadata = map[string]string{"a": "1", "b": "2", "c": "3"} }),
		mk(9, func(c *store.Call) { c.Metadata = map[string]string{"a": "1", "b": "3"} }),
		mk(10, func(c *store.Call) { c.Metadata = map[string]string{"b": "1", "e": ""} }),
	)
	for _, c := range []struct {
		f    store.CallFilter
		want []string
	}{
		{store.CallFilter{Status: store.StatusHangup}, []string{"2", "1"}},
		{store.CallFilter{HangupReason: store.ReasonBusy}, []string{"1"}},
		{store.CallFilter{Status: store.StatusRinging, HangupReason: store.ReasonBusy}, nil},
		{store.CallFilter{Direction: store.DirectionOutgoing}, []string{"3"}},
		{store.CallFilter{JourneyID: "j"}, []string{"4", "3"}},
		{store.CallFilter{JourneyID: "j", PageSize: 1}, []string{"4", "3"}},
		{store.CallFilter{JourneyID: "J"}, nil}, // exactly
		{store.CallFilter{Account: "acc"}, []string{"3"}},
		{store.CallFilter{Account: "ac"}, nil},
		{store.CallFilter{ActiveflowID: "af"}, []string{"3"}},
		{store.CallFilter{ActiveflowID: "a"}, nil},
		{store.CallFilter{Source: "+49301"}, []string{"5"}},
		{store.CallFilter{Destination: "+49301"}, []string{"6"}},
		{store.CallFilter{Source: "+4930%"}, nil},
		{store.CallFilter{Source: "2001"}, []string{"7"}},
		{store.CallFilter{Source: "id"}, []string{"7"}},
		{store.CallFilter{Metadata: map[string]string{"a": "1"}}, []string{"9", "8"}},
		{store.CallFilter{Metadata: map[string]string{"a": "1"}, PageSize: 1}, []string{"9", "8"}},
		{store.CallFilter{Metadata: map[string]string{"a": "1", "b": "2"}}, []string{"8"}},
		{store.CallFilter{Metadata: map[string]string{"a": "1", "c": "2"}}, nil},
		{store.CallFilter{Metadata: map[string]string{"e": ""}}, []string{"10"}},
		{store.CallFilter{Metadata: map[string]string{"a": ""}}, nil},
		{store.CallFilter{Since: at(9 * time.Second), Metadata: map[string]string{"a": "1"}}, []string{"9"}},
	} {
		t.Logf("%+v", c.f)
		wantIDs(t, list(t, s, c.f), c.want...)
	}
}

func testCallDelete(t *testing.T, s store.Store) {
	wantErr(t, s.DeleteCall(t.Context(), "a"), store.ErrNotFound, "DeleteCall of an unknown id")
	c := fullCall("a")
	put(t, s, c, call("b", 0))
	if err := s.PutTrace(t.Context(), "a", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteCall(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Call(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Call after DeleteCall")
	_, err = s.Trace(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Trace after DeleteCall")
	wantErr(t, s.DeleteCall(t.Context(), "a"), store.ErrNotFound, "DeleteCall twice")
	wantIDs(t, list(t, s, store.CallFilter{}), "b")
	wantIDs(t, list(t, s, store.CallFilter{Metadata: c.Metadata}))
	put(t, s, c) // comes back whole
	wantCall(t, s, c)
}

func testTraces(t *testing.T, s store.Store) {
	_, err := s.Trace(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Trace of an unknown call")
	wantErr(t, s.PutTrace(t.Context(), "", nil), store.ErrInvalid, "PutTrace without an id")
	for _, want := range []string{"{\"a\":1}\n", "", "\x00\xff\n"} {
		lines := []byte(want)
		if err := s.PutTrace(t.Context(), "a", lines); err != nil {
			t.Fatal(err)
		}
		for i := range lines {
			lines[i] = 'x' // the driver must not have kept it
		}
		got, err := s.Trace(t.Context(), "a")
		if err != nil || string(got) != want {
			t.Errorf("Trace = %q, %v; want %q", got, err, want)
		}
	}
	put(t, s, call("a", 0)) // the call may come after its trace
	if got, err := s.Trace(t.Context(), "a"); err != nil || string(got) != "\x00\xff\n" {
		t.Errorf("Trace after PutCall = %q, %v", got, err)
	}
}

func testConcurrentUse(t *testing.T, s store.Store) {
	const writers, each = 8, 25
	errs := make(chan error, 3*writers)
	for w := range writers {
		go func() {
			for i := range each {
				c := call(fmt.Sprintf("%d-%02d", w, i), time.Duration(i)*time.Second)
				c.Metadata = map[string]string{"writer": fmt.Sprint(w)}
				for _, st := range []string{store.StatusRinging, store.StatusProgressing, store.StatusHangup} {
					c.Status = st
					if err := s.PutCall(t.Context(), c); err != nil {
						errs <- err
						return
					}
					// What was put is seen at once.
					if got, err := s.Call(t.Context(), c.ID); err != nil || got.Status != st {
						errs <- fmt.Errorf("Call(%s) = %s, %w; want %s", c.ID, got.Status, err, st)
						return
					}
				}
			}
			errs <- nil
		}()
		go func() {
			for range each {
				if _, _, err := s.ListCalls(t.Context(), store.CallFilter{PageSize: 10, Metadata: map[string]string{"writer": "1"}}); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			w, err := s.CreateBlob(t.Context(), fmt.Sprintf("dir/%d", w))
			if err != nil {
				errs <- err
				return
			}
			for range each {
				if _, err := w.Write(make([]byte, 320)); err != nil {
					errs <- err
					return
				}
			}
			errs <- w.Close()
		}()
	}
	for range 3 * writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	all := list(t, s, store.CallFilter{Status: store.StatusHangup, PageSize: 9})
	slices.Sort(all)
	if len(all) != writers*each || len(slices.Compact(all)) != writers*each {
		t.Errorf("%d calls, want %d", len(all), writers*each)
	}
}
