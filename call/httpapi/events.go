package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/callbin/callbin/call"
)

// Events tells what happens; *call.Engine does.
type Events interface {
	Subscribe(o call.SubscribeOptions) (*call.Subscription, error)
	RecentEvents(o call.SubscribeOptions, before string, n int) []call.Event
	KeepEvents()
}

const (
	// streamWrite is how long a write to a reader may take.
	streamWrite = 10 * time.Second
	// streamIdle is how long a stream says nothing.
	streamIdle = 15 * time.Second
	// streamBuffer is how many events wait for a reader: 32 KiB of pointers, events and their JSON are shared by all.
	streamBuffer = call.DefaultEventHistory
)

// eventRows are the streams of events, and the list of those that are kept.
func (a *api) eventRows() []operation {
	e, ok := a.cfg.Engine.(Events)
	if !ok {
		return nil
	}
	e.KeepEvents() // so that a reader that comes back after the first minute finds what it has missed
	return []operation{
		op("listEvents", "GET /events", "events:read", "The last events that happened, the latest first",
			func(_ *request, p eventListParams, _ none) (list[call.Event], error) { return listEvents(e, p) }).
			tells("Only as many are kept as the engine is configured to. What is older stands in the records, and in journeys."),
		op("streamEvents", "GET /events/stream", "events:read", "Events as they happen, as Server-Sent Events",
			func(r *request, p streamParams, _ none) (raw, error) { return a.sse(r, e, p) }).gives("text/event-stream").ticketed().
			tells("The id of each message is that of the event, its event the type, its data the JSON of GET /events. A client that comes back with Last-Event-ID, or last_event_id, gets what it has missed; "+
				"where that is not kept any more, a message \"events_lost\" comes first. The last message is \"end\", with a reason: slow_reader, engine_ended, shutdown. A comment comes every %d s.", int(streamIdle.Seconds())),
		op("socketEvents", "GET /events/ws", "events:read", "Events as they happen, over a WebSocket",
			func(r *request, p streamParams, _ none) (raw, error) { return a.eventSocket(r, e, p) }).with(http.StatusSwitchingProtocols).ticketed().
			tells("%s", socketDoc),
		op("createTicket", "POST /events/tickets", "events:read", "A ticket for one stream of events, for clients that cannot send headers",
			func(r *request, _ none, _ none) (Ticket, error) { return a.tickets.issue(r.by, time.Now()) }).with(http.StatusCreated),
	}
}

// filterParams choose events.
type filterParams struct {
	Type         string `json:"type,omitempty" doc:"types, separated by commas; call_* are all that begin so"`
	CallID       string `json:"call_id,omitempty"`
	JourneyID    string `json:"journey_id,omitempty"`
	ConferenceID string `json:"conference_id,omitempty"`
}

func (p *filterParams) filter() call.EventFilter {
	f := call.EventFilter{CallID: p.CallID, JourneyID: p.JourneyID, ConferenceID: p.ConferenceID}
	for t := range strings.SplitSeq(p.Type, ",") {
		if t = strings.TrimSpace(t); t != "" {
			f.Types = append(f.Types, t)
		}
	}
	return f
}

type eventListParams struct {
	pageParams
	filterParams
}

func listEvents(e Events, p eventListParams) (list[call.Event], error) {
	size := p.PageSize
	if size == 0 {
		size = 100
	}
	page := e.RecentEvents(call.SubscribeOptions{Any: []call.EventFilter{p.filter()}}, p.PageToken, size+1)
	next := ""
	if len(page) > size {
		page = page[:size]
		next = page[size-1].ID
	}
	return listOf(page, next), nil
}

type streamParams struct {
	filterParams
	LastEventID string `json:"last_event_id,omitempty" doc:"id of the last event that was read: what came since then comes first"`
	Ticket      string `json:"ticket,omitempty" doc:"of POST /events/tickets, in place of a token"`
}

// subscribe begins after the event last, or, where that is not kept any more, now, and says so.
func subscribe(e Events, any []call.EventFilter, last string) (s *call.Subscription, lost bool, err error) {
	o := call.SubscribeOptions{Any: any, Buffer: streamBuffer, After: last}
	if s, err = e.Subscribe(o); errors.Is(err, call.ErrEventsLost) {
		lost, o.After = true, ""
		s, err = e.Subscribe(o)
	}
	if errors.Is(err, call.ErrEngineEnded) {
		err = &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "engine_ended", message: "the engine has ended"}
	}
	return s, lost, err
}

// errShutdown is why streams end when the server does.
var errShutdown = errors.New("the server is about to end")

// untilOver is ctx, until the streams are to end. The caller calls cancel.
func (a *api) untilOver(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-a.streams.over:
			cancel(errShutdown)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// whyOver is the reason for the end of a stream, for machines and for people; "": its reader has gone.
func whyOver(err error) (reason, message string) {
	switch {
	case errors.Is(err, call.ErrSlowSubscriber):
		return "slow_reader", "more events waited than are kept for one reader; what was missed is told to who comes back with the id of the last event"
	case errors.Is(err, call.ErrEngineEnded):
		return "engine_ended", "the engine has ended"
	case errors.Is(err, errShutdown):
		return "shutdown", "the server is about to end"
	}
	return "", ""
}

// lostMessage is what a reader is told who has missed events for good.
const lostMessage = "events since the last one that was read are not all kept any more; those from now on follow"
