package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// openNotifier makes the notifier of an engine that has extensions: their phones watch each other's calls, and their own messages.
func (e *Engine) openNotifier() error {
	if e.registrar == nil {
		return nil
	}
	cfg := e.cfg.Watching.Limits
	cfg.Auth, cfg.MayWatch = e.auth, e.mayWatch
	var err error
	e.notifier, err = sip.NewNotifier(cfg)
	return err
}

// Watching says what the phones of extensions may see of each other.
type Watching struct {
	// May tells whether the phones of the extension watcher may see what the extension watched is doing. Nil: all may.
	May func(ctx context.Context, watcher, watched string) bool
	// Identities shows them with whom it speaks, unless a caller hides.
	Identities bool
	// Limits of subscriptions; Auth and MayWatch are set by the engine.
	Limits sip.NotifierConfig
}

// mayWatch lets extensions be watched by extensions, and messages by whose they are.
func (e *Engine) mayWatch(ctx context.Context, event, watcher, user string) (bool, error) {
	if watcher == user {
		return true, nil // who knows its password
	}
	if event != sip.EventPackageDialog {
		return false, nil
	}
	_, ok, err := e.cfg.Extensions.Extension(ctx, user)
	if err != nil {
		e.log.Error("extension not found", "err", err)
		return false, err
	}
	return ok && (e.cfg.Watching.May == nil || e.cfg.Watching.May(ctx, watcher, user)), nil
}

// ErrNoExtensions is returned where the engine has no Config.Extensions.
var ErrNoExtensions = errors.New("call: there are no extensions")

// SetMessages tells the phones of an extension that wait for it how many voice messages there are, of which so many are urgent: their lamp
// goes on for new ones. It is held in memory: a program says so again when it starts.
func (e *Engine) SetMessages(extension string, newer, old, urgentNew, urgentOld int) error {
	switch {
	case e.notifier == nil:
		return ErrNoExtensions
	case address.CheckExtension(extension) != nil:
		return fmt.Errorf("call: messages: %w", address.CheckExtension(extension))
	case newer < 0 || old < 0 || urgentNew < 0 || urgentOld < 0 || urgentNew > newer || urgentOld > old:
		return fmt.Errorf("call: messages of %q: %d new (%d urgent) and %d old (%d urgent) cannot be", extension, newer, urgentNew, old, urgentOld)
	}
	e.notifier.SetMessages(extension, sip.MessageSummary{New: newer, Old: old, UrgentNew: urgentNew, UrgentOld: urgentOld})
	return nil
}

// watch tells those who watch the extensions of c how it stands. It runs on the loop of c and does not wait.
func (c *Call) watch(rec *store.Call) {
	n := c.engine.notifier
	if n == nil {
		return
	}
	d := sip.WatchedDialog{ID: c.id, State: watchState(rec.Status)}
	switch {
	case d.State == "": // it is ending: told when it has
	case rec.Direction == store.DirectionIncoming && rec.Source.Type == address.TypeExtension:
		d.Initiator = true
		c.identify(&d, rec.Destination)
		n.SetDialog(extensionName(rec.Source), d)
	case c.fork != nil:
		if d.State == sip.WatchTerminated {
			c.fork.mu.Lock()
			c.fork.unwatched = true
			c.fork.watch()
			c.fork.mu.Unlock()
		}
	case c.out == nil && rec.Direction == store.DirectionOutgoing && rec.Destination.Type == address.TypeExtension: // taken up by Restore: whether its caller hides is not known
		n.SetDialog(extensionName(rec.Destination), d)
	}
}

// watchState is what watchers see of a call's status; "": nothing new.
func watchState(status string) string {
	switch status {
	case store.StatusDialing:
		return sip.WatchTrying
	case store.StatusRinging:
		return sip.WatchEarly
	case store.StatusProgressing:
		return sip.WatchConfirmed
	case store.StatusHangup:
		return sip.WatchTerminated
	}
	return ""
}

// identify fills in the other end, if it may be seen.
func (c *Call) identify(d *sip.WatchedDialog, a address.Address) {
	if !c.engine.cfg.Watching.Identities || c.wantsPrivacy() {
		return
	}
	user := a.Target
	switch a.Type {
	case address.TypeExtension:
		user = extensionName(a)
		d.RemoteDisplay = printable(a.Name)
	case address.TypeSIP:
		d.RemoteDisplay = printable(a.TargetName)
		d.RemoteURI = "sip:" + strings.TrimPrefix(user, "sip:")
		return
	case address.TypeTel:
		d.RemoteDisplay = printable(a.TargetName)
	}
	if user != "" {
		d.RemoteURI = "sip:" + sipUser(user) + "@" + c.engine.ownHost()
	}
}

// watch tells those who watch the extensions that f rings how it stands. f.mu is held, which keeps what is told in order.
func (f *fork) watch() {
	n := f.call.engine.notifier
	if n == nil {
		return
	}
	var names []string
	for _, b := range f.branches {
		if a := b.target.address; a.Type == address.TypeExtension && !slices.Contains(names, extensionName(a)) {
			names = append(names, extensionName(a))
		}
	}
	for _, name := range names {
		d := sip.WatchedDialog{ID: f.call.id, State: f.stateOf(name)}
		f.call.identify(&d, f.call.out.source)
		n.SetDialog(name, d)
	}
}

// stateOf is how f stands for an extension: its phones are one. f.mu is held.
func (f *fork) stateOf(name string) string {
	state := sip.WatchTerminated
	for _, b := range f.branches {
		switch {
		case f.unwatched || b.target.address.Type != address.TypeExtension || extensionName(b.target.address) != name:
		case b == f.winner:
			return sip.WatchConfirmed
		case f.winner != nil || !b.live || f.stop != "":
		case b.rings:
			state = sip.WatchEarly
		case state == sip.WatchTerminated:
			state = sip.WatchTrying
		}
	}
	return state
}

// unwatchAll tells all watchers that the engine ends; those that do not answer are not waited for.
func (e *Engine) unwatchAll() {
	if e.notifier == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangupTime)
	defer cancel()
	e.notifier.Shutdown(ctx)
}
