package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// Limits of prompts.
const (
	MaxPromptBytes = 64 << 20         // of one file or answer
	MaxPromptCache = 256 << 20        // decoded sound kept in memory, in bytes
	promptFresh    = time.Minute      // how long a prompt from a URL is used without asking again
	promptTimeout  = 10 * time.Second // for one URL
)

// PromptConfig says what play actions may open.
type PromptConfig struct {
	// Dirs are folders that absolute file: URLs may name files in. Relative ones stay below
	// the folder of the flow that names them.
	Dirs []string
	// HTTP fetches http: and https: URLs; nil: they are refused.
	HTTP action.HTTPDoer
}

// NewPrompts returns the action.Prompts of the examples: WAV files from folders
// and URLs, decoded once and shared by all calls. It is safe for concurrent use.
func NewPrompts(cfg PromptConfig) action.Prompts {
	return &prompts{cfg: cfg, clips: map[string]*cachedClip{}}
}

type prompts struct {
	cfg PromptConfig

	mu    sync.Mutex
	clips map[string]*cachedClip // guarded by mu
	bytes int                    // guarded by mu; of all clips
}

// cachedClip is one decoded prompt. once makes simultaneous first plays decode once.
type cachedClip struct {
	once  sync.Once
	clip  *media.Clip
	err   error
	until time.Time // of URLs
	mtime time.Time // of files
	size  int64
	used  time.Time
}

// OpenPrompt returns the sound of ref; see action.Prompts.
func (p *prompts) OpenPrompt(ctx context.Context, dir, ref string) (media.Source, error) {
	start := time.Now()
	clip, err := p.open(ctx, dir, ref)
	note(ctx, Note{What: "prompt", Target: ref, MS: time.Since(start).Milliseconds(), Error: errText(err)})
	if err != nil {
		return nil, fmt.Errorf("call: prompt %s: %w", ref, err)
	}
	return clip.Source(), nil
}

func (p *prompts) open(ctx context.Context, dir, ref string) (*media.Clip, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch u.Scheme {
	case "file":
		return p.openFile(dir, u)
	case "http", "https":
		if p.cfg.HTTP == nil {
			return nil, errors.New("no HTTP client is configured")
		}
		return p.openURL(ctx, ref)
	}
	return nil, fmt.Errorf("scheme %q is neither file nor http", u.Scheme)
}

// CheckPrompt finds files that are missing or not allowed when a flow is loaded.
func (p *prompts) CheckPrompt(dir, ref string) error {
	u, err := url.Parse(ref)
	if err != nil {
		return errors.New("not a URL")
	}
	switch u.Scheme {
	case "http", "https":
		return nil
	case "file":
		f, err := p.file(dir, u)
		if err != nil {
			return err
		}
		return f.Close()
	}
	return fmt.Errorf("scheme %q is neither file nor http", u.Scheme)
}

// file opens what a file: URL names, if that is allowed: os.Root keeps dots and
// symbolic links from leading out of the folder.
func (p *prompts) file(dir string, u *url.URL) (*os.File, error) {
	name := u.Path
	if u.Opaque != "" { // file:tone.wav
		var err error
		if name, err = url.PathUnescape(u.Opaque); err != nil {
			return nil, errors.New("bad escape in the path")
		}
	}
	if u.Host != "" && u.Host != "localhost" {
		return nil, fmt.Errorf("file URL of another host %q", u.Host)
	}
	name = filepath.FromSlash(name)
	if !filepath.IsAbs(name) {
		if dir == "" {
			return nil, errors.New("a relative file needs a flow that was loaded from a folder")
		}
		return openBelow(dir, name)
	}
	for _, d := range p.cfg.Dirs {
		if rel, err := filepath.Rel(d, name); err == nil && filepath.IsLocal(rel) {
			return openBelow(d, rel)
		}
	}
	return nil, errors.New("not below one of the allowed folders")
}

func openBelow(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}

func (p *prompts) openFile(dir string, u *url.URL) (*media.Clip, error) {
	f, err := p.file(dir, u)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	c := p.entry(f.Name(), func(c *cachedClip) bool { return c.mtime.Equal(info.ModTime()) && c.size == info.Size() })
	c.once.Do(func() {
		c.mtime, c.size = info.ModTime(), info.Size()
		p.fill(c, f)
	})
	return c.clip, c.err
}

func (p *prompts) openURL(ctx context.Context, ref string) (*media.Clip, error) {
	c := p.entry(ref, func(c *cachedClip) bool { return c.err == nil && time.Now().Before(c.until) })
	c.once.Do(func() {
		// The first caller fetches for all who wait: its hang-up must not fail theirs.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), promptTimeout)
		defer cancel()
		c.until = time.Now().Add(promptFresh)
		if err := p.fetch(ctx, c, ref); err != nil {
			p.mu.Lock()
			c.err = err
			p.mu.Unlock()
		}
	})
	return c.clip, c.err
}

func (p *prompts) fetch(ctx context.Context, c *cachedClip, ref string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ref, nil)
	if err != nil {
		return err
	}
	res, err := p.cfg.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", res.Status)
	}
	p.fill(c, res.Body)
	return nil
}

// entry returns the cached clip of key, a new one where there is none that is fresh.
func (p *prompts) entry(key string, fresh func(*cachedClip) bool) *cachedClip {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clips[key]
	done := ok && (c.clip != nil || c.err != nil) // else it is being decoded right now
	if done && !fresh(c) {
		p.drop(key)
		ok = false
	}
	if !ok {
		c = &cachedClip{}
		p.clips[key] = c
	}
	c.used = time.Now()
	return c
}

// fill decodes r into c and makes room for it.
func (p *prompts) fill(c *cachedClip, r io.Reader) {
	clip, err := wav.Decode(io.LimitReader(r, MaxPromptBytes+1), wav.Limits{Bytes: MaxPromptBytes})
	p.mu.Lock()
	defer p.mu.Unlock()
	c.clip, c.err = clip, err
	if err != nil {
		return
	}
	p.bytes += clipBytes(clip)
	for p.bytes > MaxPromptCache && len(p.clips) > 1 {
		oldest := ""
		for k, v := range p.clips {
			if v != c && v.clip != nil && (oldest == "" || v.used.Before(p.clips[oldest].used)) {
				oldest = k
			}
		}
		if oldest == "" {
			return
		}
		p.drop(oldest)
	}
}

func (p *prompts) drop(key string) {
	if c := p.clips[key]; c.clip != nil {
		p.bytes -= clipBytes(c.clip)
	}
	delete(p.clips, key)
}

func clipBytes(c *media.Clip) int { return 2 * len(c.PCM()) }

func errText(err error) string {
	if err == nil {
		return ""
	}
	return strings.ToValidUTF8(err.Error(), "?")
}
