package action

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/address"
)

func TestVoiceTextsAreComplete(t *testing.T) {
	for lang, texts := range voiceTexts {
		if got := sortedKeys(texts); !slices.Equal(got, voiceTextNames()) {
			t.Errorf("%s has %q", lang, got)
		}
		for name, text := range texts {
			if english := voiceTexts["en"][name]; strings.Count(text, "%") != strings.Count(english, "%") || strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s: %q holds not what %q does", lang, name, text, english)
			}
		}
	}
}

func TestVoiceTextIsFilled(t *testing.T) {
	v := voiceLanguage{Language: "nl-NL", Texts: map[string]string{"counts": "Nieuw: %d. 100 %", "bye": "Dag %x %s %s."}}
	for _, c := range []struct {
		name           string
		args           []any
		text, language string
	}{
		{"counts", []any{2, 3}, "Nieuw: 2. 100 %", "nl-NL"},
		{"bye", []any{"a"}, "Dag %x a %s.", "nl-NL"},
		{"from", []any{"%s"}, "From %s.", "en"}, // what is filled in is no text to be filled
	} {
		if text, language := v.text(c.name, c.args...); text != c.text || language != c.language {
			t.Errorf("%s: %q in %s, want %q in %s", c.name, text, language, c.text, c.language)
		}
	}
}

func TestMessageIsIntroduced(t *testing.T) {
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		m    VoiceMessage
		zone string
		want string
	}{
		{VoiceMessage{Status: MessageNew, TmCreate: now.Add(-time.Hour), Source: address.Address{Type: address.TypeTel, Target: "+1606"}}, "",
			"New message 1 of 2. From + 1 6 0 6. Yesterday at 23:30."},
		{VoiceMessage{Status: MessageSaved, TmCreate: now.Add(-time.Hour), Source: address.Address{Type: address.TypeSIP, Target: "bob@example.com"}}, "Europe/Berlin",
			"Saved message 1 of 2. From bob. Today at 00:30."},
		{VoiceMessage{Status: MessageSaved, TmCreate: now.AddDate(0, 0, -3)}, "nowhere", "Saved message 1 of 2. From an unknown caller. 2026-03-26 at 00:30."},
	} {
		var v voiceLanguage
		if p := v.introduce(c.m, 1, 2, now, c.zone); p.Text != c.want {
			t.Errorf("%q, want %q", p.Text, c.want)
		}
	}
}
