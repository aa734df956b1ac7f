package call_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// withDirectory lets an engine have one that db keeps.
func withDirectory(t *testing.T, db store.Directory, change ...func(*call.Config)) func(*call.Config) {
	return func(c *call.Config) {
		t.Helper()
		c.Registrar.KeepAlive = -1
		for _, f := range change {
			f(c)
		}
		if _, err := c.UseDirectory(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

func dirOf(t *testing.T, h *house) *call.Directory {
	t.Helper()
	d := h.Directory()
	if d == nil {
		t.Fatal("the engine has no directory")
	}
	return d
}

// sure is v of two results, of which the other is no error.
func sure[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func TestExtensionsAreMadeChangedAndForgottenWhileTheEngineRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		h := open(t, nil, withDirectory(t, db))
		d := dirOf(t, h)
		phone := func(n byte, password string) *calltest.Phone {
			return extensionPhone(t, h, "300", n, func(p *calltest.PhoneConfig) { p.Password = password })
		}
		if status, _ := phone(1, "old password").Register(t, time.Hour); status == 200 {
			t.Fatal("registered before there is an extension")
		}
		x := sure[call.Entry[call.Extension]](t)(d.Extensions.Create(t.Context(), "", call.Extension{Name: "300", Password: "old password", Label: "Ann", ContactsMax: 2}))
		if x.Value.Password != "" || len(x.Value.HA1) != 3 || x.Rev != 1 || x.TmCreate.IsZero() {
			t.Errorf("%+v", x)
		}
		stored, _, err := db.ListEntries(t.Context(), store.EntryFilter{Kind: store.EntryExtension})
		if err != nil || len(stored) != 1 || strings.Contains(string(stored[0].Body), "old password") || stored[0].Name != "300" {
			t.Errorf("stored: %v, %v", stored, err)
		}
		time.Sleep(time.Minute) // after the failure
		register(t, phone(2, "old password"))
		if n := len(h.Registrations("300")); n != 1 {
			t.Errorf("%d phones", n)
		}

		// Another name for people changes nothing for phones, another password puts them out.
		sure[call.Entry[call.Extension]](t)(d.Extensions.Update(t.Context(), x.ID, 1, func(x *call.Extension) { x.Label = "Bob" }))
		if n := len(h.Registrations("300")); n != 1 {
			t.Errorf("%d phones after another label", n)
		}
		if _, err := d.Extensions.Update(t.Context(), x.ID, 1, func(x *call.Extension) {}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a stale revision: %v", err)
		}
		sure[call.Entry[call.Extension]](t)(d.Extensions.Update(t.Context(), x.ID, 2, func(x *call.Extension) { x.Password = "new password" }))
		if n := len(h.Registrations("300")); n != 0 {
			t.Errorf("%d phones after another password", n)
		}
		if status, _ := phone(3, "old password").Register(t, time.Hour); status == 200 {
			t.Error("the old password still counts")
		}
		time.Sleep(time.Minute)
		register(t, phone(4, "new password"))
		h.stop()

		h = open(t, nil, withDirectory(t, db)) // the same store
		d = dirOf(t, h)
		register(t, phone(5, "new password"))
		if got, ok := d.Extensions.Named("300"); !ok || got.ID != x.ID || got.Rev != 3 || got.Value.Label != "Bob" || got.Value.ContactsMax != 2 {
			t.Errorf("after a restart: %+v", got)
		}
		if err := d.Extensions.Delete(t.Context(), x.ID); err != nil {
			t.Fatal(err)
		}
		if n := len(h.Registrations("300")); n != 0 {
			t.Errorf("%d phones of no extension", n)
		}
		if status, _ := phone(6, "new password").Register(t, time.Hour); status == 200 {
			t.Error("registered after the extension is gone")
		}
		h.stop()
	})
}

func TestExtensionOfAnotherRealmWantsAPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		h := open(t, nil, withDirectory(t, db))
		sure[call.Entry[call.Extension]](t)(dirOf(t, h).Extensions.Create(t.Context(), "", call.Extension{Name: "300", Password: "the password"}))
		h.stop()
		h = open(t, nil, withDirectory(t, db, func(c *call.Config) { c.Realm = "example.com" }))
		p := extensionPhone(t, h, "300", 1, func(p *calltest.PhoneConfig) { p.Password = "the password" })
		if status, _ := p.Register(t, time.Hour); status == 200 {
			t.Error("sums of one realm count in another")
		}
		h.stop()
	})
}

func TestNumbersGoToFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flows := map[string]flow.Program{}
		for id, text := range map[string]string{"f1": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`} {
			flows[id] = sure[*flow.Flow](t)(flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(action.Deps{Prompts: tonePrompts{}})}))
		}
		db := store.Memory()
		h := open(t, map[string]string{"+16062067563": `[{"type":"answer"}]`}, withDirectory(t, db, func(c *call.Config) {
			c.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
				if f, ok := flows[id]; ok {
					return f, nil
				}
				return nil, fmt.Errorf("%w: %s", call.ErrNoFlow, id)
			}
		}))
		d := dirOf(t, h)
		n := sure[call.Entry[call.Number]](t)(d.Numbers.Create(t.Context(), "", call.Number{Number: "+1 (606) 206-7563", FlowID: "f1"}))
		if n.Value.Number != "+16062067563" {
			t.Errorf("number %s", n.Value.Number)
		}
		sure[call.Entry[call.Number]](t)(d.Numbers.Create(t.Context(), "", call.Number{Number: "lobby", FlowID: "f2"}))
		if _, err := d.Numbers.Create(t.Context(), "", call.Number{Number: "+16062067563", FlowID: "f1"}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("the same number: %v", err)
		}
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "+16062067563")
		c.WaitEnd(t)
		if !calltest.Hears(c.Heard(), 700) {
			t.Error("the flow of the number is not heard")
		}
		if status := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "lobby").WaitEnd(t); !strings.HasPrefix(status, "404") {
			t.Errorf("a number whose flow there is not: %s", status)
		}
		// Nobody shows it, however it is written.
		for _, from := range []string{"+16062067563", "6062067563", "0016062067563"} {
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: from})
			if status := p.Start(t, "+16062067563").WaitEnd(t); !strings.HasPrefix(status, "403") {
				t.Errorf("from %s: %s, want 403", from, status)
			}
		}
		if err := d.Numbers.Delete(t.Context(), n.ID); err != nil {
			t.Fatal(err)
		}
		c = calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+16062067563"}).Dial(t, "+16062067563") // now of the table, and nobody's
		c.Hangup(t)
		h.stop()
	})
}

func TestQueuesAndConferencesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		h := open(t, nil, withDirectory(t, db))
		d := dirOf(t, h)
		sure[call.Entry[call.QueueOptions]](t)(d.Queues.Create(t.Context(), "sales", call.QueueOptions{Name: "Sales", WaitTimeout: time.Minute}))
		sure[call.Entry[call.ConferenceOptions]](t)(d.Conferences.Create(t.Context(), "team", call.ConferenceOptions{Name: "Team", Timeout: time.Hour, PIN: "4711"}))
		sure[call.Entry[call.ConferenceOptions]](t)(d.Conferences.Create(t.Context(), "short", call.ConferenceOptions{Timeout: time.Minute}))
		sure[call.Entry[call.Agent]](t)(d.Agents.Create(t.Context(), "ann", call.Agent{Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}, Status: call.AgentAvailable}))
		if _, err := d.Queues.Create(t.Context(), "sales", call.QueueOptions{}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("the same queue: %v", err)
		}
		if _, err := d.Queues.Create(t.Context(), "bad", call.QueueOptions{RoutingMethod: "none"}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a bad queue: %v", err)
		}
		sure[call.Entry[call.QueueOptions]](t)(d.Queues.Update(t.Context(), "sales", 0, func(o *call.QueueOptions) { o.Tags = []string{"fr"} }))
		if q, ok := h.Queue("sales"); !ok || q.Record().TagIDs[0] != "fr" {
			t.Errorf("the queue is not updated")
		}
		// What keys have changed stays where something else is changed.
		f, _ := h.Conference("team")
		if err := f.Lock(); err != nil {
			t.Fatal(err)
		}
		made := f.Record().TmCreate
		sure[call.Entry[call.ConferenceOptions]](t)(d.Conferences.Update(t.Context(), "team", 0, func(o *call.ConferenceOptions) { o.Detail = "weekly" }))
		if o := f.Options(); !o.Locked || o.Detail != "weekly" || o.PIN != "4711" {
			t.Errorf("%+v", o)
		}
		h.stop()

		time.Sleep(2 * time.Minute)
		h = open(t, nil, withDirectory(t, db))
		d = dirOf(t, h)
		if q, ok := h.Queue("sales"); !ok || q.Options().WaitTimeout != time.Minute || q.Record().Name != "Sales" {
			t.Error("no queue after a restart")
		}
		if s, ok := h.AgentState("ann"); !ok || s.Status != call.AgentAvailable {
			t.Errorf("the agent: %+v", s)
		}
		if _, ok := h.Conference("short"); ok {
			t.Error("a conference came back whose time is over")
		}
		f, ok := h.Conference("team")
		if !ok || f.Options().PIN != "4711" || f.Record().TmCreate.Sub(made.Time).Abs() > time.Millisecond {
			t.Fatal("no conference after a restart, or as a new one")
		}
		time.Sleep(57 * time.Minute)
		if _, ok := h.Conference("team"); !ok {
			t.Error("it ended too early")
		}
		time.Sleep(time.Minute + time.Second)
		if _, ok := h.Conference("team"); ok {
			t.Error("its time begins anew with the engine")
		}
		synctest.Wait()
		if _, ok := d.Conferences.Get("team"); ok {
			t.Error("the directory has a conference that has ended")
		}
		if err := d.Queues.Delete(t.Context(), "sales"); err != nil {
			t.Fatal(err)
		}
		if err := d.Agents.Delete(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.Queue("sales"); ok {
			t.Error("the queue is still there")
		}
		if _, ok := h.AgentState("ann"); ok {
			t.Error("the agent is still there")
		}
		h.stop()
	})
}

func TestSettingsStandBeforeTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, withDirectory(t, store.Memory(), extensions, func(c *call.Config) {
			c.Agents = call.ListAgents(call.Agent{ID: "ann", Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}})
			c.Queues = []call.QueueOptions{{ID: "sales"}}
		}))
		d := dirOf(t, h)
		if _, err := d.Extensions.Create(t.Context(), "", call.Extension{Name: "200", Password: "long enough"}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("an extension of the settings: %v", err)
		}
		if err := d.Extensions.Delete(t.Context(), "200"); !errors.Is(err, call.ErrReadOnly) {
			t.Errorf("delete one of the settings: %v", err)
		}
		if _, err := d.Agents.Update(t.Context(), "ann", 0, func(a *call.Agent) { a.Name = "x" }); !errors.Is(err, call.ErrReadOnly) {
			t.Errorf("update one of the settings: %v", err)
		}
		if err := d.Queues.Delete(t.Context(), "sales"); !errors.Is(err, call.ErrReadOnly) {
			t.Errorf("delete a queue of the settings: %v", err)
		}
		if err := d.Numbers.Delete(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("delete what there is not: %v", err)
		}
		for _, bad := range []call.Extension{
			{Name: "300"}, {Name: "300", Password: "short"}, {Name: "a b", Password: "long enough"}, {Name: "longenough", Password: "longenough"},
			{Name: "300", Password: "long\nenough"}, {Name: "300", Password: "long enough", ContactsMax: -1},
		} {
			if _, err := d.Extensions.Create(t.Context(), "", bad); !errors.Is(err, store.ErrInvalid) || strings.Contains(err.Error(), "enough") && bad.Name == "300" {
				t.Errorf("%v: %v", bad, err)
			}
		}
		for _, bad := range []string{"", "+1", "+49 abc", "a/b"} {
			if _, err := d.Numbers.Create(t.Context(), "", call.Number{Number: bad}); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("number %q: %v", bad, err)
			}
		}
		sure[call.Entry[call.Extension]](t)(d.Extensions.Create(t.Context(), "", call.Extension{Name: "300", Password: "long enough"}))
		var names []string
		for token := ""; ; {
			page, next, err := d.Extensions.List(2, token)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page {
				names = append(names, x.Value.Name)
			}
			if token = next; token == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != "300 204 203 202 201 200" {
			t.Errorf("list: %s", got)
		}
		h.stop()
	})
}

// TestNothingIsLostInTheStore fills all fields, so that one that a new release adds is found where it is forgotten.
func TestNothingIsLostInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		h := open(t, nil, withDirectory(t, db), func(c *call.Config) {
			c.FlowByID = func(context.Context, string) (flow.Program, error) { return nil, call.ErrNoFlow }
		})
		d := dirOf(t, h)
		queue := call.QueueOptions{
			ID: "q", Name: "n", Detail: "d", RoutingMethod: store.QueueRoundRobin, Tags: []string{"a"}, AllTags: true, WaitFlowID: "w", WhisperFlowID: "x", Priority: 1,
			WaitTimeout: time.Second, ServiceTimeout: time.Minute, MaxLength: 2, RingTimeout: 3 * time.Second, MissRest: 4 * time.Second, MaxMisses: 5, WrapUp: 6 * time.Second,
			NoAgents: call.NoAgentsRefuse, Overflow: []address.Address{{Type: address.TypeTel, Target: "+4930901820"}}, LeaveKey: "1",
			Callback: call.CallbackOptions{Key: "2", OnHangup: true, Source: address.Address{Type: address.TypeTel, Target: "+4930901820"}, RingTimeout: 7 * time.Second},
		}
		room := call.ConferenceOptions{
			ID: "c", Name: "n", Detail: "d", Data: map[string]string{"k": "v"}, Type: store.TypeConnect, Timeout: time.Hour, PreFlowID: "p", PostFlowID: "q", PIN: "1234", ModeratorPIN: "5678",
			PINAttempts: 2, PINTimeout: time.Second, MaxMembers: 9, Locked: true, Role: store.RoleListener, WaitForModerator: true, EndWhenModeratorLeaves: true, MuteOnEntry: true,
			MusicUntilSecond: true, EntryTone: true, ExitTone: true, EntryToneForAll: true, RecordNames: true, Sounds: call.ConferenceSounds{Music: call.Sound{URL: "http://tone/400"}},
			Digits: call.DigitsRelay, Menu: call.DefaultMenu(), TalkerEvents: true,
		}
		agent := call.Agent{
			ID: "a", Name: "n", Detail: "d", Addresses: []address.Address{{Type: address.TypeTel, Target: "+4930901820"}}, RingMethod: call.RingLinear, RingTimeout: time.Second,
			Groupcall: true, Tags: []string{"fr"}, Status: call.AgentAway,
		}
		extension := call.Extension{Name: "300", Password: "a password", Label: "l", Detail: "d", ContactsMax: 3, Account: "acc"}
		number := call.Number{Number: "+4930901820", Name: "n", Detail: "d", FlowID: "f"}
		for _, full := range []any{queue, room, agent, extension, number} {
			v := reflect.ValueOf(full)
			for i := range v.NumField() {
				switch name := v.Type().Field(i).Name; name {
				case "WaitFlow", "WhisperFlow", "HA1": // programs are not stored; sums come of the password
				default:
					if v.Field(i).IsZero() {
						t.Errorf("%s.%s is not filled by this test", v.Type(), name)
					}
				}
			}
		}
		sure[call.Entry[call.QueueOptions]](t)(d.Queues.Create(t.Context(), "q", queue))
		sure[call.Entry[call.ConferenceOptions]](t)(d.Conferences.Create(t.Context(), "c", room))
		sure[call.Entry[call.Agent]](t)(d.Agents.Create(t.Context(), "a", agent))
		sure[call.Entry[call.Extension]](t)(d.Extensions.Create(t.Context(), "x", extension))
		sure[call.Entry[call.Number]](t)(d.Numbers.Create(t.Context(), "n", number))
		h.stop()
		h = open(t, nil, withDirectory(t, db), func(c *call.Config) {
			c.FlowByID = func(context.Context, string) (flow.Program, error) { return nil, call.ErrNoFlow }
		})
		d = dirOf(t, h)
		q, _ := d.Queues.Get("q")
		c, _ := d.Conferences.Get("c")
		a, _ := d.Agents.Get("a")
		x, _ := d.Extensions.Get("x")
		n, _ := d.Numbers.Get("n")
		extension.Password, extension.HA1 = "", x.Value.HA1
		for what, diff := range map[string]string{
			"queue": cmp.Diff(queue, q.Value), "conference": cmp.Diff(room, c.Value, cmpopts.IgnoreFields(call.Sound{}, "Source")), "agent": cmp.Diff(agent, a.Value),
			"extension": cmp.Diff(extension, x.Value), "number": cmp.Diff(number, n.Value),
		} {
			if diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		h.stop()
	})
}
