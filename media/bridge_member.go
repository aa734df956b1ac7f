package media

import "errors"

// ErrNotMember says that a port is in no bridge, or in another one.
var ErrNotMember = errors.New("media: the port is not in the bridge")

// Membership says how a port is in a bridge. The zero value hears all others and is heard by them. The others hear each other as they
// did, whoever listens in: nobody can tell.
type Membership struct {
	Mute bool  // nobody hears it, no tap of the bridge either
	Deaf bool  // it hears nothing of the bridge but what PlayTo plays to it alone
	Only *Port // this member alone hears it, besides what that hears of the others, and no tap does; nil: as Mute says
}

// secret tells whether not everybody hears it.
func (m *Membership) secret() bool { return m.Mute || m.Only != nil }

// SetMember changes how p is in the bridge, where it is a member, and returns when it is so.
func (b *Bridge) SetMember(p *Port, as Membership) {
	p.Do(func() {
		if m := p.member; m != nil && m.part.b == b {
			m.part.finish()
			m.is = as
			m.part.changed()
		}
	})
}

// SetMembers changes how the ports in as are in the bridge; those that are no members are left out. It does not wait, and may
// be called on a shard.
func (b *Bridge) SetMembers(as map[*Port]Membership) {
	for _, pt := range *b.parts.Load() {
		pt.shard.Post(func() {
			for _, m := range pt.members {
				if is, ok := as[m.port]; ok {
					m.is = is
				}
			}
			pt.update()
		})
	}
}

// SetLevels begins to measure how loud the members are, for Port.Level, or ends that.
func (b *Bridge) SetLevels(on bool) {
	if b.levels.Swap(on) == on {
		return
	}
	for _, pt := range *b.parts.Load() {
		pt.shard.Post(pt.update)
	}
}

// levelFrames is over how many frames a level is taken.
const levelFrames = 5

// Level is how loud the peer was in the last tenth of a second, as the mean amplitude, 1 being a square wave of full scale. It is 0
// outside of a bridge that measures (BridgeOptions.Levels), and for who is muted. It may be called anywhere.
func (p *Port) Level() float64 { return float64(p.level.Load()) / 32768 }

// measure takes a frame for Port.Level. A seventh of the samples, others in each frame, tell enough.
func (m *member) measure(frame uint64) {
	if m.n > 0 {
		sum, n := 0, 0
		for i := int(frame % 7); i < m.n; i += 7 {
			v := int(m.in[i])
			if v < 0 {
				v = -v
			}
			sum += v
			n++
		}
		m.loud += sum / max(n, 1)
	}
	if m.measured++; m.measured >= levelFrames {
		m.port.level.Store(uint32(m.loud / levelFrames))
		m.loud, m.measured = 0, 0
	}
}

// unmeasure forgets the level of who is not measured.
func (m *member) unmeasure() {
	m.loud, m.measured = 0, 0
	m.port.level.Store(0)
}
