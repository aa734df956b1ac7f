package media

// Post runs f on the port's shard, in the order of posting, wherever the port lives by
// then. It does not wait, as Shard.Post. It is for the line and its owner.
func (p *Port) Post(f func()) {
	p.home.Lock()
	if p.moving {
		p.pending = append(p.pending, f)
		p.home.Unlock()
		return
	}
	s := p.shard
	s.enqueue(f)
	p.home.Unlock()
	s.inline()
}

// Do runs f on the port's shard and returns when it has run. It must not be called on
// a shard.
func (p *Port) Do(f func()) {
	done := make(chan struct{})
	p.Post(func() {
		defer close(done)
		f()
	})
	<-done
}

// Shard is where the port lives at the moment.
func (p *Port) Shard() *Shard {
	p.home.Lock()
	defer p.home.Unlock()
	return p.shard
}

// move takes the port to another shard:
//
//	old shard: ... what was posted | detach
//	caller:                                 | (nobody's)
//	new shard:                                           | attach | what was posted meanwhile ...
//
// One goroutine at a time may move a port: the one that made its bridge the owner.
func (p *Port) move(to *Shard) {
	from := p.Shard() // nobody else changes it
	if from == to {
		return
	}
	p.home.Lock()
	p.moving = true
	detached := make(chan struct{})
	from.enqueue(func() {
		defer close(detached)
		p.shard.clock.unsettle(&p.beat)
		p.line.Detach()
	})
	p.home.Unlock()
	from.inline()
	<-detached

	to.Do(func() {
		p.home.Lock()
		p.shard = to
		p.home.Unlock()
		p.line.Attach(to)
		p.update()
	})

	p.home.Lock()
	p.moving = false
	to.enqueue(p.pending...)
	p.pending = nil
	p.home.Unlock()
	to.inline()
}
