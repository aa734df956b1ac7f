package call_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/media/tone"
)

// voices is two speech engines: "low" speaks at 500 Hz, all others at 800.
type voices struct {
	mu    sync.Mutex
	asked []media.Utterance // guarded by mu
}

func (v *voices) Speak(_ context.Context, u media.Utterance) (media.Source, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, u)
	hz := 800.0
	if u.Provider == "low" {
		hz = 500
	}
	return tone.Sine(hz, time.Second).Clip(8000).Source(), nil
}

// TestMustHave06Talk: text and SSML, language, gender, voice and provider reach the engine, which is asked once for the same words.
func TestMustHave06Talk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voices{}
		cache, err := speech.NewCache(v, speech.CacheConfig{})
		if err != nil {
			t.Fatal(err)
		}
		say := map[string]string{
			"text": `{"text":"Hello.","language":"en-GB","gender":"female"}`, "ssml": `{"text":"<speak>Hello<break time=\"1s\"/></speak>","language":"de-DE","voice_id":"anna"}`,
			"low": `{"text":"Hello.","language":"en-GB","gender":"female","provider":"low"}`,
		}
		h := open(t, nil, func(c *call.Config) {
			c.Deps.Speaker = cache
			c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
				return flow.Parse([]byte(`[{"type":"talk","option":`+say[in.Request.User]+`}]`), flow.ParseOptions{Registry: action.Builtin(c.Deps)})
			}
		})
		for _, what := range []string{"text", "ssml", "low", "text", "ssml", "low"} {
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, what) // talk answers
			c.WaitEnd(t)
			hz, other := 800.0, 500.0
			if what == "low" {
				hz, other = other, hz
			}
			if !calltest.Hears(c.Heard(), hz) || calltest.Hears(c.Heard(), other) {
				t.Errorf("%s is not spoken by its engine", what)
			}
		}
		want := []media.Utterance{
			{Text: "Hello.", Language: "en-GB", Gender: media.Female},
			{Text: `<speak>Hello<break time="1s"/></speak>`, Language: "de-DE", Voice: "anna"},
			{Text: "Hello.", Language: "en-GB", Gender: media.Female, Provider: "low"},
		}
		if !slices.Equal(v.asked, want) {
			t.Errorf("the engines are asked for %+v", v.asked)
		}
	})
}
