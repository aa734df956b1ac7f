package store

import "context"

// memoryKeys are the keys of a MemoryStore by name. An expired one goes when another takes its name, or when the number
// of keys has doubled since the last look at all of them.
type memoryKeys struct {
	all  map[string]Key
	look int // at how many keys the expired ones are looked for
}

var _ Keys = (*MemoryStore)(nil)

// PutKey stores k unless its name is taken; see Keys.
func (m *MemoryStore) PutKey(ctx context.Context, k Key) (Key, error) {
	k, err := k.Clean()
	if err != nil {
		return Key{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put key", k.Name); err != nil {
		return Key{}, err
	}
	if was, ok := m.keys.all[k.Name]; ok && was.TmExpire.After(k.TmCreate.Time) {
		return was, nil
	}
	if m.keys.all == nil {
		m.keys.all = map[string]Key{}
	}
	if len(m.keys.all) >= max(m.keys.look, 1024) {
		for name, was := range m.keys.all {
			if !was.TmExpire.After(k.TmCreate.Time) {
				delete(m.keys.all, name)
			}
		}
		m.keys.look = 2 * len(m.keys.all)
	}
	m.keys.all[k.Name] = k
	return k, nil
}

// DeleteKey removes a key; see Keys.
func (m *MemoryStore) DeleteKey(ctx context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete key", name); err != nil {
		return err
	}
	delete(m.keys.all, name)
	return nil
}
