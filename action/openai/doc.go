// Package openai lets calls use an AI behind an HTTP API of the kind that OpenAI began and
// many servers speak: vLLM, Ollama, llama.cpp, LiteLLM and the hosted ones.
//
// There is one type. A [Client] is an [action.Assistant] by POST /chat/completions, a
// [media.RecordingTranscriber] by POST /audio/transcriptions, and a [media.Speaker] by POST /audio/speech:
//
//	c, err := openai.New(openai.Config{
//		BaseURL: "https://api.openai.com/v1", Key: key, Model: "gpt-4o-mini",
//		Assistants: map[string]openai.Assistant{
//			"desk": {Instructions: "You are the front desk of ${company}."},
//		},
//	})
//	reply, err := c.Reply(ctx, action.AssistantRequest{
//		Work: action.AssistantTalk, ID: "desk", Messages: messages, Tell: speak,
//	})
//
// With Tell the answer is asked for as a stream of server-sent events and told as it comes,
// else as one JSON text. An assistant that talks is given a function, end_conversation, with
// its last words: calling it makes AssistantReply.End true.
//
// Speech is asked for as PCM or WAV and played while it comes. A media/vad.Transcriber makes of the Client what
// transcribes calls while they last, an utterance at a time.
//
// # Trust and limits
//
// The base URL is the operator's and trusted, which is why Config.HTTP may be left out; the
// client made then follows no redirects. Whoever sets a safehttp.Client has to give it a
// Timeout that is long enough for a whole stream. What a caller said goes to the model as
// it is, and so do variables in the instructions: a model can be talked into things, so
// give it no secrets and no other functions.
//
// Errors carry the status and the server's message, cut short, with the key taken out. A
// request is tried again after 429, 500, 502, 503, 504 and network errors, as long as no
// answer has begun. The constants of this package say what is too large.
//
// Not covered: other functions, images, the Responses and Realtime APIs, compressed speech, streaming transcription.
package openai
