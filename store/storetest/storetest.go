// Package storetest checks that a store driver keeps the contract of package store.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
//		storetest.RunReopen(t, open)
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Run checks all that every driver has to do. open returns a fresh, empty store;
// the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"CallRoundTrip", testCallRoundTrip},
		{"CallPutTwiceIsReplaced", testCallReplaced},
		{"CallsAreValues", testCallsAreValues},
		{"BadCallsAreRefused", testBadCalls},
		{"OddText", testOddText},
		{"HugeValues", testHugeValues},
		{"CallsNewestFirst", testCallsNewestFirst},
		{"PagesUnderEqualTimes", testPagesUnderEqualTimes},
		{"PagesWhileRowsComeAndGo", testPagesWhileRowsComeAndGo},
		{"PageSizesAndTokens", testPageSizesAndTokens},
		{"CallFilters", testCallFilters},
		{"CallDelete", testCallDelete},
		{"Recordings", testRecordings},
		{"Groupcalls", testGroupcalls},
		{"Voicemails", testVoicemails},
		{"Queuecalls", testQueuecalls},
		{"Conferences", testConferences},
		{"Conferencecalls", testStays},
		{"Flows", testFlows},
		{"FlowRevisions", testFlowRevisions},
		{"FlowWritersRace", testFlowWritersRace},
		{"Entries", testEntries},
		{"EntryRevisions", testEntryRevisions},
		{"EntryWritersRace", testEntryWritersRace},
		{"Traces", testTraces},
		{"Keys", testKeys},
		{"BlobRoundTrip", testBlobRoundTrip},
		{"BlobIsValidWhileWritten", testBlobWhileWritten},
		{"BlobNeverOverwritten", testBlobNeverOverwritten},
		{"BlobNames", testBlobNames},
		{"ConcurrentUse", testConcurrentUse},
		{"EndedContext", testEndedContext},
		{"Close", testClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			c.test(t, s)
		})
	}
}

// base is a time with microseconds, in no round zone.
var base = time.Date(2026, 11, 23, 7, 22, 12, 123456789, time.FixedZone("", 5*3600+45*60))

func at(d time.Duration) store.Time { return store.At(base.Add(d)) }

// fullCall has every field set, so that a driver that forgets one is found.
func fullCall(id string) store.Call {
	mos := 4.25
	return store.Call{
		ID: id, CustomerID: "cu", FlowID: "fl", ActiveflowID: "af", Type: store.TypeFlow, MasterCallID: "ma",
		ChainedCallIDs: []string{"c1", "c2"}, RecordingID: "r2", RecordingIDs: []string{"r1", "r2"}, GroupcallID: "gr",
		ConfbridgeID: "cb", Trunk: "provider", Attempts: []store.Attempt{{URI: "sip:+16062067563@198.51.100.1", Transport: "udp",
			Peer: "198.51.100.1:5060", Trunk: "first", SIPCode: 503, Reason: "Service Unavailable", ReasonHeader: "Q.850;cause=34", Cause: 34,
			Retryable: true, Tm: store.At(time.Unix(1700000000, 0)), TmRinging: store.At(time.Unix(1700000001, 0)),
			TmEnd: store.At(time.Unix(1700000002, 0)), MS: 2000}},
		Source:      address.Address{Type: address.TypeTel, Target: "+4930901820", TargetName: "tn", Name: "Jürgen 日本 🎧", Detail: "de"},
		Destination: address.Address{Type: address.TypeExtension, Target: "2001", TargetName: "two", Name: "n", Detail: "d"},
		Status:      store.StatusHangup, Metadata: map[string]string{"tenant": "a", "ключ": "значение"},
		Direction: store.DirectionIncoming, MuteDirection: "in", HangupBy: store.HangupByRemote, HangupReason: store.ReasonNormal,
		TmCreate: at(0), TmRinging: at(time.Second), TmProgressing: at(2 * time.Second), TmHangup: at(time.Minute), TmUpdate: at(time.Hour),
		JourneyID: "jo", SIPCode: 200, Cause: 16, Code: "caller_hung_up", Sentence: `The caller hung up <"&'>.`,
		FlowPosition: "menu.2", Verdict: []byte(`{"ok":true,"why":["<a>","b"]}`),
		Account: "acc", Cost: 1<<53 + 1, Currency: "USD", BilledSeconds: 60, RatePrefix: "+1",
		SIPCallID: "a84b4c76e66710@pc33", Peer: "192.0.2.1:5060", Transport: "udp",
		Sums: store.Sums{
			RingMS: 1, TalkMS: 2, SilenceMS: 3, ActionMS: map[string]int64{"talk": 4, "play": 1 << 60},
			PacketsIn: 5, PacketsOut: 1<<64 - 1, PacketsLost: 7, JitterMS: 0.125, MOS: &mos,
		},
	}
}

