package call

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/store"
)

// fill sets every field of an Input, one at a time, and calls f.
func eachInput(f func(in *Input)) {
	t := reflect.TypeFor[Input]()
	for i := range t.NumField() {
		in := &Input{Seq: 7, At: store.At(time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)), Kind: KindNote}
		v := reflect.ValueOf(in).Elem().Field(i)
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.String:
			v.SetString("timer")
		}
		f(in)
	}
}

// TestTraceLine holds the hand-written envelope to encoding/json, for each field that there is.
func TestTraceLine(t *testing.T) {
	var line traceLine
	eachInput(func(in *Input) {
		want, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := line.of(in)
		if err != nil || string(got) != string(want)+"\n" {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	})
}

func BenchmarkTraceLine(b *testing.B) {
	in := &Input{Seq: 7, At: store.At(time.Now()), Kind: KindStarted, Step: &StepInput{Seq: 1, ID: "menu", Type: "talk", Option: `{"text":"Hello"}`}}
	var line traceLine
	b.ReportAllocs()
	for b.Loop() {
		if _, err := line.of(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummary(b *testing.B) {
	effects := []Effect{{Do: DoAccept, Body: strings.Repeat("a=rtpmap:0 PCMU/8000\r\n", 12)}, {Do: DoEmit, Text: "call_progressing"}, {Do: DoTimer, Text: "ack_wait", Delay: ackWait}}
	b.ReportAllocs()
	for b.Loop() {
		Summary(effects)
	}
}
