package store

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// MemoryConfig sets the limits of a MemoryStore. The zero value is fine.
type MemoryConfig struct {
	// KeepCalls is how many finished calls (status hangup) are kept, with their traces and
	// as many ended recordings, groupcalls, queuecalls, conferences and stays in these; the oldest go first. 0: 10,000; negative: all. Calls that are
	// not over are always kept.
	KeepCalls int
	// Blobs keeps the files; nil: memory does, up to BlobBytes. Closing it is the caller's.
	Blobs Blobs
	// BlobBytes is the limit of blobs in memory; the oldest that nobody writes go first.
	// 0: 256 MiB; negative: none. Unused where Blobs is set.
	BlobBytes int64
}

// MemoryStore keeps everything in memory and forgets it on Close. Safe for
// concurrent use; no method waits for anything but a lock (and MemoryConfig.Blobs).
type MemoryStore struct {
	blobs Blobs
	keep  int

	mu          sync.RWMutex
	closed      bool // this and all below guarded by mu
	calls       map[string]*Call
	callOrder   ordered
	ended       ordered // finished calls, to find the oldest
	recordings  map[string]*Recording
	recOrder    ordered
	recEnded    ordered
	groupcalls  shelf[Groupcall]
	voicemails  shelf[Voicemail]
	mailboxes   map[string]Mailbox
	queuecalls  shelf[Queuecall]
	conferences shelf[Conference]
	stays       shelf[Conferencecall]
	entries     map[string]*shelf[Entry] // by kind
	entryNames  map[[2]string]string     // ids by kind and name
	flows       map[string]*Flow
	flowOrder   ordered
	traces      map[string][]byte
	loose       []string // traces stored before their call, oldest first
	keys        memoryKeys
}

var _ Store = (*MemoryStore)(nil)

// Memory returns a MemoryStore with default limits.
func Memory() *MemoryStore { return NewMemory(MemoryConfig{}) }

// NewMemory returns a MemoryStore with the limits of cfg.
func NewMemory(cfg MemoryConfig) *MemoryStore {
	if cfg.KeepCalls == 0 {
		cfg.KeepCalls = 10000
	}
	if cfg.Blobs == nil {
		cfg.Blobs = newMemoryBlobs(cfg.BlobBytes)
	}
	return &MemoryStore{
		blobs:       cfg.Blobs,
		keep:        cfg.KeepCalls,
		calls:       map[string]*Call{},
		recordings:  map[string]*Recording{},
		groupcalls:  shelf[Groupcall]{rows: map[string]*Groupcall{}},
		voicemails:  shelf[Voicemail]{rows: map[string]*Voicemail{}},
		mailboxes:   map[string]Mailbox{},
		conferences: shelf[Conference]{rows: map[string]*Conference{}},
		stays:       shelf[Conferencecall]{rows: map[string]*Conferencecall{}},
		queuecalls:  shelf[Queuecall]{rows: map[string]*Queuecall{}},
		entries:     map[string]*shelf[Entry]{},
		entryNames:  map[[2]string]string{},
		flows:       map[string]*Flow{},
		traces:      map[string][]byte{},
	}
}

// check is what every method begins with; mu is held.
func (m *MemoryStore) check(ctx context.Context, what, id string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("store: %s %.80q: %w", what, id, context.Cause(ctx))
	}
	if m.closed {
		return fmt.Errorf("store: %s %.80q: %w", what, id, ErrClosed)
	}
	return nil
}

func notFound(what, id string) error { return fmt.Errorf("store: %s %.80q: %w", what, id, ErrNotFound) }

// PutCall stores c; see Calls.
func (m *MemoryStore) PutCall(ctx context.Context, c Call) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put call", c.ID); err != nil {
		return err
	}
	if old := m.calls[c.ID]; old != nil {
		m.callOrder.remove(old.At())
		m.ended.remove(old.At())
	}
	m.calls[c.ID] = &c
	m.callOrder.insert(c.At())
	if c.Status == StatusHangup {
		m.ended.insert(c.At())
	}
	for m.keep >= 0 && len(m.ended) > m.keep {
		m.dropCall(m.ended[0])
	}
	return nil
}

