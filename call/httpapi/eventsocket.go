package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/call"
)

const (
	maxSocketMessage = 32 << 10
	socketPing       = 10 * time.Second // for its answer
)

const socketDoc = `The client sends {"type":"subscribe","topics":[...]} and {"type":"unsubscribe","topics":[...]}, each answered by what topics there are then; the parameters are a first subscription. ` +
	`Topics are "*", "call:ID", "journey:ID", "conference:ID", each with a type behind it if need be ("call:ID:dtmf_received", "*:call_*"), "type:TYPE", and VoIPBIN's "customer_id:ID:call" and "customer_id:ID:call:ID". ` +
	`The first subscription can have a last_event_id: what came since then comes first, or, where that is not kept any more, {"type":"events_lost"}. Each event is a message with the JSON of GET /events. ` +
	`A fault is answered by {"type":"error"}. The last message is {"type":"end"} with a reason: slow_reader (close code 1013), engine_ended, shutdown (1001).`

// eventSocket serves events over a WebSocket.
func (a *api) eventSocket(r *request, e Events, p streamParams) (raw, error) {
	leave, err := a.streams.enter()
	if err != nil {
		return nil, err
	}
	s := &eventSocket{events: e, begun: make(chan struct{})}
	if p.Type+p.CallID+p.JourneyID+p.ConferenceID != "" || p.LastEventID != "" {
		s.fixed = []call.EventFilter{p.filter()}
		if err := s.begin(p.LastEventID); err != nil {
			leave()
			return nil, err
		}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer leave()
		defer s.end()
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: a.cfg.Origins})
		if err != nil {
			return // it has answered
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(maxSocketMessage)
		s.c = c
		ctx, cancel := a.untilOver(context.WithoutCancel(r.Context())) // that of a connection that was taken over says nothing
		defer cancel()
		a.streamEnded(r, s.run(ctx))
	}, nil
}

// eventSocket is one connection. One goroutine reads what the client wants, another one writes events.
type eventSocket struct {
	events Events
	c      *websocket.Conn
	fixed  []call.EventFilter // of the parameters

	mu     sync.Mutex
	topics []string           // guarded by mu
	sub    *call.Subscription // guarded by mu until begun is closed
	lost   bool               // as sub is
	begun  chan struct{}      // closed when there is sub
}

// run serves until the reader goes, or has to.
func (s *eventSocket) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reader sync.WaitGroup
	// The end of a context that is read with closes the connection, and nothing could be said any more: goodbye ends the reader.
	reader.Go(func() { cancel(s.read(context.WithoutCancel(ctx))) })
	err := s.write(ctx)
	s.goodbye(err)
	cancel(nil)
	reader.Wait()
	return err
}

// goodbye tells the reader why it ends, as far as it still listens: for a second.
func (s *eventSocket) goodbye(err error) {
	defer func() { _ = s.c.CloseNow() }()
	reason, message := whyOver(err)
	if reason == "" {
		return
	}
	code := websocket.StatusGoingAway
	if reason == "slow_reader" {
		code = websocket.StatusTryAgainLater
	}
	t := time.AfterFunc(time.Second, func() { _ = s.c.CloseNow() })
	defer t.Stop()
	if s.say(context.Background(), streamNote{Type: "end", Reason: reason, Message: message}) == nil {
		_ = s.c.Close(code, reason)
	}
}

// write writes events until ctx or the subscription ends.
func (s *eventSocket) write(ctx context.Context) error {
	for {
		select {
		case <-s.begun:
			return s.writeEvents(ctx)
		case <-time.After(streamIdle):
			if err := s.ping(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *eventSocket) writeEvents(ctx context.Context) error {
	if s.lost {
		if err := s.say(ctx, streamNote{Type: "events_lost", Message: lostMessage}); err != nil {
			return err
		}
	}
	for {
		_, text, err := next(ctx, s.sub)
		switch {
		case errors.Is(err, errIdle):
			err = s.ping(ctx)
		case err == nil:
			err = s.send(ctx, text)
		}
		if err != nil {
			return err
		}
	}
}

func (s *eventSocket) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, socketPing, errStalled)
	defer cancel()
	if err := s.c.Ping(ctx); err != nil {
		return causeOr(ctx, err)
	}
	return nil
}

func (s *eventSocket) send(ctx context.Context, text []byte) error {
	// The end of ctx would cut the message, and with it the connection.
	timed, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), streamWrite, errStalled)
	defer cancel()
	if err := s.c.Write(timed, websocket.MessageText, text); err != nil {
		return causeOr(timed, err)
	}
	return nil
}

