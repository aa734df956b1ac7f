package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Directory is what can change while the engine runs, and is there again after a restart: extensions, agents, numbers and the flows that answer them,
// queues and conferences. What stands in the settings is in it, too, but cannot be changed by it. It is Extensions and Agents of the engine. All
// of it is in memory; a change is stored before it counts. Make it with Config.UseDirectory. Its methods are safe for concurrent use.
type Directory struct {
	Extensions  *Entries[Extension] // named by what is dialled; no password is kept, see Extension.HA1
	Agents      *Entries[Agent]
	Numbers     *Entries[Number]            // named by the number
	Queues      *Entries[QueueOptions]      // those that DeleteQueue or the program made are not here
	Conferences *Entries[ConferenceOptions] // until they end; those that nobody but their joining made are not here

	db      store.Directory
	log     *slog.Logger
	realm   string
	phones  Extensions             // of the settings; nil: none
	people  Agents                 // of the settings; nil: none
	regions regions                // of the numbers
	engine  atomic.Pointer[Engine] // set once, by New
	change  sync.Mutex             // held while something changes: one after the other, from the check to the engine
}

// ErrReadOnly is matched by a change of what stands in the settings.
var ErrReadOnly = errors.New("it stands in the settings, where alone it can be changed")

// UseDirectory makes what db keeps, above what c has already, the Extensions, Agents, Mailboxes and numbers of an engine, and the flow of a number
// what FlowByID finds. Call it when Realm, Extensions, Agents, Mailboxes and Deps are set, and before flows are parsed. A Directory is for
// one engine.
func (c *Config) UseDirectory(ctx context.Context, db store.Directory) (*Directory, error) {
	d := &Directory{db: db, log: c.Logger, realm: c.realm(), phones: c.Extensions, people: c.Agents}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.Extensions, d.Agents, d.Numbers = d.extensionEntries(), d.agentEntries(), d.numberEntries()
	d.Queues, d.Conferences = d.queueEntries(), d.conferenceEntries()
	if l, ok := d.phones.(extensionList); ok {
		for name, x := range l {
			d.Extensions.fix(name, x)
		}
	}
	if l, ok := d.people.(AgentLister); ok {
		all, err := l.AllAgents(ctx)
		if err != nil {
			return nil, fmt.Errorf("call: directory: the agents: %w", err)
		}
		for _, a := range all {
			d.Agents.fix(a.ID, a)
		}
	}
	for _, o := range c.Queues {
		if o.ID != "" {
			d.Queues.fix(o.ID, o)
		}
	}
	for _, load := range []func(context.Context) error{d.Extensions.load, d.Agents.load, d.Numbers.load, d.Queues.load, d.Conferences.load} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("call: directory: %w", err)
		}
	}
	c.Directory, c.Extensions, c.Agents = d, d, d
	if c.Mailboxes != nil {
		c.Mailboxes = directoryMailboxes{c.Mailboxes, d}
	}
	if to, ok := c.Deps.Destinations.(destinations); ok {
		to.extensions, to.agents = d, d
		c.Deps.Destinations = to
	}
	return d, nil
}

// Extension finds one: of the settings, else of those that were made.
func (d *Directory) Extension(ctx context.Context, name string) (Extension, bool, error) {
	if d.phones != nil {
		if x, ok, err := d.phones.Extension(ctx, name); ok || err != nil {
			return x, ok, err
		}
	}
	x, ok := d.Extensions.named(name)
	return x, ok, nil
}

// Agent finds one: of the settings, else of those that were made.
func (d *Directory) Agent(ctx context.Context, id string) (Agent, bool, error) {
	if d.people != nil {
		if a, ok, err := d.people.Agent(ctx, id); ok || err != nil {
			return a, ok, err
		}
	}
	e := d.Agents.row(id)
	if e == nil {
		return Agent{}, false, nil
	}
	return e.Value, true, nil
}

// AllAgents are those of the settings, where these are an AgentLister, and those that were made.
func (d *Directory) AllAgents(context.Context) ([]Agent, error) {
	var all []Agent
	for _, e := range d.Agents.all() {
		all = append(all, e.Value)
	}
	return all, nil
}

// bind makes d that of e, and what it has alive: the queues and conferences.
func (d *Directory) bind(e *Engine) error {
	if d == nil {
		return nil
	}
	if !d.engine.CompareAndSwap(nil, e) {
		return errors.New("call: Config.Directory is another engine's already")
	}
	e.restoreQueues(d.Queues.all())
	e.restoreConferences(d.Conferences.all())
	return nil
}

// directoryMailboxes gives each extension of a directory a mailbox beside those that the settings name.
type directoryMailboxes struct {
	Mailboxes
	directory *Directory
}

func (m directoryMailboxes) Mailbox(ctx context.Context, id string) (Mailbox, bool, error) {
	if box, ok, err := m.Mailboxes.Mailbox(ctx, id); ok || err != nil {
		return box, ok, err
	}
	_, ok := m.directory.Extensions.named(id)
	return Mailbox{ID: id}, ok, nil
}

// owns tells whether a is a number of d. A nil d has none.
func (d *Directory) owns(a address.Address) bool {
	if d == nil || a.Type != address.TypeTel {
		return false
	}
	_, ok := d.Numbers.named(a.Target)
	return ok
}

// Directory returns Config.Directory, nil where there is none.
func (e *Engine) Directory() *Directory { return e.cfg.Directory }
