package flowtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/flow/flowtest"
)

// result is a call of these events: SECONDS KIND TEXT each.
func result(t *testing.T, events ...string) *flowtest.Result {
	t.Helper()
	r := new(flowtest.Result)
	for _, e := range events {
		f := strings.SplitN(e, " ", 3)
		at, err := time.ParseDuration(f[0])
		if err != nil {
			t.Fatal(err)
		}
		r.Events = append(r.Events, flowtest.Event{At: at, Kind: flowtest.Kind(f[1]), Text: f[2]})
	}
	return r
}

func TestCompare(t *testing.T) {
	simulated := []string{
		`0s step a talk {"text":"hi"}`, `0s answered `, `0s sound "hi"`, `200ms sound done after 200ms`,
		`200ms step b connect {}`, `200ms dials tel:+16062067563 as leg-1 early`, `4s joins tel:+16062067563`,
		`9s = call_id: leg-1`, `9s http POST https://example.com/ "" leg-1 sha256=00`, `9s ! out of order`, `9s end by hang-up`,
	}
	id := "0b6c9f4e-1111-4222-8333-444455556666"
	for name, tc := range map[string]struct {
		change map[int]string // of a real call that is the same; "" leaves the event out
		want   string
	}{
		"the same":      {nil, ""},
		"ids":           {map[int]string{7: "9s = call_id: " + id, 8: `9s http POST https://example.com/ "" ` + id + ` sha256=77`}, ""},
		"a bit later":   {map[int]string{2: `59ms sound "hi"`, 3: "259ms sound done after 259ms"}, ""},
		"other order":   {map[int]string{1: `0s sound "hi"`, 2: "10ms answered "}, ""},
		"not compared":  {map[int]string{5: "200ms dials tel:+16062067563", 4: `200ms step b connect {}`}, ""},
		"its own words": {map[int]string{9: "9s ! call: it is broken"}, ""},
		"much later":    {map[int]string{6: "4100ms joins tel:+16062067563"}, `"joins tel:+16062067563" is at 4.1s, not at 4s`},
		"missing":       {map[int]string{6: ""}, `the real call has no "joins tel:+16062067563"`},
		"another":       {map[int]string{4: "200ms step c connect {}"}, `the real call has "step c connect {}" in place of "step b connect {}"`},
		"besides":       {map[int]string{10: "9s end by hang-up|9s caller hangs up"}, `the real call has "caller hangs up" besides`},
		"no answer":     {map[int]string{1: ""}, `the real call has no "answered "`},
		"other failure": {map[int]string{9: "9s ! other"}, `the real call has "! other" in place of "! out of order"`},
		"the first":     {map[int]string{2: "", 10: ""}, `the real call has "sound done" in place of "sound \"hi\""`},
	} {
		t.Run(name, func(t *testing.T) {
			var real []string
			for i, e := range simulated {
				if to, ok := tc.change[i]; ok {
					e = to
				}
				for part := range strings.SplitSeq(e, "|") {
					if part != "" {
						real = append(real, part)
					}
				}
			}
			err := flowtest.Compare(result(t, simulated...), result(t, real...), 60*time.Millisecond)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %s", err, tc.want)
			case err != nil && (!strings.Contains(err.Error(), "simulated:\n") || !strings.Contains(err.Error(), "> ")):
				t.Errorf("without what stands around it: %v", err)
			}
		})
	}
}