// causeOr is why ctx has ended, or err where it has not.
func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *eventSocket) say(ctx context.Context, n streamNote) error {
	text, _ := json.Marshal(n) // strings: it cannot fail
	return s.send(ctx, text)
}

// read does what the client wants, until it goes.
func (s *eventSocket) read(ctx context.Context) error {
	for {
		kind, text, err := s.c.Read(ctx)
		if err != nil {
			return err
		}
		answer := streamNote{Type: "error", Reason: "binary", Message: "messages are text"}
		if kind == websocket.MessageText {
			answer = s.do(text)
		}
		if err := s.say(ctx, answer); err != nil {
			return err
		}
		s.ready()
	}
}

// ready lets the writer begin, once there is a subscription and the client knows.
func (s *eventSocket) ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub == nil {
		return
	}
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
}

// end closes the subscription.
func (s *eventSocket) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub != nil {
		s.sub.Close()
	}
}

// begin makes the subscription of the parameters.
func (s *eventSocket) begin(last string) error {
	var err error
	if s.sub, s.lost, err = subscribe(s.events, s.fixed, last); err != nil {
		return err
	}
	close(s.begun)
	return nil
}

// socketMessage is what a client sends.
type socketMessage struct {
	Type        string   `json:"type"`
	Topics      []string `json:"topics"`
	LastEventID string   `json:"last_event_id"`
}

// do does what a message wants, and returns the answer.
func (s *eventSocket) do(text []byte) streamNote {
	m, err := readSocketMessage(text)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err = s.change(m); err == nil {
			return streamNote{Type: m.Type + "d", Topics: append([]string{}, s.topics...)}
		}
	}
	var f *failure
	if errors.As(err, &f) {
		return streamNote{Type: "error", Reason: f.reason, Message: f.message}
	}
	return streamNote{Type: "error", Reason: "message", Message: err.Error()}
}

// readSocketMessage reads and checks a message.
func readSocketMessage(text []byte) (socketMessage, error) {
	var m socketMessage
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("not a message: %w", err)
	}
	switch {
	case d.More():
		return m, errors.New("not a message: something stands behind it")
	case m.Type != "subscribe" && m.Type != "unsubscribe":
		return m, fmt.Errorf("type %.20q: there are subscribe and unsubscribe", m.Type)
	case len(m.Topics) == 0:
		return m, errors.New("topics: there are none")
	case m.Type == "unsubscribe" && m.LastEventID != "":
		return m, errors.New("last_event_id is for subscribe")
	}
	for i, t := range m.Topics {
		if _, err := topicFilter(t); err != nil {
			return m, fmt.Errorf("topics[%d]: %w", i, err)
		}
	}
	return m, nil
}

// change subscribes and unsubscribes. mu is held.
func (s *eventSocket) change(m socketMessage) error {
	topics, err := changeTopics(s.topics, m)
	if err != nil {
		return err
	}
	any := append([]call.EventFilter{}, s.fixed...)
	for _, t := range topics {
		f, _ := topicFilter(t) // it was checked
		any = append(any, f)
	}
	switch {
	case s.sub == nil && m.Type == "subscribe":
		if s.sub, s.lost, err = subscribe(s.events, any, m.LastEventID); err != nil {
			return err
		}
	case m.LastEventID != "":
		return errors.New("last_event_id is for the first subscription: what was read since then would come twice")
	case s.sub != nil:
		s.sub.Choose(any)
	}
	s.topics = topics
	return nil
}
