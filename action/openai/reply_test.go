package openai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/openai"
)

var desk = map[string]openai.Assistant{
	"desk":  {Type: "ai", Instructions: "You are the front desk of ${company}, not of ${missing}.", Model: "big", Language: "en"},
	"night": {Instructions: "It is night."},
	"team":  {Type: "team"},
}

var talk = []action.AssistantMessage{
	{Role: action.RoleAssistant, Text: "Hello?"},
	{Role: action.RoleUser, Text: "Are you \"open\"?\nSay so."},
}

func TestTalk(t *testing.T) {
	a := newAPI(t, says("Yes, we are."))
	c := client(t, openai.Config{BaseURL: a.url + "/", Key: "sk-123", Model: "small", Assistants: desk})
	got, err := c.Reply(t.Context(), action.AssistantRequest{
		Work: action.AssistantTalk, Type: "ai", ID: "desk", Language: "de-DE", Messages: talk,
		Variables: map[string]string{"company": "ACME ${x}", "x": "no"},
	})
	if err != nil || got != (action.AssistantReply{Text: "Yes, we are."}) {
		t.Fatalf("%+v, %v", got, err)
	}
	r := a.requests()[0]
	if r.method != "POST" || r.path != "/v1/chat/completions" || r.header.Get("Authorization") != "Bearer sk-123" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s, %v", r.method, r.path, r.header)
	}
	b := r.chat(t)
	if b.Model != "big" || b.Stream || len(b.Messages) != 3 {
		t.Fatalf("%+v", b)
	}
	system := b.Messages[0]
	if system.Role != "system" || !strings.HasPrefix(system.Content, "You are the front desk of ACME ${x}, not of .\n\nYou speak with somebody on the telephone.") ||
		!strings.HasSuffix(system.Content, "BCP 47 tag de-DE.") {
		t.Errorf("system: %q", system.Content)
	}
	if m := b.Messages[1]; m.Role != "assistant" || m.Content != "Hello?" {
		t.Errorf("%+v", m)
	}
	if m := b.Messages[2]; m.Role != "user" || m.Content != "Are you \"open\"?\nSay so." {
		t.Errorf("%+v", m)
	}
	if len(b.Tools) != 1 || b.Tools[0].Type != "function" || b.Tools[0].Function.Name != "end_conversation" || b.Tools[0].Function.Parameters["type"] != "object" {
		t.Errorf("tools: %+v", b.Tools)
	}
}

func TestTask(t *testing.T) {
	a := newAPI(t, says("done"))
	c := client(t, openai.Config{BaseURL: a.url, Model: "small", Assistants: desk})
	if _, err := c.Reply(t.Context(), action.AssistantRequest{Work: action.AssistantTask, ID: "night"}); err != nil {
		t.Fatal(err)
	}
	r := a.requests()[0]
	b := r.chat(t)
	if b.Model != "small" || len(b.Tools) != 0 || len(b.Messages) != 2 || b.Messages[0].Content != "It is night." || b.Messages[1].Content != "Begin." || b.Messages[1].Role != "user" {
		t.Errorf("%+v", b)
	}
	if _, ok := r.header["Authorization"]; ok {
		t.Error("there is no key, and one was sent")
	}
}

func TestSummary(t *testing.T) {
	a := newAPI(t, says("Er will ein Taxi."))
	c := client(t, openai.Config{BaseURL: a.url, Model: "small", Assistants: desk})
	got, err := c.Reply(t.Context(), action.AssistantRequest{
		Work: action.AssistantSummary, Language: "de",
		Messages: []action.AssistantMessage{{Role: "user", Text: "old"}, {Role: "assistant", Text: "A: a taxi, please"}},
	})
	if err != nil || got.Text != "Er will ein Taxi." || got.End {
		t.Fatalf("%+v, %v", got, err)
	}
	b := a.requests()[0].chat(t)
	if len(b.Messages) != 2 || !strings.HasPrefix(b.Messages[0].Content, "Sum up") || !strings.HasSuffix(b.Messages[0].Content, "tag de.") {
		t.Fatalf("%+v", b.Messages)
	}
	if m := b.Messages[1]; m.Role != "user" || m.Content != "A: a taxi, please" || len(b.Tools) != 0 {
		t.Errorf("%+v", b)
	}
	// An assistant adds its instructions, language and model.
	if _, err := c.Reply(t.Context(), action.AssistantRequest{Work: action.AssistantSummary, ID: "desk", Messages: talk}); err != nil {
		t.Fatal(err)
	}
	b = a.requests()[1].chat(t)
	if s := b.Messages[0].Content; b.Model != "big" || !strings.HasPrefix(s, "Sum up") || !strings.Contains(s, "front desk") || !strings.HasSuffix(s, "tag en.") {
		t.Errorf("%+v", b)
	}
}

