package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/flow"
)

// TestActions describes a menu.
func TestActions(t *testing.T) {
	f, err := flow.Parse([]byte(`[
 {"id":"menu","type":"digits_receive","option":{"length":1,"first_timeout":2500},"on_timeout":"again"},
 {"type":"branch","option":{"target_ids":{"1":"end","2":"menu"},"default_target_id":"again"}},
 {"id":"again","type":"goto","option":{"target_id":"menu","loop_count":2}},
 {"id":"end","type":"hangup"},
 {"type":"empty"}]`), flow.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range f.Actions() {
		fmt.Fprintf(&b, "%d %s %s %s %v %v\n", a.Line, a.ID, a.Type, a.Option, a.Times, a.Ways)
	}
	want := `2 menu digits_receive {"length":1,"first_timeout":2500} [5s 2.5s] [{next 1} {on_timeout 2}]
3 action-2 branch {"target_ids":{"1":"end","2":"menu"},"default_target_id":"again"} [] [{target_ids.1 3} {target_ids.2 0} {default_target_id 2}]
4 again goto {"target_id":"menu","loop_count":2} [] [{next 3} {target_id 0}]
5 end hangup  [] []
6 action-5 empty  [] [{next 5}]
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
