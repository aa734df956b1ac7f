package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/callbin/callbin/store"
)

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTimeHasOneForm(t *testing.T) {
	moment := time.Date(2026, 11, 23, 7, 22, 12, 123456999, time.UTC)
	for _, z := range []*time.Location{time.UTC, time.FixedZone("", -7*3600), time.Local} {
		got := store.At(moment.In(z))
		if got != store.At(moment) || got.String() != "2026-11-23T07:22:12.123456Z" {
			t.Errorf("At(%s) = %s", moment.In(z), got)
		}
	}
	if s := marshal(t, store.At(moment.Truncate(time.Second))); s != `"2026-11-23T07:22:12.000000Z"` {
		t.Errorf("a whole second is %s", s)
	}
	if got := store.AtMicro(store.At(moment).Micro()); got != store.At(moment) {
		t.Errorf("AtMicro(Micro) = %s", got)
	}
}

func TestTimeJSON(t *testing.T) {
	for in, want := range map[string]string{
		`"2026-11-23T07:22:12.123456Z"`:    "2026-11-23T07:22:12.123456Z",
		`"2026-11-23T09:22:12+02:00"`:      "2026-11-23T07:22:12.000000Z",
		`"2026-11-23T07:22:12.123456789Z"`: "2026-11-23T07:22:12.123456Z",
		`null`:                             "",
		`""`:                               "",
	} {
		var got store.Time
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.String() != want {
			t.Errorf("Unmarshal(%s) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`"yesterday"`, `5`, `{}`, `"2026-11-23"`} {
		var got store.Time
		if err := json.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("Unmarshal(%s) = %q, want an error", in, got)
		}
	}
	if s := marshal(t, store.Time{}); s != "null" {
		t.Errorf("unset is %s, want null", s)
	}
}
