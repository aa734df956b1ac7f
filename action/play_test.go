package action

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/callbin/callbin/media"
)

type promptsFunc func(ref string) (media.Source, error)

func (f promptsFunc) OpenPrompt(_ context.Context, _, ref string) (media.Source, error) {
	return f(ref)
}

func (f promptsFunc) CheckPrompt(dir, ref string) error {
	if strings.Contains(ref, "gone") {
		return errors.New("not in " + dir)
	}
	return nil
}

func TestPlayNotesPromptsThatAreNone(t *testing.T) {
	leg := &fakeLeg{}
	good := &fakeSource{rate: 8000, n: 400, value: 5}
	a := &play{StreamURLs: []string{"file:panic", "file:nil", "file:norate", " file:good ", "file:bad"}, deps: Deps{Prompts: promptsFunc(func(ref string) (media.Source, error) {
		switch ref {
		case "file:panic":
			panic("prompts broke")
		case "file:nil":
			return nil, nil
		case "file:norate":
			return &fakeSource{}, nil
		case "file:good":
			return good, nil
		}
		return nil, errors.New("no such file")
	})}}
	o, err := a.Run(t.Context(), leg)
	if o.Stop || o.Target != "" || IsFatal(err) || err == nil {
		t.Fatalf("got %+v, %v", o, err)
	}
	for _, want := range []string{"prompts broke", `"file:nil": no sound`, `"file:norate": no sound`, "no such file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %s", err, want)
		}
	}
	if len(leg.played) != 400 || good.closed != 1 {
		t.Errorf("%d samples played, closed %d times", len(leg.played), good.closed)
	}
}

func TestPlayWarnsOfMissingFiles(t *testing.T) {
	a := &play{StreamURLs: []string{"file:a.wav", "file:gone.wav", "file:gone${x}.wav"}, deps: Deps{Prompts: promptsFunc(nil)}}
	c := NewCheckContext("/flows", nil)
	a.Needs(c)
	if p := c.Problems(); len(p) != 1 || !p[0].Warning || p[0].Message != `option "stream_urls[1]" cannot be played: not in /flows` {
		t.Errorf("got %v", p)
	}
}

func TestPlayOfOneURLIsNotWrapped(t *testing.T) {
	src := &fakeSource{rate: 16000, n: 10}
	leg := &sourceLeg{fakeLeg: &fakeLeg{}}
	a := &play{StreamURLs: []string{"file:a"}, deps: Deps{Prompts: promptsFunc(func(string) (media.Source, error) { return src, nil })}}
	if _, err := a.Run(t.Context(), leg); err != nil || leg.got != media.Source(src) || src.closed != 1 {
		t.Errorf("played %T, closed %d times, %v", leg.got, src.closed, err)
	}
}

// sourceLeg remembers the source that it plays.
type sourceLeg struct {
	*fakeLeg
	got media.Source
}

func (l *sourceLeg) Play(ctx context.Context, src media.Source) error {
	l.got = src
	return l.fakeLeg.Play(ctx, src)
}
