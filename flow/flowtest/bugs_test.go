package flowtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// bug is a flow with one fault, and without it.
type bug struct {
	name      string
	bad, good string // JSON
	cfg       Config // of bad
	mended    Config // of good
	explore   Explore
	finds     string // the invariant that the bug breaks
}

// readBugs reads testdata/bugs. The comment of a file tells what is wrong; "with" are invariants of the flow, "without"
// is one that it does not have, "finds" the one that does not hold. The part bug of flow.json is the fault, and fixed
// is what it should be.
func readBugs(t *testing.T) []bug {
	t.Helper()
	files, err := filepath.Glob("testdata/bugs/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []bug
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil || len(ar.Files) != 3 {
			t.Fatalf("%s: want flow.json, bug and fixed, %v", file, err)
		}
		part := func(i int) string { return strings.TrimSuffix(string(ar.Files[i].Data), "\n") }
		b := bug{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), bad: part(0)}
		if strings.Count(b.bad, part(1)) != 1 {
			t.Fatalf("%s: the bug is not once in the flow", file)
		}
		b.good = strings.Replace(b.bad, part(1), part(2), 1)
		for line := range strings.Lines(string(ar.Comment)) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
			case "with":
				b.explore.Invariants = append(b.explore.Invariants, invariantOf(t, value))
			case "without":
				b.explore.Without = append(b.explore.Without, value)
			case "finds":
				b.finds = value
			}
		}
		all = append(all, b)
	}
	return all
}

// invariantOf reads an invariant as it would be written in Go, with spaces.
func invariantOf(t *testing.T, text string) Invariant {
	t.Helper()
	f := strings.Fields(text)
	switch f[0] {
	case "OnlyDials":
		return OnlyDials(f[1:]...)
	case "OnlyRequests":
		return OnlyRequests(f[1:]...)
	case "DialsOnce":
		return DialsOnce()
	case "NoDigitLost":
		return NoDigitLost()
	case "AlwaysAnswers":
		return AlwaysAnswers()
	case "EndsWithin":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		return EndsWithin(d)
	case "HearsAtMost":
		n, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		return HearsAtMost(f[2], n)
	case "Leads":
		return Leads(f[1], Kind(f[2]), f[3])
	}
	t.Fatalf("there is no invariant %s", text)
	return Invariant{}
}

// TestBugsAreFoundWithAnySeed has half of the runs, and seeds that the flows were not made for: one, and ten where there is
// time (CALLBIN_LONG).
func TestBugsAreFoundWithAnySeed(t *testing.T) {
	seeds := uint64(1)
	if os.Getenv("CALLBIN_LONG") != "" {
		seeds = 10
	}
	all, found := 0, 0
	for seed := uint64(2); seed < 2+seeds; seed++ {
		for _, b := range append(readBugs(t), bugsInGo()...) {
			b.explore.MaxDuration, b.explore.Runs, b.explore.Seed = 20*time.Minute, 100, seed
			all++
			if got := New(t, b.name, b.bad, b.cfg).Find(t, b.only()); len(got) == 0 {
				t.Logf("seed %d misses %s", seed, b.name)
				continue
			} else if n := len(got[0].Script); n > maxLines {
				t.Errorf("seed %d: the script has %d lines:\n%s", seed, n, got[0])
			}
			found++
		}
	}
	t.Logf("%d of %d found", found, all)
	if found*20 < all*19 {
		t.Errorf("%d of %d found, want 19 of 20", found, all)
	}
}

// only looks for the one invariant, so that it is done when that is found.
func (b bug) only() Explore {
	e := b.explore
	for _, i := range Invariants() {
		if i.Name != b.finds {
			e.Without = append(e.Without, i.Name)
		}
	}
	return e
}

// maxLines is how long the script of a finding may be.
const maxLines = 5

// TestBugsAreFound looks for one seeded fault in each of many flows: nearly all have to be found, with a
// script that is short, and nothing in the same flows without the fault.
func TestBugsAreFound(t *testing.T) {
	bugs := append(readBugs(t), bugsInGo()...)
	found := 0
	for _, b := range bugs {
		b.explore.MaxDuration = 20 * time.Minute
		got := New(t, b.name, b.bad, b.cfg).Find(t, b.only())
		if len(got) != 1 || got[0].Invariant != b.finds {
			t.Logf("%-20s missed, found: %v", b.name, got)
			continue
		}
		found++
		t.Logf("%-20s %d lines: %q", b.name, len(got[0].Script), strings.Split(strings.TrimSpace(got[0].Script.String()), "\n"))
		if len(got[0].Script) > maxLines {
			t.Errorf("%s: the script has more than %d lines:\n%s", b.name, maxLines, got[0])
		}
		b.explore.Runs = 100
		for _, f := range New(t, b.name+"_fixed", b.good, b.mended).Find(t, b.explore) {
			t.Errorf("false alarm: %s", f)
		}
	}
	t.Logf("%d of %d found", found, len(bugs))
	if len(bugs) < 20 || found*20 < len(bugs)*19 {
		t.Errorf("%d of %d found, want 19 of 20", found, len(bugs))
	}
}