func call(id string, after time.Duration) store.Call {
	return store.Call{ID: id, TmCreate: at(after), Status: store.StatusRinging}
}

func put(t *testing.T, s store.Calls, calls ...store.Call) {
	t.Helper()
	for _, c := range calls {
		if err := s.PutCall(t.Context(), c); err != nil {
			t.Fatalf("PutCall(%s): %v", c.ID, err)
		}
	}
}

func clean[T interface{ Clean() (T, error) }](t *testing.T, v T) T {
	t.Helper()
	c, err := v.Clean()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCall(t *testing.T, s store.Calls, want store.Call) {
	t.Helper()
	got, err := s.Call(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Call(%q): %v", want.ID, err)
	}
	if d := cmp.Diff(clean(t, want), got); d != "" {
		t.Errorf("Call(%q) differs (-want +got):\n%s", want.ID, d)
	}
}

func wantErr(t *testing.T, err, want error, what string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one matching %q", what, err, want)
	}
}

// list reads all pages and checks their sizes.
func list(t *testing.T, s store.Calls, f store.CallFilter) []string {
	t.Helper()
	var ids []string
	for range 1000 {
		page, next, err := s.ListCalls(t.Context(), f)
		if err != nil {
			t.Fatalf("ListCalls(%+v): %v", f, err)
		}
		want := f.PageSize
		if want == 0 {
			want = store.MaxPage
		}
		if len(page) > want || next != "" && len(page) != want {
			t.Fatalf("ListCalls(%+v): a page of %d records, next %q", f, len(page), next)
		}
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		if next == "" {
			return ids
		}
		f.PageToken = next
	}
	t.Fatalf("ListCalls(%+v): no end after 1000 pages", f)
	return nil
}

func wantIDs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ids differ (-want +got):\n%s", d)
	}
}

// wantAllErr calls every method and checks its error.
func wantAllErr(t *testing.T, ctx context.Context, s store.Store, want error) {
	t.Helper()
	_, errCall := s.Call(ctx, "a")
	_, _, errCalls := s.ListCalls(ctx, store.CallFilter{})
	_, errRecording := s.Recording(ctx, "a")
	_, _, errRecordings := s.ListRecordings(ctx, store.RecordingFilter{})
	_, errGroupcall := s.Groupcall(ctx, "a")
	_, _, errGroupcalls := s.ListGroupcalls(ctx, store.GroupcallFilter{})
	_, errPutFlow := s.PutFlow(ctx, store.Flow{ID: "new"})
	_, errFlow := s.Flow(ctx, "a")
	_, _, errFlows := s.ListFlows(ctx, store.FlowFilter{})
	_, errTrace := s.Trace(ctx, "a")
	_, errCreate := s.CreateBlob(ctx, "new")
	_, errOpen := s.OpenBlob(ctx, "a")
	for what, err := range map[string]error{
		"PutCall": s.PutCall(ctx, call("new", 0)), "Call": errCall, "ListCalls": errCalls, "DeleteCall": s.DeleteCall(ctx, "a"),
		"PutRecording": s.PutRecording(ctx, store.Recording{ID: "new", TmCreate: at(0)}), "Recording": errRecording,
		"ListRecordings": errRecordings, "DeleteRecording": s.DeleteRecording(ctx, "a"),
		"PutGroupcall": s.PutGroupcall(ctx, store.Groupcall{ID: "new", TmCreate: at(0)}), "Groupcall": errGroupcall,
		"ListGroupcalls": errGroupcalls, "DeleteGroupcall": s.DeleteGroupcall(ctx, "a"),
		"PutFlow": errPutFlow, "Flow": errFlow, "ListFlows": errFlows, "DeleteFlow": s.DeleteFlow(ctx, "a"),
		"PutTrace": s.PutTrace(ctx, "new", nil), "Trace": errTrace,
		"CreateBlob": errCreate, "OpenBlob": errOpen, "DeleteBlob": s.DeleteBlob(ctx, "a"),
	} {
		wantErr(t, err, want, what)
	}
	if d, ok := s.(store.Conferences); ok {
		_, errGet := d.Conference(ctx, "a")
		_, _, errList := d.ListConferences(ctx, store.ConferenceFilter{})
		_, errGetStay := d.Conferencecall(ctx, "a")
		_, _, errListStays := d.ListConferencecalls(ctx, store.ConferencecallFilter{})
		for what, err := range map[string]error{
			"PutConference": d.PutConference(ctx, store.Conference{ID: "new", TmCreate: at(0)}), "Conference": errGet, "ListConferences": errList,
			"DeleteConference":  d.DeleteConference(ctx, "a"),
			"PutConferencecall": d.PutConferencecall(ctx, store.Conferencecall{ID: "new", TmCreate: at(0)}), "Conferencecall": errGetStay,
			"ListConferencecalls": errListStays, "DeleteConferencecall": d.DeleteConferencecall(ctx, "a"),
		} {
			wantErr(t, err, want, what)
		}
	}
}

