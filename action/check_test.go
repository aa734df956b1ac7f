package action

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonicalID(t *testing.T) {
	for id, want := range map[string]string{
		"":                                     "",
		"Menu":                                 "Menu",
		"0B6C9F4E-1111-4222-8333-444455556666": "0b6c9f4e-1111-4222-8333-444455556666",
		"00000000-0000-0000-0000-000000000000": "",
		"0B6C9F4E-1111-4222-8333-44445555666X": "0B6C9F4E-1111-4222-8333-44445555666X",
		"0B6C9F4E_1111-4222-8333-444455556666": "0B6C9F4E_1111-4222-8333-444455556666",
	} {
		if got := CanonicalID(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestSpotsHaveTheirPlace(t *testing.T) {
	text := `{"a":{"b":[1,{"c":"x"}]}}`
	n, problems := ParseJSON([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := NewCheckContext("", n)
	c.At("a", "b", 1, "c").Errorf("is %s", "wrong")
	c.At("a", "b", 7).Warnf("is far")
	c.At("none").Required(false)
	c.At().Errorf("the whole")
	c.At("a", "b", 1, "c").Target("menu")
	c.At("a").Target("${x}")
	want := Problems{
		{Rule: RuleBadValue, Offset: 18, Path: "a.b[1].c", Message: `option "a.b[1].c" is wrong`},
		{Rule: RuleBadValue, Warning: true, Offset: 10, Path: "a.b[7]", Message: `option "a.b[7]" is far`},
		{Rule: RuleRequired, Offset: 0, Path: "none", Message: `option "none" is required`},
		{Rule: RuleBadValue, Offset: 0, Message: "the whole"},
	}
	if d := cmp.Diff(want, c.Problems()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Target{{ID: "menu", Offset: 18, Path: "a.b[1].c"}}, c.Targets()); d != "" {
		t.Error(d)
	}
	NewCheckContext("", nil).At("x").Errorf("has no place, and that is no panic")
}
