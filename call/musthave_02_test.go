package call_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// storedFlows makes the flows of a store those that actions name by id.
func storedFlows(db store.Flows) func(*call.Config) {
	return func(c *call.Config) {
		deps := c.Deps
		c.FlowByID = func(ctx context.Context, id string) (flow.Program, error) {
			f, err := db.Flow(ctx, id)
			if err != nil {
				return nil, err
			}
			return flow.Parse(f.Body, flow.ParseOptions{Registry: action.Builtin(deps), Name: id})
		}
	}
}

// TestMustHave02JSONFlow: a list of {id, next_id, type, option} runs on incoming and outgoing calls, stored or inline.
func TestMustHave02JSONFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		defer db.Close()
		stored := `[{"id":"first","type":"play","option":{"stream_urls":["http://tone/700"]},"next_id":"last"},
			{"id":"never","type":"play","option":{"stream_urls":["http://tone/400"]}},{"id":"last","type":"hangup"}]`
		if _, err := db.PutFlow(t.Context(), store.Flow{ID: "5f1c", Body: json.RawMessage(stored)}); err != nil {
			t.Fatal(err)
		}
		h := open(t, map[string]string{"100": `[{"type":"answer"},
			{"type":"call","option":{"flow_id":"5f1c","destinations":[{"type":"sip","target":"b1@10.0.1.1"}]}},
			{"type":"call","option":{"destinations":[{"type":"sip","target":"b2@10.0.1.2"}],"actions":[{"type":"play","option":{"stream_urls":["http://tone/400"]}}]}},
			{"type":"fetch_flow","option":{"flow_id":"5f1c"}}]`}, outbound, storedFlows(db))
		one, two, three := callee(t, h, 1), callee(t, h, 2), callee(t, h, 3)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100") // incoming, stored
		b1, b2 := one.WaitCall(t), two.WaitCall(t)                              // outgoing, stored and inline
		b1.Answer()
		b2.Answer()
		p, err := flow.Parse([]byte(stored), flow.ParseOptions{Registry: action.Builtin(action.Deps{Prompts: tonePrompts{}})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b3@10.0.1.3"), Flow: p}); err != nil { // outgoing, by the program
			t.Fatal(err)
		}
		b3 := three.WaitCall(t)
		b3.Answer()
		for i, c := range []*calltest.PhoneCall{a, b1, b2, b3} {
			c.WaitEnd(t)
			if first := i != 2; calltest.Hears(c.Heard(), 700) != first || calltest.Hears(c.Heard(), 400) == first {
				t.Errorf("call %d does not hear what its flow plays", i)
			}
		}
		time.Sleep(time.Second)
	})
}