func TestLongConversationLosesItsBeginning(t *testing.T) {
	a := newAPI(t, says("hm"))
	c := client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk})
	ask := func(n, size int) []string {
		t.Helper()
		var all []action.AssistantMessage
		for i := range n {
			all = append(all, action.AssistantMessage{Role: "user", Text: strings.Repeat(string(rune('a'+i%26)), size)})
		}
		all = append(all, action.AssistantMessage{Role: "user", Text: " "}) // nothing was said
		before := len(a.requests())
		if _, err := c.Reply(t.Context(), action.AssistantRequest{Work: action.AssistantTask, ID: "night", Messages: all}); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, m := range a.requests()[before].chat(t).Messages[1:] {
			texts = append(texts, m.Content)
		}
		return texts
	}
	if got := ask(openai.MaxMessages+30, 1); len(got) != openai.MaxMessages || got[0] != string(rune('a'+30%26)) {
		t.Errorf("%d messages, from %q", len(got), got[0])
	}
	if got := ask(10, openai.MaxText/4); len(got) != 4 || got[3][0] != 'j' {
		t.Errorf("%d messages", len(got))
	}
	_, err := c.Reply(t.Context(), action.AssistantRequest{Work: action.AssistantTask, ID: "night",
		Messages: []action.AssistantMessage{{Role: "user", Text: strings.Repeat("x", openai.MaxText+1)}}})
	if !errors.Is(err, openai.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	a := newAPI(t, says("hm"))
	c := client(t, openai.Config{BaseURL: a.url, Assistants: map[string]openai.Assistant{
		"desk": {Model: "m", Type: "ai", Instructions: "${x}"}, "night": {Model: "m"},
	}})
	for want, r := range map[string]action.AssistantRequest{
		`openai: reply: there is no assistant "dsk", did you mean "desk"?`:           {Work: "talk", ID: "dsk"},
		`openai: reply: there is no assistant "zzzzzzzz", there are desk, night`:     {Work: "summary", ID: "zzzzzzzz"},
		`openai: reply: the assistant "desk" is of type "ai", not "team"`:            {Work: "talk", Type: "team", ID: "desk"},
		`openai: reply: work "sing" is not talk, task or summary`:                    {Work: "sing", ID: "desk"},
		`openai: reply: there is nothing to sum up`:                                  {Work: "summary", ID: "desk"},
		`openai: reply: there is no model for summaries without an assistant`:        {Work: "summary"},
		`openai: reply: language "en\" x" is not a BCP 47 tag`:                       {Work: "talk", ID: "desk", Language: `en" x`},
		`openai: reply: a message has the role "system", want "user" or "assistant"`: {Work: "talk", ID: "desk", Messages: []action.AssistantMessage{{Role: "system", Text: "x"}}},
		`openai: reply: action: set variable: the name is empty`:                     {Work: "talk", ID: "desk", Variables: map[string]string{"": "x"}},
	} {
		if _, err := c.Reply(t.Context(), r); err == nil || err.Error() != want {
			t.Errorf("%+v:\n%v, want\n%s", r, err, want)
		}
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	for _, good := range [][2]string{{"ai", "desk"}, {"", "desk"}, {"team", "night"}} {
		if err := c.CheckAssistant(good[0], good[1]); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	if err := c.CheckAssistant("ai", "nigth"); err == nil || err.Error() != `openai: check assistant: there is no assistant "nigth", did you mean "night"?` {
		t.Errorf("%v", err)
	}
}

func TestModelEndsTheConversation(t *testing.T) {
	calls := func(name, arguments string) string {
		return `[{"id":"call_1","type":"function","function":{"name":"` + name + `","arguments":` + arguments + `}}]`
	}
	for name, c := range map[string]struct {
		message string
		want    action.AssistantReply
		told    []string
	}{
		"with last words":       {`{"role":"assistant","content":null,"tool_calls":` + calls("end_conversation", `"{\"farewell\":\"Bye!\"}"`) + `}`, action.AssistantReply{Text: "Bye!", End: true}, []string{"Bye!"}},
		"with a text":           {`{"content":"Good night.","tool_calls":` + calls("end_conversation", `"{\"farewell\":\"Bye!\"}"`) + `}`, action.AssistantReply{Text: "Good night.", End: true}, []string{"Good night."}},
		"without a word":        {`{"content":"","tool_calls":` + calls("end_conversation", `"{}"`) + `}`, action.AssistantReply{End: true}, nil},
		"with broken arguments": {`{"content":"","tool_calls":` + calls("end_conversation", `"{\"fare"`) + `}`, action.AssistantReply{End: true}, nil},
		"not: another function": {`{"content":"So?","tool_calls":` + calls("hang_up", `"{}"`) + `}`, action.AssistantReply{Text: "So?"}, []string{"So?"}},
		"not: it refuses":       {`{"content":null,"refusal":"I cannot."}`, action.AssistantReply{Text: "I cannot."}, []string{"I cannot."}},
	} {
		a := newAPI(t, whole(c.message, "tool_calls"))
		var told []string
		got, err := client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk}).Reply(t.Context(), action.AssistantRequest{
			Work: action.AssistantTalk, ID: "desk", Messages: talk, Tell: func(s string) { told = append(told, s) },
		})
		if err != nil || got != c.want || !slices.Equal(told, c.told) {
			t.Errorf("%s: %+v, %v, told %q", name, got, err, told)
		}
	}
}

