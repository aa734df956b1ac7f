package speech

import (
	"container/list"

	"github.com/callbin/callbin/media"
)

// lru keeps clips up to a number of bytes. It is not safe for concurrent use.
type lru struct {
	limit int64
	bytes int64
	order list.List // of *held, newest first
	byKey map[string]*list.Element
}

type held struct {
	key  string
	clip *media.Clip
}

// size counts the samples and what a clip keeps of itself in one codec.
func (h *held) size() int64 { return 3 * int64(len(h.clip.PCM())) }

func (l *lru) get(key string) (*media.Clip, bool) {
	e := l.byKey[key]
	if e == nil {
		return nil, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*held).clip, true
}

func (l *lru) put(key string, clip *media.Clip) {
	h := &held{key, clip}
	if h.size() > l.limit {
		return
	}
	if l.byKey == nil {
		l.byKey = map[string]*list.Element{}
	}
	if e := l.byKey[key]; e != nil {
		l.remove(e)
	}
	l.byKey[key] = l.order.PushFront(h)
	for l.bytes += h.size(); l.bytes > l.limit; {
		l.remove(l.order.Back())
	}
}

func (l *lru) remove(e *list.Element) {
	h := l.order.Remove(e).(*held)
	delete(l.byKey, h.key)
	l.bytes -= h.size()
}
