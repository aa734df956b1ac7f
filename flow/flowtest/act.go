package flowtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Caller is who does what a script says: a Leg, or a phone of package calltest.
type Caller interface {
	Press(digits string)
	Hangup()
	Leave()           // ends what the caller is joined with
	Skip(cause error) // ends the step that runs
}

// Patience is how long a line such as hears waits.
const Patience = 2 * time.Minute

// run is a script that is being carried out.
type run struct {
	ctx    context.Context
	world  *World
	caller Caller
	moves  int
	seen   map[Kind]int // events before it have been expected already
	err    error        // ends it
}

// Act carries out what the world's script says that the caller does, until ctx ends with the call. Its error is what
// the caller expected in vain; the caller has hung up then.
func (w *World) Act(ctx context.Context, c Caller) error {
	r := &run{ctx: ctx, world: w, caller: c, seen: make(map[Kind]int)}
	for i, l := range w.script {
		if !l.moves() {
			continue
		}
		move, err := verbs[l.Verb].move(l.Args)
		if err != nil {
			return err
		}
		if l.Timed {
			r.wait(l.At - time.Since(w.start))
		}
		if r.turn(); ctx.Err() != nil && !verbs[l.Verb].expects {
			continue
		}
		if move(r); r.err != nil {
			c.Hangup()
			return fmt.Errorf("flowtest: line %d: %q: %w", i+1, l, r.err)
		}
	}
	return nil
}

func (r *run) wait(d time.Duration) {
	if d > 0 {
		_ = wait(r.ctx, d) // Act looks at ctx
	}
}

// turn waits, for little more than a millisecond at most, until an instant at which nothing else
// happens, see World.turn.
func (r *run) turn() {
	r.moves++
	now := time.Since(r.world.start)
	at := now.Truncate(time.Millisecond) + time.Duration(r.moves%900)*time.Microsecond + callerLane
	if at < now {
		at += time.Millisecond
	}
	r.wait(at - now)
}

func moveWait(args string) (func(*run), error) {
	d, err := parseDelay(args)
	return func(r *run) { r.wait(d) }, err
}

func movePress(args string) (func(*run), error) {
	if args == "" || strings.Trim(args, "0123456789*#ABCD") != "" {
		return nil, fmt.Errorf("%q are no keys, 0-9 * # A-D", args)
	}
	return func(r *run) { r.caller.Press(args) }, nil
}

func moveSkip(what string, cause error) func(string) (func(*run), error) {
	return func(args string) (func(*run), error) {
		return func(r *run) {
			r.world.Log(Kind(what), "")
			r.caller.Skip(cause)
		}, nothing(args)
	}
}

func moveSays(final bool) func(string) (func(*run), error) {
	return func(args string) (func(*run), error) {
		return func(r *run) {
			if final {
				r.world.Log(KindSays, "%s", args)
			} else {
				r.world.Log(KindSays, "%s ...", args)
			}
			r.world.say(said{text: args, final: final})
		}, notEmpty(args, "says TEXT")
	}
}

func moveTranscriber(args string) (func(*run), error) {
	how := map[string]error{"fails": errors.New("the engine is out of order"), "ends": errEnds}[args]
	if how == nil {
		return nil, errors.New(`want "transcriber fails" or "transcriber ends"`)
	}
	return func(r *run) {
		r.world.Log("transcriber", "%s", args)
		r.world.say(said{err: how})
	}, nil
}

// expecting makes a line that waits for an event of kind with args in it, behind the last one that such a line met.
func expecting(kind Kind) func(string) (func(*run), error) {
	return func(args string) (func(*run), error) {
		return func(r *run) {
			limit := time.NewTimer(Patience)
			defer limit.Stop()
			for {
				var last string
				events, more := r.world.log.after(r.seen[kind])
				for i, e := range events {
					if e.Kind != kind || kind == KindSound && isOver(e.Text) {
						continue
					}
					if strings.Contains(strings.ToLower(e.Text), strings.ToLower(args)) {
						r.seen[kind] += i + 1
						return
					}
					last = e.Text
				}
				select {
				case <-more:
				case <-limit.C:
					r.err = fmt.Errorf("not within %s", Patience)
					if last != "" {
						r.err = fmt.Errorf("not within %s, but %s", Patience, last)
					}
					return
				case <-r.ctx.Done():
					r.err = errors.New("the call was over")
					if last != "" {
						r.err = fmt.Errorf("the call was over; before: %s", last)
					}
					return
				}
			}
		}, notEmpty(args, "what is expected")
	}
}
