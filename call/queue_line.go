package call

// waitLine is who waits in a queue, in the order of service: by priority, then by arrival. It is a treap whose nodes know how many are below
// them, so that the head, an arrival, a departure and a caller's position each cost O(log n).
type waitLine struct{ root *spot }

// spot is where a stay stands in a line. It is made anew when the stay comes back.
type spot struct {
	stay        *stay
	priority    int
	arrival     uint64
	left, right *spot
	size        int
}

func (p *spot) before(o *spot) bool {
	if p.priority != o.priority {
		return p.priority > o.priority
	}
	return p.arrival < o.arrival
}

// weight orders the treap's levels: it looks random, and is the same each time.
func (p *spot) weight() uint64 { return (p.arrival + 1) * 0x9E3779B97F4A7C15 }

func (p *spot) count() int {
	if p == nil {
		return 0
	}
	return p.size
}

func (p *spot) sum() *spot {
	p.size = 1 + p.left.count() + p.right.count()
	return p
}

func (l *waitLine) len() int { return l.root.count() }

// head is who is next; nil: nobody waits.
func (l *waitLine) head() *spot {
	p := l.root
	for p != nil && p.left != nil {
		p = p.left
	}
	return p
}

func (l *waitLine) add(p *spot) {
	p.left, p.right, p.size = nil, nil, 1
	l.root = addPlace(l.root, p)
}

func addPlace(t, p *spot) *spot {
	if t == nil {
		return p
	}
	if p.weight() > t.weight() {
		p.left, p.right = splitPlaces(t, p)
		return p.sum()
	}
	if p.before(t) {
		t.left = addPlace(t.left, p)
	} else {
		t.right = addPlace(t.right, p)
	}
	return t.sum()
}

// splitPlaces parts t into what is before p and what is after it.
func splitPlaces(t, p *spot) (before, after *spot) {
	switch {
	case t == nil:
		return nil, nil
	case t.before(p):
		t.right, after = splitPlaces(t.right, p)
		return t.sum(), after
	default:
		before, t.left = splitPlaces(t.left, p)
		return before, t.sum()
	}
}

// remove takes p out, which is in.
func (l *waitLine) remove(p *spot) { l.root = removePlace(l.root, p) }

func removePlace(t, p *spot) *spot {
	switch {
	case t == nil:
		return nil
	case t == p:
		return joinPlaces(t.left, t.right)
	case p.before(t):
		t.left = removePlace(t.left, p)
	default:
		t.right = removePlace(t.right, p)
	}
	return t.sum()
}

// joinPlaces makes one of two, all of a before all of b.
func joinPlaces(a, b *spot) *spot {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight() > b.weight():
		a.right = joinPlaces(a.right, b)
		return a.sum()
	default:
		b.left = joinPlaces(a, b.left)
		return b.sum()
	}
}

// position of p, which is in, from 1.
func (l *waitLine) position(p *spot) int {
	n := 1
	for t := l.root; t != nil && t != p; {
		if p.before(t) {
			t = t.left
		} else {
			n += t.left.count() + 1
			t = t.right
		}
	}
	return n + p.left.count()
}

// all yields the places in order.
func (l *waitLine) all(yield func(*spot) bool) { walkPlaces(l.root, yield) }

func walkPlaces(t *spot, yield func(*spot) bool) bool {
	return t == nil || walkPlaces(t.left, yield) && yield(t) && walkPlaces(t.right, yield)
}
