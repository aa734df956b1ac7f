package call

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// Values of TrunkState.Health, which are VoIPBIN's.
const (
	HealthUnknown   = "unknown"
	HealthHealthy   = "healthy"
	HealthUnhealthy = "unhealthy"
)

// TrunkState is what the engine knows of a trunk at present.
type TrunkState struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	Transport string `json:"transport,omitempty"`
	Calls     int    `json:"calls"`              // that are up, both directions together
	Channels  int    `json:"channels,omitempty"` // how many may be; 0: no limit

	Health    string    `json:"health_status"`
	CheckedAt time.Time `json:"health_checked_at,omitzero"` // by OPTIONS
	Status    int       `json:"health_sip_code,omitempty"`  // its answer; 408: none
	Reason    string    `json:"health_reason,omitempty"`
	RTTMS     float64   `json:"health_rtt_ms,omitempty"`

	Registration *sip.Registration `json:"registration,omitempty"` // nil: it is not to be registered
}

// line is a trunk at work.
type line struct {
	trunk *Trunk

	mu     sync.Mutex
	state  TrunkState              // guarded by mu
	failed int                     // guarded by mu; OPTIONS in a row
	good   int                     // guarded by mu; OPTIONS in a row
	peers  map[netip.Addr]struct{} // guarded by mu; where the trunk was reached
}

func newLines(trunks []Trunk) map[string]*line {
	lines := make(map[string]*line, len(trunks))
	for i := range trunks {
		t := &trunks[i]
		l := &line{trunk: t, peers: map[netip.Addr]struct{}{}}
		l.state = TrunkState{Name: t.Name, Address: t.Address, Transport: t.Transport, Channels: t.Channels, Health: HealthUnknown}
		if t.Register != nil {
			l.state.Registration = &sip.Registration{State: sip.Registering}
		}
		lines[t.Name] = l
	}
	return lines
}

// now is a copy of what is known.
func (l *line) now() TrunkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	if s.Registration != nil {
		r := *s.Registration
		s.Registration = &r
	}
	return s
}

// rank sorts trunks: those that do not seem to work stand behind the others.
func (l *line) rank() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Health == HealthUnhealthy {
		return 1
	}
	if r := l.state.Registration; r != nil && (r.State == sip.RegRejected || r.State == sip.RegFailed && r.Until.IsZero()) {
		return 1
	}
	return 0
}

// take takes a channel; false: there is none.
func (l *line) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.state.Channels; n > 0 && l.state.Calls >= n {
		return false
	}
	l.state.Calls++
	return true
}

func (l *line) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Calls--
}

// Trunks tells how the trunks of the config stand, in their order. A change of health or registration is a
// "trunk_updated" event.
func (e *Engine) Trunks() []TrunkState {
	all := make([]TrunkState, len(e.cfg.Trunks))
	for i := range e.cfg.Trunks {
		all[i] = e.lines[e.cfg.Trunks[i].Name].now()
	}
	return all
}

// keepTrunks keeps the trunks alive and registered until ctx ends.
func (e *Engine) keepTrunks(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range e.cfg.Trunks {
		l := e.lines[e.cfg.Trunks[i].Name]
		if l.trunk.Register != nil {
			wg.Go(func() { e.keepRegistered(ctx, l) })
		}
		if l.trunk.Keepalive > 0 {
			wg.Go(func() { e.keepAlive(ctx, l) })
		}
	}
	wg.Wait()
}

func (e *Engine) keepRegistered(ctx context.Context, l *line) {
	t := l.trunk
	r := sip.Registrant{
		Registrars: t.Register.registrars(t), AOR: t.Register.aor(t), Credentials: t.credentials(),
		Expires: time.Duration(t.Register.Expires),
		Changed: func(r sip.Registration) { e.registered(l, r) },
	}
	if err := e.sip.KeepRegistered(ctx, r); err != nil && ctx.Err() == nil {
		e.log.Error("trunk is not registered", "trunk", t.Name, "err", err)
	}
}

func (e *Engine) registered(l *line, r sip.Registration) {
	l.mu.Lock()
	changed := l.state.Registration.State != r.State || l.state.Registration.Registrar != r.Registrar
	l.state.Registration = &r
	if r.State == sip.Registered {
		l.reached(r.Peer.Addr())
	}
	l.mu.Unlock()
	if !changed {
		return
	}
	log := e.log.Info
	if r.State == sip.RegFailed || r.State == sip.RegRejected {
		log = e.log.Warn
	}
	log("trunk registration", "trunk", l.trunk.Name, "registration", r)
	e.tellTrunk(l)
}

// reached notes where the trunk is, so that its calls are known by that. l.mu is held.
func (l *line) reached(a netip.Addr) {
	if len(l.peers) >= maxPeers {
		clear(l.peers)
	}
	l.peers[a.Unmap()] = struct{}{}
}

