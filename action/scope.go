package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/media"
)

// MaxBackground is how many pieces of background work one run of a flow may have
// going at once.
const MaxBackground = 16

// BackgroundGrace is how long the end of a flow waits for background work on a leg
// that is no Backgrounder; then the work's context ends.
const BackgroundGrace = 5 * time.Second

// ErrBusy is what Background returns when MaxBackground is reached.
var ErrBusy = errors.New("action: too much background work")

// Info tells an action which step of which flow it is.
type Info struct {
	Flow  string // name of the flow
	Dir   string // folder of the flow's file, where relative file: URLs start; may be empty
	ID    string // of the step
	Type  string // of the step
	Index int    // of the step in the flow, from 0
}

// FlowInfo returns the step that ctx belongs to; outside of a flow it is the zero
// Info. An action that starts goroutines calls it before.
func FlowInfo(ctx context.Context) Info {
	if s := scopeOf(ctx); s != nil {
		if i := s.info.Load(); i != nil {
			return *i
		}
	}
	return Info{}
}

// Backgrounder is a leg that looks after work that may outlive the flow, such as the
// delivery of a webhook: Background runs f in a goroutine, and whoever owns the leg
// waits for it. The context of f does not end with the flow or the call.
type Backgrounder interface {
	Background(f func(ctx context.Context)) error
}

// Reporter is a leg that takes note of what fails after its step has ended: background
// sound, and work of Background. Report is called from any goroutine and must not block.
type Reporter interface {
	Report(step Info, err error)
}

// report tells leg of an error of background work, unless it was ended on purpose.
func report(leg Leg, step Info, err error) {
	if err == nil || errors.Is(err, errReplaced) {
		return
	}
	if r, nerr := Need[Reporter](leg); nerr == nil {
		r.Report(step, err)
	}
}

// guard runs f and makes a panic an error: in a goroutine it would end the program.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("action: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}

