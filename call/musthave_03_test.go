package call_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
)

// TestMustHave03IncomingOrder: verified, then routed by who is called, then run; the flow's end hangs up. Who is refused is not routed.
func TestMustHave03IncomingOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		did := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		h := open(t, nil, func(c *call.Config) {
			c.Verify = func(_ context.Context, in *call.Incoming) (call.Verdict, error) {
				did("verify " + in.Request.From.User)
				if in.Request.From.User == "mallory" {
					return call.Verdict{Result: call.VerdictReject, Status: 403, Code: "unwanted", Sentence: "no"}, nil
				}
				return call.Verdict{Result: call.VerdictPass}, nil
			}
			c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
				did("route " + in.Request.User)
				if in.Request.User == "404" {
					return nil, call.ErrNoFlow
				}
				return flow.Func(func(ctx context.Context, l action.Leg) error {
					did("run " + in.Request.User)
					return l.(*call.Call).Answer(ctx)
				}), nil
			}
		})
		for _, user := range []string{"100", "200"} {
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, user)
			if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
				t.Errorf("the end of the flow ends the call by %q", why)
			}
		}
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "mallory"}).Start(t, "100").WaitEnd(t)
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "404").WaitEnd(t)
		recs := h.records(t)
		want := []string{"verify alice", "route 100", "run 100", "verify alice", "route 200", "run 200", "verify mallory", "verify alice", "route 404"}
		if !slices.Equal(order, want) {
			t.Errorf("%q", order)
		}
		var codes []string
		for _, r := range recs {
			codes = append(codes, r.Code)
		}
		if !slices.Equal(codes, []string{call.CodeFlowEnded, call.CodeFlowEnded, "unwanted", call.CodeNoFlow}) || recs[2].SIPCode != 403 || recs[3].SIPCode != 404 {
			t.Errorf("%q", codes)
		}
	})
}