func testEndedContext(t *testing.T, s store.Store) {
	cause := errors.New("the caller is gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	wantAllErr(t, ctx, s, cause)
	wantVoicemailErr(t, ctx, s, cause)
	wantEntryErr(t, ctx, s, cause)
	// Nothing of it happened.
	_, err := s.Call(t.Context(), "new")
	wantErr(t, err, store.ErrNotFound, "Call after PutCall with an ended context")
	_, err = s.OpenBlob(t.Context(), "new")
	wantErr(t, err, store.ErrNotFound, "OpenBlob after CreateBlob with an ended context")
}

func testClose(t *testing.T, s store.Store) {
	put(t, s, call("a", 0))
	for i := range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close, time %d: %v", i+1, err)
		}
	}
	wantAllErr(t, t.Context(), s, store.ErrClosed)
	wantVoicemailErr(t, t.Context(), s, store.ErrClosed)
	wantEntryErr(t, t.Context(), s, store.ErrClosed)
}

// RunReopen checks that what was stored is there after Close and a second open of dir.
func RunReopen(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	t.Run("Reopen", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		put(t, s, fullCall("kept"))
		for i := range 20 {
			put(t, s, call(fmt.Sprint(i), time.Duration(i)))
		}
		rec := fullRecording("rec")
		if err := s.PutRecording(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		group := fullGroupcall("group")
		if err := s.PutGroupcall(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		putQueuecall(t, s, fullQueuecall("stay"))
		conferences, persists := s.(store.Conferences)
		if persists {
			if err := errors.Join(conferences.PutConference(t.Context(), fullConference("room")), conferences.PutConferencecall(t.Context(), fullStay("stay"))); err != nil {
				t.Fatal(err)
			}
		}
		flow, err := s.PutFlow(t.Context(), store.Flow{ID: "flow", Body: []byte("{ }")})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutTrace(t.Context(), "kept", []byte("{}\n{}\n")); err != nil {
			t.Fatal(err)
		}
		writeBlob(t, s, "a/b.wav", "RIFF")
		leaveVoicemail(t, s)
		wantEntry := leaveEntry(t, s)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}

		s = open(t, dir)
		defer func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		wantCall(t, s, fullCall("kept"))
		wantVoicemail(t, s)
		wantEntry(t, s)
		if got := len(list(t, s, store.CallFilter{})); got != 21 {
			t.Errorf("%d calls after the second open, want 21", got)
		}
		gotRec, err := s.Recording(t.Context(), "rec")
		if d := cmp.Diff(clean(t, rec), gotRec); err != nil || d != "" {
			t.Errorf("Recording: %v (-want +got):\n%s", err, d)
		}
		wantQueuecall(t, s, fullQueuecall("stay"))
		gotGroup, err := s.Groupcall(t.Context(), "group")
		if d := cmp.Diff(clean(t, group), gotGroup); err != nil || d != "" {
			t.Errorf("Groupcall: %v (-want +got):\n%s", err, d)
		}
		if persists {
			conferences := s.(store.Conferences)
			room, err := conferences.Conference(t.Context(), "room")
			stay, err2 := conferences.Conferencecall(t.Context(), "stay")
			if d := cmp.Diff(clean(t, fullConference("room")), room) + cmp.Diff(clean(t, fullStay("stay")), stay); err != nil || err2 != nil || d != "" {
				t.Errorf("Conference, Conferencecall: %v, %v (-want +got):\n%s", err, err2, d)
			}
		}
		gotFlow, err := s.Flow(t.Context(), "flow")
		if d := cmp.Diff(flow, gotFlow); err != nil || d != "" {
			t.Errorf("Flow: %v (-want +got):\n%s", err, d)
		}
		if got, err := s.Trace(t.Context(), "kept"); err != nil || string(got) != "{}\n{}\n" {
			t.Errorf("Trace = %q, %v", got, err)
		}
		wantBlob(t, s, "a/b.wav", "RIFF")
	})
}
