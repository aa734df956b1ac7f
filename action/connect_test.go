package action

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
)

// joiner is a leg that connects, dials and joins with the result that it is given.
type joiner struct {
	fakeLeg
	connected Connected
	err       error
	do        func() // while it is at it
	dialled   DialOptions
	endings   []Ending

	conferenced Conferenced
	joined      []ConferenceOptions
}

func (j *joiner) act() error {
	if j.do != nil {
		j.do()
	}
	return j.err
}

func (j *joiner) Connect(context.Context, ConnectOptions) (Connected, error) {
	return j.connected, j.act()
}

func (j *joiner) Dial(_ context.Context, o DialOptions) ([]string, error) {
	j.dialled = o
	return []string{"x"}, j.act()
}

func (j *joiner) JoinConference(_ context.Context, o ConferenceOptions) (Conferenced, error) {
	j.joined = append(j.joined, o)
	return j.conferenced, j.act()
}

func (j *joiner) Hangup(_ context.Context, e Ending) error {
	j.endings = append(j.endings, e)
	return nil
}

var errOops = errors.New("oops")

func toExtension(target string) dial {
	return dial{Destinations: []address.Address{{Type: address.TypeExtension, Target: target}}}
}

func TestConnectTellsWhatBecameOfIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		got    Connected
		err    error
		result map[string]string
		ending Ending // with relay_reason
	}{
		{
			"answered", Connected{CallID: "b", CallIDs: []string{"a", "b"}, Reason: "normal", Status: 200,
				Destination: address.Address{Type: address.TypeExtension, Target: "2001"}, Ring: 1500 * time.Millisecond, Talk: time.Minute, EndedBy: "key"}, nil,
			map[string]string{"status": "answered", "call_id": "b", "sip_code": "200", "reason": "normal", "destination": "2001",
				"ring_ms": "1500", "talk_ms": "60000", "ended_by": "key"}, Ending{Reason: "normal", ReferenceID: "b"},
		},
		{
			"busy", Connected{CallIDs: []string{"a", "b"}, Reason: "busy", Status: 486}, nil,
			map[string]string{"status": "busy", "sip_code": "486", "reason": "busy", "ring_ms": "0"}, Ending{Reason: "normal", ReferenceID: "a"},
		},
		{
			"no leg", Connected{Reason: "noanswer"}, nil,
			map[string]string{"status": "noanswer", "reason": "noanswer", "ring_ms": "0"}, Ending{Reason: "noanswer"},
		},
		{
			"an error", Connected{}, errOops,
			map[string]string{"status": "failed", "ring_ms": "0"}, Ending{Reason: "failed"},
		},
	} {
		for _, relay := range []bool{false, true} {
			leg := &joiner{connected: c.got, err: c.err}
			o, err := (&connect{dial: toExtension("2001"), RelayReason: relay}).Run(t.Context(), leg)
			if !errors.Is(err, c.err) || IsFatal(err) || o.Stop != relay {
				t.Errorf("%s: %+v, %v", c.name, o, err)
			}
			if d := cmp.Diff(c.result, o.Result); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
			var want []Ending
			if relay {
				want = []Ending{c.ending}
			}
			if d := cmp.Diff(want, leg.endings); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
}

func TestConnectThatIsCutHangsNothingUp(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	leg := &joiner{connected: Connected{CallID: "b", Reason: "normal"}, do: func() { cancel(ErrSkip) }}
	o, err := (&connect{dial: toExtension("2001"), RelayReason: true}).Run(ctx, leg)
	if !errors.Is(err, ErrSkip) || o.Stop || o.Result["status"] != "answered" || len(leg.endings) != 0 {
		t.Errorf("%+v, %v, hung up: %v", o, err, leg.endings)
	}
}