func TestStream(t *testing.T) {
	text := ": hello\n\n" + delta(`{"role":"assistant","content":""}`, "null") +
		delta(`{"content":"Grüß "}`, "null") + delta(`{"content":"Gott\n"}`, "null") + delta(`{}`, "stop") +
		`data: {"choices":[],"usage":{"total_tokens":3}}` + "\n\ndata: [DONE]\n\n"
	for _, piece := range []int{1, 2, 3, 7, 64, 10_000} {
		for _, lines := range []string{"\n", "\r\n", "\r"} {
			a := newAPI(t, stream(strings.ReplaceAll(text, "\n", lines), piece))
			var told []string
			got, err := client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk}).Reply(t.Context(), action.AssistantRequest{
				Work: action.AssistantTalk, ID: "desk", Messages: talk, Tell: func(s string) { told = append(told, s) },
			})
			if err != nil || got != (action.AssistantReply{Text: "Grüß Gott\n"}) || !slices.Equal(told, []string{"Grüß ", "Gott\n"}) {
				t.Fatalf("pieces of %d, %q: %+v, %v, told %q", piece, lines, got, err, told)
			}
			if b := a.requests()[0].chat(t); !b.Stream {
				t.Error("no stream was asked for")
			}
		}
	}
}

func TestStreamEndsTheConversation(t *testing.T) {
	text := delta(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"end_conversation","arguments":""}}]}`, "null") +
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"fare"}}]}`, "null") +
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"well\":\"Bye!\"}"}},{"index":99,"function":{"name":"x"}},{"index":-1}]}`, "null") +
		delta(`{}`, "tool_calls") // and no [DONE]
	a := newAPI(t, stream(text, 50))
	var told []string
	got, err := client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk}).Reply(t.Context(), action.AssistantRequest{
		Work: action.AssistantTalk, ID: "desk", Messages: talk, Tell: func(s string) { told = append(told, s) },
	})
	if err != nil || got != (action.AssistantReply{Text: "Bye!", End: true}) || !slices.Equal(told, []string{"Bye!"}) {
		t.Errorf("%+v, %v, told %q", got, err, told)
	}
}

func TestStreamsThatFail(t *testing.T) {
	hello := delta(`{"content":"Hello"}`, "null")
	for name, c := range map[string]struct {
		text string
		want string
		is   error
	}{
		"breaks off":        {hello, "the stream broke off", io.ErrUnexpectedEOF},
		"breaks in a line":  {hello + "data: {", "the stream broke off", io.ErrUnexpectedEOF},
		"has no JSON":       {hello + "data: nonsense\n\n", "read the stream: invalid character", nil},
		"has an error":      {hello + `data: {"error":{"message":"overloaded sk-123","code":500}}` + "\n\n", "error in the answer: overloaded ***", nil},
		"has a long line":   {hello + "data: " + strings.Repeat("x", 300<<10) + "\n\n", "a line has more than", openai.ErrTooLarge},
		"has no text":       {delta(`{}`, "length") + "data: [DONE]\n\n", `the model gave no text (it stopped because of "length")`, nil},
		"has too much text": {hello + strings.Repeat(delta(`{"content":"`+strings.Repeat("x", 100_000)+`"}`, "null"), 11), "the answer has more than", openai.ErrTooLarge},
	} {
		a := newAPI(t, stream(c.text, 1<<20))
		told := ""
		got, err := client(t, openai.Config{BaseURL: a.url, Key: "sk-123", Model: "m", Assistants: desk}).Reply(t.Context(), action.AssistantRequest{
			Work: action.AssistantTalk, ID: "desk", Messages: talk, Tell: func(s string) { told += s },
		})
		if err == nil || !strings.HasPrefix(err.Error(), "openai: reply: ") || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if got.Text != told || name != "has no text" && !strings.HasPrefix(told, "Hello") {
			t.Errorf("%s: %.20q, told %.20q", name, got.Text, told)
		}
		if n := len(a.requests()); n != 1 {
			t.Errorf("%s: %d requests, after a part was told", name, n)
		}
	}
}

func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent *io.PipeWriter
		c := client(t, openai.Config{BaseURL: "http://x", Model: "m", Assistants: desk, Timeout: 10 * time.Second, HTTP: doer(func(r *http.Request) (*http.Response, error) {
			body, w := io.Pipe()
			sent = w
			context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) }) // as net/http does
			go func() { _, _ = io.WriteString(w, delta(`{"content":"Hel"}`, "null")) }()
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
		})})
		ask := func(ctx context.Context, tell func(string)) (action.AssistantReply, error) {
			return c.Reply(ctx, action.AssistantRequest{Work: action.AssistantTalk, ID: "desk", Messages: talk, Tell: tell})
		}
		begin := time.Now()
		got, err := ask(t.Context(), func(string) { time.Sleep(time.Minute) }) // to speak takes longer than Timeout
		if got.Text != "Hel" || !errors.Is(err, context.DeadlineExceeded) || err.Error() != "openai: reply: no answer within 10s: context deadline exceeded" {
			t.Errorf("%+v, %v", got, err)
		}
		if took := time.Since(begin); took != 70*time.Second {
			t.Errorf("gave up after %v", took)
		}
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		if _, err := ask(ctx, func(string) { cancel(hungUp) }); !errors.Is(err, hungUp) {
			t.Errorf("%v", err)
		}
		// A stream that is slow, but goes on, lasts as long as it takes.
		got, err = ask(t.Context(), func(part string) {
			if part == "Hel" {
				go func() {
					for range 20 {
						time.Sleep(9 * time.Second)
						_, _ = io.WriteString(sent, delta(`{"content":"."}`, "null"))
					}
					_, _ = io.WriteString(sent, "data: [DONE]\n\n")
				}()
			}
		})
		if err != nil || got.Text != "Hel"+strings.Repeat(".", 20) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	for want, h := range map[string]http.HandlerFunc{
		"read the answer: it has no choices":                      status(200, `{"choices":[]}`),
		"read the answer: invalid character 'o'":                  status(200, `no`),
		"read the answer: unexpected end of JSON":                 status(200, ``),
		"the answer has more than 1048576 bytes":                  status(200, `"`+strings.Repeat("x", openai.MaxAnswer)+`"`),
		`the model gave no text (it stopped because of "filter")`: whole(`{"content":" \n"}`, "filter"),
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"choices"`)
		},
	} {
		a := newAPI(t, h)
		_, err := client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk}).
			Reply(t.Context(), action.AssistantRequest{Work: action.AssistantTalk, ID: "desk", Messages: talk})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
