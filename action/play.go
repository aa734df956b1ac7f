package action

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/callbin/callbin/media"
)

// maxStreamURLs bounds the sources that one play holds open.
const maxStreamURLs = 1000

// play plays URLs one after another. It does not answer the leg: on an unanswered one
// it is early media.
type play struct {
	StreamURLs []string `json:"stream_urls" opt:"required" doc:"file:, http: or https: URLs of WAV files, played one after another"`
	deps       Deps
}

func (a *play) Timing() Timing { return TimePrompt }

func (a *play) Check(c *CheckContext) {
	a.checkURLs(c, "stream_urls")
}

// checkURLs checks the URLs that stand at path.
func (a *play) checkURLs(c *CheckContext, path ...any) {
	if len(a.StreamURLs) > maxStreamURLs {
		c.At(path...).Errorf("has %d URLs, at most %d", len(a.StreamURLs), maxStreamURLs)
		return
	}
	for i, ref := range a.StreamURLs {
		if HasVar(ref) {
			continue
		}
		at := c.At(append(slices.Clone(path), i)...)
		u, err := url.Parse(ref)
		switch {
		case ref == "":
			at.Errorf("is empty")
		case err != nil:
			at.Errorf("is not a URL: %v", err)
		case u.Scheme == "":
			at.Errorf("must be a file:, http: or https: URL; a file beside the flow is %q", "file:"+ref)
		case u.Scheme != "file" && u.Scheme != "http" && u.Scheme != "https":
			at.Errorf("must be a file:, http: or https: URL, not %q", u.Scheme+":")
		case u.Scheme != "file" && u.Host == "":
			at.Errorf("has no host")
		}
	}
}

func (a *play) Needs(c *CheckContext) {
	c.Need(CanPlay)
	c.Need(HasPrompts)
	checker, ok := a.deps.Prompts.(PromptChecker)
	if !ok {
		return
	}
	for i, ref := range a.StreamURLs {
		if HasVar(ref) {
			continue
		}
		if err := checker.CheckPrompt(c.Dir, ref); err != nil {
			c.At("stream_urls", i).Warnf("cannot be played: %v", err)
		}
	}
}

func (a *play) Shape() Shape { return Shape{} }

// Run notes what cannot be played and plays the rest.
func (a *play) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if _, err := Need[Player](leg); err != nil {
		return Continue(), err
	}
	if a.deps.Prompts == nil {
		return Continue(), missing(HasPrompts)
	}
	refs := make([]string, 0, len(a.StreamURLs))
	for _, ref := range a.StreamURLs {
		if ref = strings.TrimSpace(ref); ref != "" { // a variable that is not set
			refs = append(refs, ref)
		}
	}
	dir := FlowInfo(ctx).Dir
	switch len(refs) {
	case 0:
		return Continue(), errors.New("action: play: there is no URL")
	case 1:
		// Played as it is: the source may be one whose frames are encoded already.
		src, err := openPrompt(ctx, a.deps.Prompts, dir, refs[0])
		if err != nil {
			return Continue(), err
		}
		return Continue(), Play(ctx, leg, src)
	}
	o := openAll(ctx, a.deps.Prompts, dir, refs)
	broken, err := playAll(ctx, leg, o.sources)
	o.close()
	if err != nil {
		return Continue(), err
	}
	return Continue(), errors.Join(append(o.errs, broken...)...)
}

// playAll plays the sources of a channel as one sound; broken are the errors of those
// that ended early.
func playAll(ctx context.Context, leg Leg, sources <-chan media.Source) (broken []error, err error) {
	select {
	case first, ok := <-sources:
		if !ok {
			return nil, nil
		}
		c := newChain(first, sources)
		err := Play(ctx, leg, c)
		_ = c.Close() // where the leg did not
		return c.broken(), err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
