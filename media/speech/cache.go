package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// CacheConfig of a Cache. The zero value keeps sound in memory only.
type CacheConfig struct {
	// Dir keeps files across restarts; it is made where it is missing. Empty: none. Several
	// processes may share it.
	Dir string
	// FS is a layer that is only read and asked before Dir, for example an embedded folder that
	// Prerender filled. Any WAV file under the name FileName of an utterance will do, also a
	// recorded human voice. Nil: none.
	FS fs.FS
	// MemoryBytes is the limit of sound in memory, DiskBytes of files in Dir; what was not
	// used for longest goes first. 0: 64 MiB and 1 GiB; negative: nothing is kept there.
	MemoryBytes, DiskBytes int64
	// Rate of the sound that is kept, in Hz. 0: 8000, as mu-law in files.
	Rate int
	// MaxDuration of one utterance. 0: 10 min.
	MaxDuration time.Duration
	Logger      *slog.Logger // nil: slog.Default()
}

// CacheStats counts what a Cache did since it was made.
type CacheStats struct {
	Memory   uint64 // found in memory
	Embedded uint64 // found in FS
	Disk     uint64 // found in Dir
	Shared   uint64 // waited for the same utterance of another caller
	Rendered uint64 // spoken by the engine
	Failed   uint64 // refused by the engine
	Corrupt  uint64 // files found broken, and rendered again
}

// Cache is a media.Speaker that keeps what another one spoke. Simultaneous first
// requests for an utterance are rendered once. Its sources are those of one shared
// media.Clip an utterance. It is safe for concurrent use and needs no closing.
type Cache struct {
	next media.Speaker
	cfg  CacheConfig
	disk *disk // nil without a Dir

	mu      sync.Mutex
	memory  lru                // guarded by mu
	flights map[string]*flight // renderings under way by key, guarded by mu
	stats   CacheStats         // guarded by mu
}

// flight is one rendering that several callers wait for.
type flight struct {
	done  chan struct{}
	clip  *media.Clip // set before done is closed, like err and again
	err   error
	again bool // the one who rendered was cut short: another has to
}

var (
	_ media.Speaker      = (*Cache)(nil)
	_ media.SpeakChecker = (*Cache)(nil)
)

// ErrNoEngine is matched by Speak and CheckSpeak of a Cache without an engine, for an
// utterance that it does not have.
var ErrNoEngine = errors.New("speech: no speech engine, and the utterance is not in the cache")

// NewCache returns a Cache before next, which may be nil: then it speaks only what its
// layers hold. The error is that of opening Dir, or of a rate that media cannot convert.
func NewCache(next media.Speaker, cfg CacheConfig) (*Cache, error) {
	if cfg.MemoryBytes == 0 {
		cfg.MemoryBytes = 64 << 20
	}
	if cfg.DiskBytes == 0 {
		cfg.DiskBytes = 1 << 30
	}
	if cfg.Rate == 0 {
		cfg.Rate = telephoneRate
	}
	if cfg.MaxDuration <= 0 {
		cfg.MaxDuration = 10 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if _, err := media.NewResampler(22050, cfg.Rate); err != nil {
		return nil, fmt.Errorf("speech: cache: rate: %w", err)
	}
	c := &Cache{next: next, cfg: cfg, memory: lru{limit: cfg.MemoryBytes}, flights: map[string]*flight{}}
	if cfg.Dir != "" && cfg.DiskBytes > 0 {
		d, err := openDisk(cfg.Dir, cfg.DiskBytes)
		if err != nil {
			return nil, fmt.Errorf("speech: cache: %w", err)
		}
		c.disk = d
	}
	return c, nil
}

// Stats returns the counters.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// CheckSpeak returns nil for what is in a layer, else what the engine's CheckSpeak says.
func (c *Cache) CheckSpeak(u media.Utterance) error {
	key := Key(u)
	c.mu.Lock()
	_, ok := c.memory.get(key)
	c.mu.Unlock()
	if ok || c.stored(key) {
		return nil
	}
	if c.next == nil {
		return fmt.Errorf("%w: %.60q (%s)", ErrNoEngine, u.Text, u.Language)
	}
	if check, ok := c.next.(media.SpeakChecker); ok {
		return check.CheckSpeak(u)
	}
	return nil
}

// stored tells whether a file is there, without reading it.
func (c *Cache) stored(key string) bool {
	if c.cfg.FS != nil {
		if st, err := fs.Stat(c.cfg.FS, key+fileExt); err == nil && st.Mode().IsRegular() {
			return true
		}
	}
	return c.disk != nil && c.disk.has(key)
}

// Speak returns the sound of u, from the first layer that has it or else from the
// engine. Failures of the engine are not kept; failures of Dir are logged and cost
// only time. It blocks while files are read or the engine works.
func (c *Cache) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	key := Key(u)
	for {
		c.mu.Lock()
		if clip, ok := c.memory.get(key); ok {
			c.stats.Memory++
			c.mu.Unlock()
			return clip.Source(), nil
		}
		f, waiting := c.flights[key]
		if !waiting {
			f = &flight{done: make(chan struct{})}
			c.flights[key] = f
		} else {
			c.stats.Shared++
		}
		c.mu.Unlock()

		if !waiting {
			return c.fly(ctx, f, key, u)
		}
		select {
		case <-f.done:
			switch {
			case f.again:
				continue
			case f.err != nil:
				return nil, f.err
			}
			return f.clip.Source(), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("speech: cache: %w", context.Cause(ctx))
		}
	}
}