// maxPeers bounds the addresses of one trunk, which DNS says.
const maxPeers = 64

func (e *Engine) tellTrunk(l *line) {
	e.tell(Event{Type: "trunk_updated", Time: time.Now(), Data: l.now()})
}

// keepAlive asks the trunk whether it is there.
func (e *Engine) keepAlive(ctx context.Context, l *line) {
	every := time.Duration(l.trunk.Keepalive)
	q := sip.Query{Method: "OPTIONS", URI: "sip:" + l.trunk.Address + l.trunk.transport(), Credentials: l.trunk.credentials(), Timeout: min(every, optionsTime)}
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		begun := time.Now()
		r, err := e.sip.Query(ctx, q)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r = sip.Reply{Status: 503, Reason: err.Error(), Local: true}
		}
		e.checked(l, r, time.Since(begun))
		t.Reset(max(every-time.Since(begun), every/2))
	}
}

// optionsTime is how long the answer to an OPTIONS may take: four copies on UDP.
const optionsTime = 4 * time.Second

// checked takes the answer to an OPTIONS. Whatever a server answers, it is alive, unless it says that it has no room.
func (e *Engine) checked(l *line, r sip.Reply, took time.Duration) {
	l.mu.Lock()
	s := &l.state
	before := s.Health
	s.CheckedAt, s.Status, s.Reason, s.RTTMS = time.Now(), r.Status, r.Reason, 0
	if r.Local || r.Status == 503 {
		l.failed, l.good = l.failed+1, 0
		if l.failed >= cmp.Or(l.trunk.UnhealthyAfter, DefaultUnhealthyAfter) {
			s.Health = HealthUnhealthy
		}
	} else {
		l.failed, l.good = 0, l.good+1
		s.RTTMS = float64(took.Microseconds()) / 1000
		l.reached(r.Peer.Addr())
		if before == HealthUnknown || l.good >= cmp.Or(l.trunk.HealthyAfter, DefaultHealthyAfter) {
			s.Health = HealthHealthy
		}
	}
	after := s.Health
	l.mu.Unlock()
	if before == after {
		return
	}
	log := e.log.Info
	if after == HealthUnhealthy {
		log = e.log.Warn
	}
	log("trunk health", "trunk", l.trunk.Name, "health", after, "status", r.Status, "reason", r.Reason)
	e.tellTrunk(l)
}

// credentials are those of t, none where it has no user.
func (t *Trunk) credentials() []sip.Credentials {
	if t.User == "" {
		return nil
	}
	return []sip.Credentials{{Username: t.User, Password: t.Password}}
}

// trunkOf is the trunk that a call from peer comes by, nil for none. Of several at the same address it is that
// whose user, the one registered included, is called, or else the first.
func (e *Engine) trunkOf(peer netip.Addr, called string) *line {
	return trunkOf(e.lines, e.cfg.Trunks, peer, called)
}

// trunkOf is that of trunks whose lines are lines.
func trunkOf(lines map[string]*line, trunks []Trunk, peer netip.Addr, called string) *line {
	peer = peer.Unmap()
	var found *line
	for i := range trunks {
		l := lines[trunks[i].Name]
		if !l.isFrom(peer) {
			continue
		}
		if r := l.trunk.Register; r != nil && called != "" && strings.EqualFold(called, cmp.Or(r.User, l.trunk.User)) {
			return l
		}
		if found == nil {
			found = l
		}
	}
	return found
}

// called is who a call of the trunk is for. Providers call the Contact that was registered, and the number
// stands in To.
func (l *line) called(invite *sip.Request) address.Address {
	a := address.FromSIPUser(invite.User)
	r := l.trunk.Register
	if r == nil || !strings.EqualFold(invite.User, cmp.Or(r.User, l.trunk.User)) {
		return a
	}
	if n := verify.PlainNumber(invite.To.User); address.IsE164(n) {
		return address.Address{Type: address.TypeTel, Target: n}
	}
	return a
}

func (l *line) isFrom(peer netip.Addr) bool {
	if len(l.trunk.Sources) > 0 {
		return slices.ContainsFunc(l.trunk.Sources, func(s string) bool {
			p, err := parseSource(s)
			return err == nil && p.Contains(peer)
		})
	}
	if a, err := sip.ParseNameAddr("<sip:" + l.trunk.Address + ">"); err == nil {
		if ip, err := netip.ParseAddr(a.Host); err == nil && ip.Unmap() == peer {
			return true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.peers[peer]
	return ok
}

// full is what a call gets that finds no channel.
func (l *line) full() *Refusal {
	return &Refusal{Status: 503, Code: CodeTrunkFull, Sentence: fmt.Sprintf("all %d channels of trunk %s are taken", l.trunk.Channels, l.trunk.Name)}
}
