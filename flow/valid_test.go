package flow_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// readValid returns the valid flows by name.
func readValid(t testing.TB) (names []string, texts map[string][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "valid", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	texts = make(map[string][]byte)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if texts[name], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names, texts
}

// findAll is everything that an engine which can do all tells of a flow.
func findAll(text []byte) []flow.Finding {
	f, err := flow.Parse(text, flow.ParseOptions{})
	if bad, ok := err.(*flow.Error); ok {
		return bad.Findings
	}
	return flow.Check(f, action.AllAbilities())
}

// TestValidFlowsHaveNoErrors holds flows with every action and option of VoIPBIN, in its documentation's forms and
// under older names, and some of everyday use. None has an error; these are all the warnings.
func TestValidFlowsHaveNoErrors(t *testing.T) {
	names, texts := readValid(t)
	if len(names) < 40 {
		t.Errorf("%d flows, want 40", len(names))
	}
	want := map[string]string{
		"empty_list":        `1:1: warning: the flow has no actions: a call to it ends at once`,
		"machine":           `2:3: warning: action "who" (amd): runs before anything has answered the call: on an incoming call it fails: put an "answer" before it`,
		"voipbin_amd":       `2:3: warning: action "action-1" (amd): runs before anything has answered the call: on an incoming call it fails: put an "answer" before it`,
		"voipbin_amd_async": `2:3: warning: action "action-1" (amd): runs before anything has answered the call: on an incoming call it fails: put an "answer" before it`,
	}
	used := make(map[string]bool)
	for _, name := range names {
		var lines []string
		for _, f := range findAll(texts[name]) {
			if f.Severity == flow.SeverityError {
				t.Errorf("%s: %s", name, f)
			}
			lines = append(lines, f.String())
		}
		if d := cmp.Diff(want[name], strings.Join(lines, "\n")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		n, _ := action.ParseJSON(texts[name])
		eachMember(n, func(_ *action.Node, m action.Member) {
			if m.Key == "type" {
				used[m.Value.Text] = true
			}
		})
	}
	for _, name := range action.Builtin(action.Deps{}).Names() {
		if !used[name] {
			t.Errorf("no flow has the action %s", name)
		}
	}
}

// eachMember calls f with every key of every object in n.
func eachMember(n *action.Node, f func(object *action.Node, m action.Member)) {
	for _, m := range n.Members {
		f(n, m)
		eachMember(m.Value, f)
	}
	for _, e := range n.Elems {
		eachMember(e, f)
	}
}

// fault is a flow with one fault.
type fault struct {
	what  string
	text  []byte
	lines []int // where it is: a finding within one line of one of them has found it
}

// TestFaultsAreFoundWhereTheyAre renames each key, each type, each target and each id that is a target, and takes out
// each key that has to be there (type, the required options, keys whose value is a target without which the
// action has none), one at a time, in twenty valid flows. The fault of a key that is missing is anywhere in
// the object that lacks it, that of an id that nobody has any more at the id or at the targets.
// At least 98 of 100 must give a finding within a line. Keys that may be left out are taken
// out as well, for information.
func TestFaultsAreFoundWhereTheyAre(t *testing.T) {
	_, texts := readValid(t)
	flows := strings.Fields(`ivr pin voicemail hours expression survey german screen machine notify voipbin_branch voipbin_call_inline
		voipbin_condition_datetime voipbin_condition_variable_number voipbin_goto voipbin_connect voipbin_digits
		voipbin_mute_recording voipbin_message_mail old_names`)
	var all, found, optional, noticed int
	var missed []string
	for _, name := range flows {
		text := texts[name]
		if text == nil {
			t.Fatalf("no flow %s", name)
		}
		before := findAll(text)
		for _, f := range faults(t, text) {
			ok := isFound(before, findAll(f.text), f)
			if strings.HasPrefix(f.what, "optional") {
				optional++
				if ok {
					noticed++
				}
				continue
			}
			all++
			if ok {
				found++
			} else {
				missed = append(missed, fmt.Sprintf("%s:%v: %s", name, f.lines, f.what))
			}
		}
	}
	t.Logf("%d of %d faults found (%.1f %%); %d of %d keys that may be left out are missed", found, all,
		100*float64(found)/float64(all), noticed, optional)
	if found*100 < all*98 {
		t.Errorf("missed:\n%s", strings.Join(missed, "\n"))
	} else {
		t.Logf("missed:\n%s", strings.Join(missed, "\n"))
	}
}

func isFound(before, after []flow.Finding, f fault) bool {
	for _, finding := range after {
		known := slices.ContainsFunc(before, func(b flow.Finding) bool { return b.Message == finding.Message && b.Action == finding.Action })
		near := slices.ContainsFunc(f.lines, func(line int) bool { return max(line-finding.Line, finding.Line-line) <= 1 })
		if !known && near {
			return true
		}
	}
	return false
}

var (
	targetKeys = strings.Fields("next_id on_error on_timeout target_id false_target_id default_target_id")
	freeKeys   = strings.Fields("target_ids")
)

// faults makes all the faulty variants of a flow.
func faults(t *testing.T, text []byte) []fault {
	root, problems := action.ParseJSON(text)
	if root == nil {
		t.Fatal(problems)
	}
	reg := action.Builtin(action.Deps{})
	line := func(offset int) int { return bytes.Count(text[:offset], []byte("\n")) + 1 }
	edit := func(start, end int, by string) []byte {
		return slices.Concat(text[:start], []byte(by), text[end:])
	}
	var all []fault
	targets := map[string][]int{} // lines, by id
	addTarget := func(n *action.Node) {
		if n.Text == "" || strings.HasPrefix(n.Text, "00000000-") {
			return
		}
		targets[n.Text] = append(targets[n.Text], line(n.Start))
		all = append(all, fault{"target " + n.Text, edit(n.Start, n.End, `"`+n.Text+`_x"`), []int{line(n.Start)}})
	}
	var walk func(n *action.Node, typ string, parent string)
	walk = func(n *action.Node, typ, parent string) {
		if n.Kind == action.Object {
			if own := n.Member("type"); own != nil && reg.Has(own.Text) {
				typ = own.Text
			}
		}
		for i, m := range n.Members {
			free := slices.Contains(freeKeys, parent)
			if free {
				addTarget(m.Value)
			} else if slices.Contains(targetKeys, m.Key) {
				addTarget(m.Value)
			}
			end := m.Start + len(m.Key) + 2
			all = append(all, fault{"rename key " + m.Key, edit(m.Start, end, `"`+m.Key+`x"`), []int{line(m.Start)}})
			if m.Key == "type" && reg.Has(m.Value.Text) {
				all = append(all, fault{"type " + m.Value.Text, edit(m.Value.Start, m.Value.End, `"`+m.Value.Text+`z"`), []int{line(m.Value.Start)}})
			}
			start, stop := m.Start, m.Value.End
			if i+1 < len(n.Members) {
				stop = n.Members[i+1].Start
			} else if i > 0 {
				start = n.Members[i-1].Value.End
			}
			var lines []int
			for l := line(n.Start); l <= line(n.End); l++ {
				lines = append(lines, l)
			}
			what := "optional key " + m.Key
			required := m.Key == "type" && reg.Has(m.Value.Text) || m.Key == "actions" && n == root
			for _, o := range reg.Options(typ) {
				required = required || parent == "option" && o.Name == m.Key && o.Required
			}
			if required {
				what = "take out key " + m.Key
			}
			all = append(all, fault{what, edit(start, stop, ""), lines})
			walk(m.Value, typ, m.Key)
		}
		for _, e := range n.Elems {
			walk(e, typ, parent)
		}
	}
	walk(root, "", "")
	eachMember(root, func(_ *action.Node, m action.Member) {
		if m.Key == "id" && len(targets[m.Value.Text]) > 0 {
			all = append(all, fault{"id " + m.Value.Text, edit(m.Value.Start, m.Value.End, `"`+m.Value.Text+`_y"`),
				append([]int{line(m.Value.Start)}, targets[m.Value.Text]...)})
		}
	})
	return all
}
