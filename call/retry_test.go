package call

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestVerdictOfEveryStatus compares the code with the written-out table.
func TestVerdictOfEveryStatus(t *testing.T) {
	b, err := os.ReadFile("testdata/retry.txt")
	if err != nil {
		t.Fatal(err)
	}
	next := 300
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		v := verdictOf(next)
		what := map[bool]string{true: "next", false: "final"}[v.retry]
		if got := fmt.Sprintf("%d %s %d %s %s\n", next, what, v.cause, v.reason, v.code); got != l {
			t.Errorf("got  %swant %s", got, l)
		}
		next++
	}
	if next != 700 {
		t.Errorf("the table ends before %d", next)
	}
}

// TestJudge is what the status alone does not tell.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		status, cause int
		local, retry  bool
		reason, code  string
	}{
		{408, 0, true, true, "failed", CodeNoResponse},
		{503, 0, true, true, "failed", CodeUnreachable},
		{487, 0, true, false, "normal", CodeCalleeRefused},
		{503, 34, false, true, "failed", CodeCalleeRefused},
		{503, 17, false, false, "busy", CodeCalleeBusy},
		{500, 19, false, false, "noanswer", CodeCalleeUnavailable},
		{404, 21, false, false, "noanswer", CodeCalleeDeclined},
		{500, 16, false, true, "failed", CodeCalleeRefused}, // gateways say that whatever happened
		{603, 17, false, false, "noanswer", CodeCalleeDeclined},
		{486, 34, false, false, "busy", CodeCalleeBusy},
	} {
		if v := judge(c.status, c.cause, c.local); v.retry != c.retry || v.reason != c.reason || v.code != c.code {
			t.Errorf("%+v: got %+v", c, v)
		}
	}
}
