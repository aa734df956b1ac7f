package action

import (
	"context"

	"github.com/callbin/callbin/media"
)

// hear returns what the peer says from now on, until stop is called: then the stream ends.
func hear(ctx context.Context, l Listener) (in media.Stream, stop func(), err error) {
	var ear *media.Ear
	unhook, err := l.Listen(ctx, func(rateHz int) (_ media.Tap, err error) {
		ear, err = media.NewEar(media.EarOptions{Direction: media.In, Rate: rateHz})
		return ear, err
	})
	if err != nil {
		return nil, nil, err
	}
	return ear, func() {
		unhook()
		_ = ear.Close() // never fails
	}, nil
}