// Scope is what one run of a flow keeps for its actions: how often a goto went
// round, what plays in the background, what work is not done yet. package flow makes
// one for each run; actions find it in their context by the functions of this package.
type Scope struct {
	ctx  context.Context // of the run, which background sound belongs to
	leg  Leg
	info atomic.Pointer[Info]

	counters map[string]int // remaining rounds of gotos by step id; never changed, only replaced; owned by the run's goroutine
	depth    int            // of flows within flows; owned by the run's goroutine

	older string // digits that nobody has read and that count no more; owned by the run's goroutine

	playing atomic.Pointer[backgroundPlay]
	active  atomic.Int32   // background work now
	work    sync.WaitGroup // background work that Close waits for
	workCtx context.Context
	cut     context.CancelCauseFunc // ends workCtx
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *Scope {
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// runOf returns the context of the run that ctx belongs to: it outlives the step.
func runOf(ctx context.Context) context.Context {
	if s := scopeOf(ctx); s != nil {
		return s.ctx
	}
	return ctx
}

// NewScope returns the scope of a run on leg and a context that carries it. Close must be
// called at the end.
func NewScope(ctx context.Context, leg Leg) (*Scope, context.Context) {
	s := &Scope{leg: leg}
	s.ctx = context.WithValue(ctx, scopeKey{}, s)
	s.workCtx, s.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	return s, s.ctx
}

// Enter tells which step runs from now on. i must not change afterwards.
func (s *Scope) Enter(i *Info) { s.info.Store(i) }

// Restore makes counters, those of a run that is taken up again, the ones that count.
func (s *Scope) Restore(counters map[string]int) { s.counters = counters }

// depthMark stands in the key of a counter between the depth of its flow and the id of the goto.
const depthMark = "\x1f"

// EnterFlow tells how many flows the step that runs is within. The gotos of deeper ones start
// afresh when they are entered again.
func (s *Scope) EnterFlow(depth int) {
	s.depth = depth
	deeper := func(key string) bool {
		n, _, ok := strings.Cut(key, depthMark)
		d, err := strconv.Atoi(n)
		return ok && err == nil && d > depth
	}
	for key := range s.counters {
		if deeper(key) {
			s.counters = maps.Clone(s.counters)
			maps.DeleteFunc(s.counters, func(key string, _ int) bool { return deeper(key) })
			return
		}
	}
}

// Counters returns the rounds that gotos have left, by step id. It is never changed
// afterwards and may be kept; nil means none.
func (s *Scope) Counters() map[string]int { return s.counters }

// Close ends what plays in the background and waits for the work that is not done,
// for BackgroundGrace at most; then it cuts the work and waits for its end.
func (s *Scope) Close() {
	s.stopPlaying()
	if s.active.Load() > 0 {
		timer := time.AfterFunc(BackgroundGrace, func() { s.cut(context.DeadlineExceeded) })
		defer timer.Stop()
	}
	s.work.Wait()
	s.cut(nil)
}

// maxOlderDigits bounds what a caller can make us keep by pressing keys that nobody reads.
const maxOlderDigits = 128

// Forget takes digits that are dropped from the leg's buffer unread: they count only for a
// digits_receive that asks for them.
func (s *Scope) Forget(digits string) {
	s.older += digits
	s.older = s.older[max(0, len(s.older)-maxOlderDigits):]
}

// ForgetAll drops what Forget took.
func (s *Scope) ForgetAll() { s.older = "" }

func olderDigits(ctx context.Context) string {
	if s := scopeOf(ctx); s != nil {
		return s.older
	}
	return ""
}

// visit counts a visit of a goto that goes round n times: whether it jumps.
func (s *Scope) visit(id string, n int) bool {
	if n <= 0 {
		return false
	}
	if s.depth > 0 {
		id = strconv.Itoa(s.depth) + depthMark + id
	}
	left, ok := s.counters[id]
	if !ok || left > n || left < 0 { // counters may come from outside
		left = n
	}
	next := maps.Clone(s.counters)
	if next == nil {
		next = make(map[string]int)
	}
	if left == 0 {
		delete(next, id) // run out: the next time it starts afresh
	} else {
		next[id] = left - 1
	}
	s.counters = next
	return left > 0
}

// Background runs f in a goroutine that the flow does not wait for before it goes on.
// The context of f does not end with the step, nor with the call: f limits its own
// time. The work is looked after by the leg if it is a Backgrounder, else by the end
// of the flow. Background returns ErrBusy beyond MaxBackground. An error or a panic of
// f goes to the leg if it is a Reporter.
func Background(ctx context.Context, leg Leg, f func(ctx context.Context) error) error {
	s := scopeOf(ctx)
	if s == nil {
		return errors.New("action: background work needs a flow")
	}
	if s.active.Add(1) > MaxBackground {
		s.active.Add(-1)
		return ErrBusy
	}
	step := FlowInfo(ctx)
	guarded := func(ctx context.Context) {
		defer s.active.Add(-1)
		report(leg, step, guard(func() error { return f(ctx) }))
	}
	if b, err := Need[Backgrounder](leg); err == nil {
		if err := b.Background(guarded); err != nil {
			s.active.Add(-1)
			return err
		}
		return nil
	}
	s.work.Go(func() { guarded(s.workCtx) })
	return nil
}

// backgroundPlay is sound that goes on under the next steps.
type backgroundPlay struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

var errReplaced = errors.New("action: replaced by another sound")

// stopPlaying ends the background sound, if any, and waits until it is silent.
func (s *Scope) stopPlaying() {
	if p := s.playing.Swap(nil); p != nil {
		p.cancel(errReplaced)
		<-p.done
	}
}

// Play plays src on leg and returns at its end, or with the cause of ctx. Unlike the
// leg's own Play it first ends sound that an earlier step left playing in the
// background. Where it cannot play at all it closes src.
func Play(ctx context.Context, leg Leg, src media.Source) error {
	p, err := Need[Player](leg)
	if err != nil {
		closeSource(src)
		return err
	}
	StopPlaying(ctx)
	return p.Play(ctx, src)
}

// PlayOn plays src in the background: it returns at once, and the sound goes on until
// its end, the next Play, PlayOn or StopPlaying, or the end of the flow.
func PlayOn(ctx context.Context, leg Leg, src media.Source) error {
	return playOn(ctx, leg, src, func(ctx context.Context, p Player) error { return p.Play(ctx, src) })
}

// playOn is PlayOn with another way to play src; play sees to it that src is closed.
func playOn(ctx context.Context, leg Leg, src media.Source, play func(context.Context, Player) error) error {
	s := scopeOf(ctx)
	p, err := Need[Player](leg)
	if err == nil && s == nil {
		err = errors.New("action: background sound needs a flow")
	}
	if err != nil {
		closeSource(src)
		return err
	}
	s.stopPlaying()
	pctx, cancel := context.WithCancelCause(s.ctx)
	b := &backgroundPlay{cancel: cancel, done: make(chan struct{})}
	s.playing.Store(b)
	step := FlowInfo(ctx)
	go func() { // waited for by stopPlaying, at the latest in Close
		defer close(b.done)
		defer cancel(nil)
		err := guard(func() error { return play(pctx, p) })
		if s.ctx.Err() == nil {
			report(leg, step, err)
		}
	}()
	return nil
}

// StopPlaying ends the sound that an earlier step left playing in the background.
func StopPlaying(ctx context.Context) {
	if s := scopeOf(ctx); s != nil {
		s.stopPlaying()
	}
}

func closeSource(src media.Source) {
	if c, ok := src.(interface{ Close() error }); ok {
		_ = c.Close()
	}
}
