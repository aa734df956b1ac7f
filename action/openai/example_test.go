package openai_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/media"
)

func ExampleClient_Reply() {
	// In place of https://api.openai.com/v1, or of vLLM, Ollama and the like.
	server := httptest.NewServer(stream(delta(`{"content":"We are "}`, "null")+delta(`{"content":"open."}`, "stop")+"data: [DONE]\n\n", 40))
	defer server.Close()

	c, err := openai.New(openai.Config{
		BaseURL: server.URL,
		Model:   "gpt-4o-mini",
		Assistants: map[string]openai.Assistant{
			"desk": {Instructions: "You are the front desk of ${company}, which is open from 9 to 5."},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.CheckAssistant("ai", "dek"))

	reply, err := c.Reply(context.Background(), action.AssistantRequest{
		Work:      action.AssistantTalk,
		ID:        "desk",
		Messages:  []action.AssistantMessage{{Role: action.RoleUser, Text: "Are you open?"}},
		Variables: map[string]string{"company": "ACME"},
		Tell:      func(part string) { fmt.Printf("%q\n", part) },
	})
	fmt.Printf("%q %v %v\n", reply.Text, reply.End, err)
	// Output:
	// openai: check assistant: there is no assistant "dek", did you mean "desk"?
	// "We are "
	// "open."
	// "We are open." false <nil>
}

func ExampleClient_TranscribeRecording() {
	server := httptest.NewServer(status(200, `{"text":"Good morning."}`))
	defer server.Close()

	c, err := openai.New(openai.Config{BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	file := strings.NewReader("RIFF...") // a WAV file
	text, err := c.TranscribeRecording(context.Background(), "call.wav", file, media.TranscribeOptions{Language: "en-GB"})
	fmt.Println(text, err)
	// Output: Good morning. <nil>
}