// dropCall forgets a call and its trace; mu is held.
func (m *MemoryStore) dropCall(at Cursor) {
	delete(m.calls, at.ID)
	delete(m.traces, at.ID)
	m.callOrder.remove(at)
	m.ended.remove(at)
}

// Call returns a call; see Calls.
func (m *MemoryStore) Call(ctx context.Context, id string) (Call, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get call", id); err != nil {
		return Call{}, err
	}
	c := m.calls[id]
	if c == nil {
		return Call{}, notFound("get call", id)
	}
	return c.Clean()
}

// ListCalls returns a page of calls; see Calls.
func (m *MemoryStore) ListCalls(ctx context.Context, f CallFilter) ([]Call, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list calls", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.callOrder, m.calls, size, at, f.Match, Call.Clean)
}

// pageOf walks a list from the cursor back in time.
func pageOf[T any](order ordered, all map[string]*T, size int, at Cursor, match func(*T) bool, clone func(T) (T, error)) ([]T, string, error) {
	var page []T
	for i := order.olderThan(at) - 1; i >= 0; i-- {
		r := all[order[i].ID]
		if !match(r) {
			continue
		}
		if len(page) == size { // there is one more, so the page has a successor
			return page, at.Token(), nil
		}
		c, err := clone(*r)
		if err != nil {
			return nil, "", err
		}
		page, at = append(page, c), order[i]
	}
	return page, "", nil
}

// DeleteCall forgets a call and its trace; see Calls.
func (m *MemoryStore) DeleteCall(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete call", id); err != nil {
		return err
	}
	c := m.calls[id]
	if c == nil {
		return notFound("delete call", id)
	}
	m.dropCall(c.At())
	return nil
}

// PutRecording stores r; see Recordings.
func (m *MemoryStore) PutRecording(ctx context.Context, r Recording) error {
	r, err := r.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put recording", r.ID); err != nil {
		return err
	}
	if old := m.recordings[r.ID]; old != nil {
		m.dropRecording(old.At())
	}
	m.recordings[r.ID] = &r
	m.recOrder.insert(r.At())
	if r.Status == RecordingEnded {
		m.recEnded.insert(r.At())
	}
	for m.keep >= 0 && len(m.recEnded) > m.keep {
		m.dropRecording(m.recEnded[0])
	}
	return nil
}

// dropRecording forgets a recording; mu is held.
func (m *MemoryStore) dropRecording(at Cursor) {
	delete(m.recordings, at.ID)
	m.recOrder.remove(at)
	m.recEnded.remove(at)
}

// Recording returns a recording; see Recordings.
func (m *MemoryStore) Recording(ctx context.Context, id string) (Recording, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get recording", id); err != nil {
		return Recording{}, err
	}
	r := m.recordings[id]
	if r == nil {
		return Recording{}, notFound("get recording", id)
	}
	return r.Clean()
}

// ListRecordings returns a page of recordings; see Recordings.
func (m *MemoryStore) ListRecordings(ctx context.Context, f RecordingFilter) ([]Recording, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list recordings", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.recOrder, m.recordings, size, at, f.Match, Recording.Clean)
}

// DeleteRecording forgets a recording; see Recordings.
func (m *MemoryStore) DeleteRecording(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete recording", id); err != nil {
		return err
	}
	r := m.recordings[id]
	if r == nil {
		return notFound("delete recording", id)
	}
	m.dropRecording(r.At())
	return nil
}

