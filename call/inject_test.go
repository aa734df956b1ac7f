package call

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
)

func TestVariablesFromOutside(t *testing.T) {
	many := func(n, size int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprintf("v%04d", i)] = strings.Repeat("x", size)
		}
		return m
	}
	for name, c := range map[string]struct {
		vars, want map[string]string
		refused    bool
	}{
		"none":            {nil, map[string]string{}, false},
		"names":           {map[string]string{" a ": "1", "": "2", "  ": "3", "VoIPBIN.call.id": "4", "voipbin.x": "5"}, map[string]string{"a": "1"}, false},
		"as many as go":   {many(MaxInjected, 1), many(MaxInjected, 1), false},
		"one too many":    {many(MaxInjected+1, 1), nil, true},
		"a long value":    {map[string]string{"a": strings.Repeat("x", action.MaxVarValue+1)}, nil, true},
		"long altogether": {many(3, MaxInjectedSize/3), nil, true},
	} {
		got, err := injected(c.vars)
		if d := cmp.Diff(c.want, got); d != "" || (err != nil) != c.refused {
			t.Errorf("%s: %v, %s", name, err, d)
		}
	}
}