// fly fetches or renders u for everybody who waits for it.
func (c *Cache) fly(ctx context.Context, f *flight, key string, u media.Utterance) (media.Source, error) {
	var fresh bool
	landed := false
	land := func() {
		c.mu.Lock()
		delete(c.flights, key)
		if f.clip != nil {
			c.memory.put(key, f.clip)
		}
		c.mu.Unlock()
		landed = true
		close(f.done)
	}
	defer func() {
		if !landed { // the engine panicked: those who wait must not wait for ever
			f.again = true
			land()
		}
	}()
	f.clip, fresh, f.err = c.fetch(ctx, key, u)
	f.again = f.err != nil && ctx.Err() != nil
	land()
	if f.err != nil {
		return nil, f.err
	}
	if fresh && c.disk != nil {
		if err := c.disk.write(key, encodeFile(f.clip)); err != nil {
			c.cfg.Logger.Warn("speech is not kept on disk", "dir", c.cfg.Dir, "err", err)
		}
	}
	return f.clip.Source(), nil
}

// fetch looks into the layers below memory and then asks the engine; fresh is what the
// disk does not have.
func (c *Cache) fetch(ctx context.Context, key string, u media.Utterance) (clip *media.Clip, fresh bool, err error) {
	if c.cfg.FS != nil {
		if b, err := fs.ReadFile(c.cfg.FS, key+fileExt); err == nil {
			clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{Duration: c.cfg.MaxDuration})
			if err == nil && len(clip.PCM()) > 0 {
				c.count(func(s *CacheStats) { s.Embedded++ })
				return clip, false, nil
			}
			c.corrupt(key, "embedded", err)
		}
	}
	if c.disk != nil {
		if b, err := c.disk.read(key); err == nil {
			clip, err := decodeFile(b)
			switch {
			case err != nil:
				c.corrupt(key, c.cfg.Dir, err)
			case clip.Rate() == c.cfg.Rate: // else the folder is from other days: it is rendered again
				c.count(func(s *CacheStats) { s.Disk++ })
				return clip, false, nil
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			c.cfg.Logger.Warn("speech on disk is not readable", "dir", c.cfg.Dir, "key", key, "err", err)
		}
	}
	if c.next == nil {
		return nil, false, fmt.Errorf("%w: %.60q (%s)", ErrNoEngine, u.Text, u.Language)
	}
	clip, err = renderAt(ctx, c.next, u, c.cfg.Rate, c.cfg.MaxDuration)
	if err != nil {
		c.count(func(s *CacheStats) { s.Failed++ })
		return nil, false, err
	}
	c.count(func(s *CacheStats) { s.Rendered++ })
	return clip, true, nil
}

// renderAt lets next speak and returns all of its sound at rateHz, not bound to other rates.
func renderAt(ctx context.Context, next media.Speaker, u media.Utterance, rateHz int, most time.Duration) (*media.Clip, error) {
	src, err := next.Speak(ctx, u)
	if err != nil {
		return nil, err
	}
	clip, err := media.ReadAll(ctx, src, most)
	if err != nil {
		return nil, fmt.Errorf("speech: read the engine's sound: %w", err)
	}
	if len(clip.PCM()) == 0 {
		return nil, fmt.Errorf("speech: the engine gave no sound for %.60q: %w", u.Text, ErrText)
	}
	if clip, err = clip.At(rateHz); err != nil {
		return nil, fmt.Errorf("speech: the engine's sound: %w", err)
	}
	return clip, nil
}

func (c *Cache) count(add func(*CacheStats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.stats)
}

func (c *Cache) corrupt(key, where string, err error) {
	c.count(func(s *CacheStats) { s.Corrupt++ })
	c.cfg.Logger.Warn("cached speech is broken", "dir", where, "key", key, "err", err)
}