// PutFlow stores f if its revision is the stored one; see Flows.
func (m *MemoryStore) PutFlow(ctx context.Context, f Flow) (Flow, error) {
	f, err := f.Clean()
	if err != nil {
		return Flow{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put flow", f.ID); err != nil {
		return Flow{}, err
	}
	var stored Flow
	old := m.flows[f.ID]
	if old != nil {
		stored = *old
	}
	if f.Rev != stored.Rev {
		return Flow{}, fmt.Errorf("store: put flow %s: revision %d, but %d is stored: %w", f.ID, f.Rev, stored.Rev, ErrConflict)
	}
	f.Rev++
	f.TmUpdate = At(time.Now())
	f.TmCreate = f.TmUpdate
	if old != nil {
		f.TmCreate = old.TmCreate
	}
	m.flows[f.ID] = &f
	m.flowOrder.insert(f.At())
	return f.Clean()
}

// Flow returns a flow; see Flows.
func (m *MemoryStore) Flow(ctx context.Context, id string) (Flow, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get flow", id); err != nil {
		return Flow{}, err
	}
	f := m.flows[id]
	if f == nil {
		return Flow{}, notFound("get flow", id)
	}
	return f.Clean()
}

// ListFlows returns a page of flows; see Flows.
func (m *MemoryStore) ListFlows(ctx context.Context, f FlowFilter) ([]Flow, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list flows", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.flowOrder, m.flows, size, at, f.Match, Flow.Clean)
}

// DeleteFlow forgets a flow; see Flows.
func (m *MemoryStore) DeleteFlow(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete flow", id); err != nil {
		return err
	}
	f := m.flows[id]
	if f == nil {
		return notFound("delete flow", id)
	}
	delete(m.flows, id)
	m.flowOrder.remove(f.At())
	return nil
}

// PutTrace stores a trace; see Traces.
func (m *MemoryStore) PutTrace(ctx context.Context, callID string, lines []byte) error {
	if err := CheckID(callID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put trace of call", callID); err != nil {
		return err
	}
	if _, ok := m.traces[callID]; !ok && m.calls[callID] == nil {
		m.loose = append(m.loose, callID)
		// A trace whose call never comes would stay for ever.
		for m.keep >= 0 && len(m.loose) > max(m.keep, 1) {
			if m.calls[m.loose[0]] == nil {
				delete(m.traces, m.loose[0])
			}
			m.loose = m.loose[1:]
		}
	}
	m.traces[callID] = append([]byte{}, lines...)
	return nil
}

// Trace returns a trace; see Traces.
func (m *MemoryStore) Trace(ctx context.Context, callID string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get trace of call", callID); err != nil {
		return nil, err
	}
	t, ok := m.traces[callID]
	if !ok {
		return nil, notFound("get trace of call", callID)
	}
	return bytes.Clone(t), nil
}

// CreateBlob makes a blob; see Blobs.
func (m *MemoryStore) CreateBlob(ctx context.Context, name string) (BlobWriter, error) {
	if err := m.checkLocked(ctx, "create blob", name); err != nil {
		return nil, err
	}
	return m.blobs.CreateBlob(ctx, name)
}

// OpenBlob opens a blob; see Blobs.
func (m *MemoryStore) OpenBlob(ctx context.Context, name string) (BlobReader, error) {
	if err := m.checkLocked(ctx, "open blob", name); err != nil {
		return nil, err
	}
	return m.blobs.OpenBlob(ctx, name)
}

// DeleteBlob removes a blob; see Blobs.
func (m *MemoryStore) DeleteBlob(ctx context.Context, name string) error {
	if err := m.checkLocked(ctx, "delete blob", name); err != nil {
		return err
	}
	return m.blobs.DeleteBlob(ctx, name)
}

func (m *MemoryStore) checkLocked(ctx context.Context, what, id string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.check(ctx, what, id)
}

// Close forgets everything.
func (m *MemoryStore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.calls, m.recordings, m.flows, m.traces = nil, nil, nil, nil
	m.groupcalls, m.queuecalls, m.voicemails, m.mailboxes = shelf[Groupcall]{}, shelf[Queuecall]{}, shelf[Voicemail]{}, nil
	m.groupcalls, m.conferences, m.stays = shelf[Groupcall]{}, shelf[Conference]{}, shelf[Conferencecall]{}
	m.callOrder, m.ended, m.recOrder, m.recEnded, m.flowOrder, m.loose = nil, nil, nil, nil, nil, nil
	return nil
}
