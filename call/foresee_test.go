package call

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
)

// TestForesee: the checks and the flow of a call are told without an engine.
func TestForesee(t *testing.T) {
	dir, err := flow.FromFS(fstest.MapFS{
		"+16062067563.json": {Data: []byte(`[{"type": "answer"}]`)},
		"300.json":          {Data: []byte(`[{"type": "answer"}]`)},
	}, flow.ParseOptions{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var c Config
	c.UseFlows(dir, func(a address.Address) bool { return a.Type == address.TypeExtension && a.Target == "200" })
	for _, x := range []struct {
		user, host, to string
		flow           string
		status         int
		checks         string // some of those that pass, and, with !, fail
	}{
		{"+1-606-555-0100", "example.com", "+1 606 206 7563", "+16062067563", 0, "!caller_number own_number"},
		{"+16062067563", "example.com", "300", "", 403, "caller_number !own_number"},
		{"200", "127.0.0.1", "300", "", 403, "!own_number"},
		{"200", "example.com", "300", "300", 0, "own_number extension"},
		{"+12", "example.com", "300", "", 403, "!caller_format"},
		{"", "", "301", "", 404, "!anonymous own_number"},
	} {
		f := c.Foresee(t.Context(), &sip.Request{From: sip.NameAddr{User: x.user, Host: x.host}, User: x.to})
		var checks []string
		for _, check := range f.Verdict.Checks {
			checks = append(checks, map[string]string{"fail": "!", "skip": "?"}[check.Result]+check.Name)
		}
		status, name := 0, ""
		if f.Refusal != nil {
			status = f.Refusal.Status
		}
		if p, ok := f.Program.(*flow.Flow); ok {
			name = p.Name()
		}
		if status != x.status || name != x.flow || slices.ContainsFunc(strings.Fields(x.checks), func(s string) bool { return !slices.Contains(checks, s) }) {
			t.Errorf("%s@%s to %s: %q, %d, %q", x.user, x.host, x.to, name, status, checks)
		}
		if f.Vars["voipbin.call.source.target"] != f.Incoming.Source.Target {
			t.Errorf("variables: %v", f.Vars)
		}
	}
	c.Verify = func(context.Context, *Incoming) (Verdict, error) { return Verdict{}, errors.New("not today") }
	if f := c.Foresee(t.Context(), &sip.Request{User: "300"}); f.Refusal == nil || f.Refusal.Status != 500 {
		t.Errorf("an own Verify is not asked: %+v", f)
	}
}
