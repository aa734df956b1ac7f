package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// endpoint answers as a server of OpenAI's kind does. What it hears, thinks and says is up to its functions.
type endpoint struct {
	hear  func(sound *media.Clip, language string) (text string, err error)
	think func(messages []message, tell func(part string)) (err error)
	speak func(text, voice string) (*media.Clip, error)
}

// message of a chat.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/audio/transcriptions", e.transcribe)
	mux.HandleFunc("POST /v1/chat/completions", e.chat)
	mux.HandleFunc("POST /v1/audio/speech", e.speech)
	mux.ServeHTTP(w, r)
}

// refuse answers with an error of the API.
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": err.Error(), "type": "invalid_request_error", "param": nil, "code": nil}})
}

const mostBytes = 25 << 20 // of a request

func (e *endpoint) transcribe(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostBytes)
	if err := r.ParseMultipartForm(mostBytes); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	file, _, err := r.FormFile("file")
	if err != nil || r.FormValue("model") == "" {
		refuse(w, http.StatusBadRequest, fmt.Errorf("file and model are needed"))
		return
	}
	defer file.Close()
	sound, err := wav.Decode(file, wav.Limits{Duration: 5 * time.Minute})
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("invalid file format: %w", err))
		return
	}
	text, err := e.hear(sound, r.FormValue("language"))
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"text": text})
}

func (e *endpoint) chat(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, mostBytes)).Decode(&q); err != nil || q.Model == "" || len(q.Messages) == 0 || !q.Stream {
		refuse(w, http.StatusBadRequest, fmt.Errorf("model, messages and stream are needed"))
		return
	}
	begun := false
	event := func(delta map[string]string, finish any) {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
		}
		b, _ := json.Marshal(map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": q.Model,
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		fmt.Fprintf(w, "data: %s\n\n", b)
		w.(http.Flusher).Flush()
	}
	err := e.think(q.Messages, func(part string) {
		if !begun {
			event(map[string]string{"role": "assistant", "content": ""}, nil)
		}
		event(map[string]string{"content": part}, nil)
	})
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler) // the stream breaks off
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	event(map[string]string{}, "stop")
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// speechRate is that of OpenAI's PCM.
const speechRate = 24000

func (e *endpoint) speech(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Model  string `json:"model"`
		Input  string `json:"input"`
		Voice  string `json:"voice"`
		Format string `json:"response_format"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, mostBytes)).Decode(&q); err != nil || q.Model == "" || strings.TrimSpace(q.Input) == "" || q.Voice == "" {
		refuse(w, http.StatusBadRequest, fmt.Errorf("model, input and voice are needed"))
		return
	}
	clip, err := e.speak(q.Input, q.Voice)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	src := media.Resample(clip.Source(), speechRate)
	clip, err = media.ReadAll(r.Context(), src, 5*time.Minute)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	var b []byte
	switch q.Format {
	case "pcm":
		w.Header().Set("Content-Type", "audio/pcm")
		b, _ = binary.Append(nil, binary.LittleEndian, clip.PCM())
	case "wav":
		w.Header().Set("Content-Type", "audio/wav")
		b = wav.Encode(clip)
	default:
		refuse(w, http.StatusBadRequest, fmt.Errorf("response_format %q is not pcm or wav", q.Format))
		return
	}
	for len(b) > 0 {
		n, err := w.Write(b[:min(4801, len(b))]) // odd: samples are cut, as networks cut them
		if err != nil {
			return
		}
		w.(http.Flusher).Flush()
		b = b[n:]
	}
}

// served is an endpoint on a port of 127.0.0.1.
type served struct {
	http.Server
	url   string
	ended chan error
}

func serve(e *endpoint) (*served, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &served{Server: http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}, url: "http://" + l.Addr().String() + "/v1", ended: make(chan error, 1)}
	go func() { s.ended <- s.Serve(l) }()
	return s, nil
}

// Close ends all requests and waits for the server.
func (s *served) Close() error {
	err := s.Server.Close()
	<-s.ended
	return err
}
