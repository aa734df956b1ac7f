package calltest_test

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/calltest"
)

const recordedCall = "../../examples/flowtest/testdata/call.trace"

func recorded(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(recordedCall)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReplayOfAFile(t *testing.T) { calltest.Replay(t, recordedCall, calltest.ReplayConfig{}) }

// TestBrokenTraces are refused, and told why.
func TestBrokenTraces(t *testing.T) {
	good := recorded(t)
	lines := bytes.SplitAfter(good, []byte("\n"))
	for name, c := range map[string]struct {
		trace []byte
		want  string
	}{
		"empty":      {nil, "the trace is empty"},
		"no JSON":    {[]byte("hello"), "invalid character"},
		"a gap":      {append(bytes.Clone(lines[0]), lines[2]...), "nothing between inputs 1 and 3"},
		"no kind":    {bytes.Replace(good, []byte(`"kind":"routed"`), []byte(`"kind":"moon"`), 1), "does not hold what belongs to its kind"},
		"no payload": {bytes.Replace(good, []byte(`"step":{`), []byte(`"stop":{`), 1), "does not hold what belongs to its kind"},
		"no flow":    {bytes.Join(lines[:len(lines)-2], nil), "the trace holds no flow"},
		"cut short":  {good[:len(good)/2], "unexpected EOF"},
		"bad flow":   {bytes.Replace(good, []byte(`"body":"{\n`), []byte(`"body":"[\n`), 1), "the flow cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := calltest.ReplayTrace(t, c.trace, calltest.ReplayConfig{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestReplayOfATraceThatWasTamperedWith lacks one input after the other: most are missed, and nothing hangs.
func TestReplayOfATraceThatWasTamperedWith(t *testing.T) {
	lines := bytes.SplitAfter(recorded(t), []byte("\n"))
	lines = lines[:len(lines)-1]
	told := 0
	for i := range lines {
		var b []byte
		seq := 0
		for j, line := range lines {
			if j == i {
				continue
			}
			seq++
			b = append(b, renumber(line, seq)...)
		}
		_, err := calltest.ReplayTrace(t, b, calltest.ReplayConfig{})
		if _, ok := errors.AsType[*calltest.Divergence](err); ok {
			told++
		}
	}
	t.Logf("%d of %d inputs were missed", told, len(lines))
	if told < len(lines)/2 {
		t.Error("too few")
	}
}

func renumber(line []byte, seq int) []byte {
	_, rest, _ := bytes.Cut(line, []byte(","))
	return append([]byte(`{"seq":`+strconv.Itoa(seq)+","), rest...)
}

// FuzzReplay feeds any trace, which must neither panic nor hang.
func FuzzReplay(f *testing.F) {
	f.Add(recorded(f))
	f.Fuzz(func(t *testing.T, trace []byte) {
		_, _ = calltest.ReplayTrace(t, trace, calltest.ReplayConfig{})
	})
}
