package flowtest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/flow/foreign"
	"github.com/callbin/callbin/media"
)

// World is what stands around one call in a test, as its Script says: those who can be called, web servers,
// a voice, sound files, and the log of all that happens. It is the same whether the call is simulated (Leg) or a
// real one of package calltest. It is safe for concurrent use.
type World struct {
	script Script
	start  time.Time
	log    *log

	// What the script says; set once.
	vars        action.Vars
	begin       flow.Position
	quiet       bool   // no events for steps
	status      string // of the call; "": by whether it is answered
	peers       map[string]Peer
	conferences map[string]bool
	flows       map[string]string
	programs    map[string]string // in plain Go, by id: what becomes of them, as in faults
	faults      map[string]string // what becomes of a use of a capability: fails, hangs, panics, takes 2s
	prompts     map[string]prompt
	recordings  []tape
	queues      map[string]queue
	mailboxes   map[string]*mailbox
	orbits      map[string]orbit
	rings       map[string]bool // extensions
	verdict     string          // of the answering machine detector: human, machine, notsure, error; "": never comes
	verdictAt   time.Duration
	servers     []answer // by URL
	registry    *action.Registry

	mu      sync.Mutex
	answers []answer      // of any web server, one after the other; guarded by mu
	replies []string      // of the assistant, guarded by mu
	sends   []string      // what becomes of messages, mails and cases, guarded by mu
	ears    []chan<- said // of transcribers that listen, guarded by mu
	open    int           // recordings that are being read, guarded by mu
	sources int           // sounds that are open, guarded by mu
	asked   []Request     // guarded by mu
	taken   []taken       // steps that are over, guarded by mu
	left    int           // messages in mailboxes, guarded by mu
}

// tape is a recording; its text is what a transcriber finds in it, or "error", or "hang".
type tape struct{ id, text string }

// Request is a request of HTTP.
type Request struct {
	At                       time.Duration // since the start of the call
	Method, URL, ContentType string
	Body                     string
	Header                   http.Header
}

// NewWorld makes what script says. The call starts now.
func NewWorld(script Script) (*World, error) {
	if err := script.check(); err != nil {
		return nil, err
	}
	w := emptyWorld()
	w.script = script
	for i, l := range script {
		if set := verbs[l.Verb].set; set != nil {
			if err := set(w, l.Args); err != nil {
				return nil, fmt.Errorf("flowtest: line %d: %q: %w", i+1, l, err)
			}
		}
	}
	return w, nil
}

func emptyWorld() *World {
	w := &World{
		log: newLog(), peers: make(map[string]Peer), conferences: make(map[string]bool), flows: make(map[string]string),
		programs: make(map[string]string), faults: make(map[string]string), prompts: make(map[string]prompt),
		queues: make(map[string]queue), mailboxes: make(map[string]*mailbox), orbits: make(map[string]orbit), rings: make(map[string]bool),
	}
	w.start = w.log.start
	_ = w.vars.Set(varActiveflow, ActiveflowID) // within all limits
	return w
}

// ActiveflowID is the id of the running flow, unless the script gives it another one.
const ActiveflowID = "activeflow-1"

const varActiveflow = "voipbin.activeflow.id"

// Log adds an event to the log, at this instant.
func (w *World) Log(kind Kind, format string, args ...any) {
	w.log.add(kind, fmt.Sprintf(format, args...))
}

// Events returns what has happened so far.
func (w *World) Events() []Event { return w.log.all() }

// Requests returns the requests that web servers got so far.
func (w *World) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// Peer tells what somebody does who is called by that address.
func (w *World) Peer(a address.Address) Peer {
	if p, ok := w.peers[a.Target]; ok {
		return p
	}
	return w.peers["*"]
}

// StartVars are the variables at the start of the call, as the script says.
func (w *World) StartVars() map[string]string { return w.vars.All() }

// Begin is where in the flow the call begins.
func (w *World) Begin() flow.Position { return w.begin }

// callerLane is the instant within each microsecond that belongs to what the caller does.
const callerLane = 1

// turn waits, for less than a microsecond, until an instant that belongs to what name says: what happens at
// the same time in several goroutines would happen in an order that is chance. Whole microseconds belong
// to the flow, and each thing beside it has a nanosecond of its own.
func turn(name string) {
	h := fnv.New32a()
	_, _ = io.WriteString(h, name) // never fails
	lane := time.Duration(callerLane + 1 + h.Sum32()%900)
	now := time.Duration(time.Now().Nanosecond()) % time.Microsecond
	if lane <= now {
		lane += time.Microsecond
	}
	time.Sleep(lane - now)
}

// wait lets d pass.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fault does what the script says of the use of a capability.
func (w *World) fault(ctx context.Context, name string) error { return suffer(ctx, w.faults[name]) }

func suffer(ctx context.Context, what string) error {
	switch how, after, _ := strings.Cut(what, " "); how {
	case "":
		return nil
	case "panics":
		panic("oh")
	case "hangs":
		<-ctx.Done()
		return context.Cause(ctx)
	case "takes":
		d, err := time.ParseDuration(after)
		if err != nil {
			return err
		}
		return wait(ctx, d)
	default:
		return errors.New("out of order")
	}
}

// FlowByID finds the flows and programs of the script; one whose id begins with slow takes a second.
func (w *World) FlowByID(ctx context.Context, id string) (action.Program, error) {
	if what, ok := w.programs[id]; ok {
		return flow.Func(func(ctx context.Context, _ action.Leg) error {
			w.Log("program", "%s", id)
			return suffer(ctx, what)
		}), nil
	}
	text, ok := w.flows[id]
	if !ok {
		return nil, action.ErrNoFlow
	}
	if strings.HasPrefix(id, "slow") {
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return flow.Parse([]byte(text), flow.ParseOptions{Registry: w.registry, Name: id})
}

// Deps are what the actions of the call work with.
func (w *World) Deps() action.Deps {
	return action.Deps{
		Prompts:       w,
		Speaker:       w,
		HTTP:          w,
		Foreign:       foreign.Reader{},
		Beep:          func() media.Source { return w.newSound("beep", 8000, beepLength) },
		WebhookSecret: "secret",
		Expressions:   expr.Expressions{},

		Transcriber:          w,
		RecordingTranscriber: w,
		Assistant:            w,
		Messages:             w,
		Mail:                 w,
		Conversations:        w,
		Cases:                w,
	}
}

func sortedPairs(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, " %s=%s", k, m[k])
	}
	return b.String()
}
