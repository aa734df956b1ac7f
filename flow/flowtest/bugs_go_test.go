package flowtest

import (
	"context"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
)

// own is a flow with an action of one's own.
const own = `[
 {"type":"answer"},
 {"id":"menu","type":"digits_receive","option":{"prompt":{"text":"Play: one."},"length":1,"duration":3000}},
 {"type":"branch","option":{"target_ids":{"1":"own"},"default_target_id":"bye"}},
 {"id":"own","type":"own"},
 {"id":"bye","type":"talk","option":{"text":"Good bye, and thank you."}},
 {"type":"hangup"}]`

// does makes own do f.
func does(f func(ctx context.Context, l *Leg) error) Config {
	return Config{Actions: func(r *action.Registry) {
		r.Add("own", func() action.Action {
			return action.Func(func(ctx context.Context, leg action.Leg) (action.Outcome, error) {
				return action.Continue(), f(ctx, leg.(*Leg))
			})
		})
	}}
}

// bugsInGo are faults that take an action of one's own.
func bugsInGo() []bug {
	const second = time.Second
	all := []bug{
		{name: "prompt_after_hangup", finds: SilentAfterEnd, cfg: does(func(ctx context.Context, l *Leg) error {
			_ = wait(ctx, 5*second)
			return l.Play(context.WithoutCancel(ctx), l.newSound("sorry", 8000, 0)) // it should have looked at ctx
		}), mended: does(func(ctx context.Context, l *Leg) error {
			if err := wait(ctx, 5*second); err != nil {
				return err
			}
			return l.Play(ctx, l.newSound("sorry", 8000, 0))
		})},
		{name: "sleeps_on", finds: EndsAfterHangup, cfg: does(func(context.Context, *Leg) error {
			time.Sleep(20 * second) // whatever the caller does
			return nil
		}), mended: does(func(ctx context.Context, _ *Leg) error { return wait(ctx, 20*second) })},
		{name: "never_returns", finds: EndsAfterHangup, cfg: does(func(context.Context, *Leg) error {
			<-make(chan int) // nobody sends
			return nil
		}), mended: does(func(ctx context.Context, _ *Leg) error { return wait(ctx, second) })},
		{name: "music_under_prompt", finds: OneSoundAtOnce, cfg: does(func(ctx context.Context, l *Leg) error {
			return l.Background(func(context.Context) { _ = l.Play(ctx, l.newSound("music", 8000, 30*second)) })
		}), mended: does(func(ctx context.Context, l *Leg) error {
			return l.Play(ctx, l.newSound("music", 8000, 30*second))
		})},
		{name: "panics", finds: NoPanic, cfg: does(func(_ context.Context, l *Leg) error {
			return l.vars.Set("first", l.vars.Get("language")[:1]) // there need not be one
		}), mended: does(func(_ context.Context, l *Leg) error {
			return l.vars.Set("first", l.vars.Get("language"))
		})},
		{name: "not_closed", finds: AllClosed, cfg: does(func(ctx context.Context, l *Leg) error {
			s := l.newSound("music", 8000, 3*second)
			if err := wait(ctx, 2*second); err != nil {
				return err // without Close
			}
			return l.Play(ctx, s)
		}), mended: does(func(ctx context.Context, l *Leg) error {
			if err := wait(ctx, 2*second); err != nil {
				return err
			}
			return l.Play(ctx, l.newSound("music", 8000, 3*second))
		})},
		{name: "dials_after_hangup", finds: NoDialsAfterEnd, cfg: does(func(ctx context.Context, l *Leg) error {
			_ = wait(ctx, 10*second)
			_, err := l.Dial(ctx, to2000)
			return err
		}), mended: does(func(ctx context.Context, l *Leg) error {
			if err := wait(ctx, 10*second); err != nil {
				return err
			}
			_, err := l.Dial(ctx, to2000)
			return err
		})},
	}
	for i := range all {
		all[i].bad, all[i].good = own, own
	}
	return all
}

// to2000 is a call to a phone.
var to2000 = action.DialOptions{Destinations: []address.Address{{Type: address.TypeExtension, Target: "2000"}}}
