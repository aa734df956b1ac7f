package call_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
)

// TestMustHave18Routes: a number goes by its route, in the order of priority; what fails is followed by the next provider on the same call, what is
// final is not.
func TestMustHave18Routes(t *testing.T) {
	for status, fails := range map[int]bool{503: true, 500: true, 486: false, 603: false} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, nil, providers(3), func(c *call.Config) {
				c.Routes = []call.Route{
					{Target: "+49", Trunks: []call.RouteTrunk{{Trunk: "t1", Priority: 9}, {Trunk: "t2", Priority: 1}}},
					{Target: "all", Trunks: []call.RouteTrunk{{Trunk: "t3"}}},
				}
			})
			first, second, other := callee(t, h, 1), callee(t, h, 2), callee(t, h, 3)
			var s stay
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), Flow: s.program()})
			if err != nil {
				t.Fatal(err)
			}
			p := second.WaitCall(t) // the smaller priority comes first
			p.Refuse(status)
			want := []string{"t2"}
			if fails {
				b := first.WaitCall(t)
				b.Answer()
				time.Sleep(time.Second)
				b.Hangup(t)
				want = append(want, "t1")
			}
			if <-c.Done(); first.Ringing() != 0 {
				t.Errorf("%d is tried again", status)
			}
			d, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+12125550100")})
			if err != nil {
				t.Fatal(err)
			}
			other.WaitCall(t).Refuse(404)
			<-d.Done()
			var by []string
			for _, a := range c.Record().Attempts {
				by = append(by, a.Trunk)
			}
			if fails { // the third provider is the route of all others
				want = append(want, by[2:]...)
			}
			if r := c.Record(); !slices.Equal(by, want) || len(s.ran()) == 1 != fails || d.Record().Trunk != "t3" || r.Trunk != want[len(want)-1] {
				t.Errorf("%d: tried %v, want %v; %+v", status, by, want, r)
			}
		})
	}
}
