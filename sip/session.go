package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SessionTimer says how often the two ends of an answered call prove to each
// other that it is still up (RFC 4028). It is in force with peers that support
// it; one of the two sends an UPDATE or re-INVITE at half of the interval.
type SessionTimer struct {
	// Off leaves all of it out: nothing is refreshed, and a peer that requires it is
	// refused with 420.
	Off bool `json:"off,omitempty"`

	// Interval is what we ask for, or agree to when the peer names none. 0: 30
	// minutes, the least that the RFC recommends.
	Interval time.Duration `json:"interval,omitempty"`

	// Min is the shortest interval that we take; a shorter one is refused with 422.
	// 0: 90 seconds, and not less.
	Min time.Duration `json:"min,omitempty"`
}

const (
	defaultSession = 1800 * time.Second
	minSession     = 90 * time.Second // RFC 4028 5: also what holds where no Min-SE is given
	// lostMargin before the end of the session it is hung up (10).
	lostMargin = 32 * time.Second
)

// withDefaults tells all that is wrong with t.
func (t SessionTimer) withDefaults() (SessionTimer, []string) {
	var faults []string
	if t.Min == 0 {
		t.Min = minSession
	}
	if t.Interval == 0 {
		t.Interval = max(defaultSession, t.Min)
	}
	if t.Min < minSession {
		faults = append(faults, fmt.Sprintf("Min is %v, less than the 90 seconds of RFC 4028 5", t.Min))
	}
	if t.Interval < t.Min {
		faults = append(faults, fmt.Sprintf("Interval is %v, less than Min, which is %v", t.Interval, t.Min))
	}
	if t.Min%time.Second != 0 || t.Interval%time.Second != 0 {
		faults = append(faults, "Interval and Min are not whole seconds")
	}
	return t, faults
}

// The refresher parameter counts within one transaction: uac is who sent the request.
const (
	refresherUAC = "uac"
	refresherUAS = "uas"
)

// sessionWish is what the headers of one message say about the session timer.
type sessionWish struct {
	interval  time.Duration // Session-Expires; 0: none
	refresher string        // "", "uac", "uas"
	min       time.Duration // Min-SE; 0: none
	supported bool          // Supported or Require: timer
}

// sessionWish reads m; ok is false for a header that cannot be read.
func (m *message) sessionWish() (w sessionWish, ok bool) {
	w.supported = m.has("supported", "timer") || m.has("require", "timer")
	if v := m.value("session-expires"); v != "" {
		if w.interval, w.refresher, ok = parseSession(v); !ok {
			return w, false
		}
	}
	if v := m.value("min-se"); v != "" {
		if w.min, _, ok = parseSession(v); !ok {
			return w, false
		}
	}
	return w, true
}

// parseSession reads "1800;refresher=uac" (RFC 4028 4). A refresher that is neither counts as none.
func parseSession(v string) (d time.Duration, refresher string, ok bool) {
	sec, params := cutOutside(v, ';')
	n, err := strconv.ParseUint(sec, 10, 31)
	if err != nil {
		return 0, "", false
	}
	if r, _ := param(params, "refresher"); strings.EqualFold(r, refresherUAC) || strings.EqualFold(r, refresherUAS) {
		refresher = strings.ToLower(r)
	}
	return time.Duration(n) * time.Second, refresher, true
}

// has says whether the list header contains the option tag.
func (m *message) has(long, tag string) bool {
	for _, h := range m.headers {
		if longName(h.Name()) != long {
			continue
		}
		for rest := h.Value(); rest != ""; {
			var v string
			if v, rest = cutOutside(rest, ','); strings.EqualFold(v, tag) {
				return true
			}
		}
	}
	return false
}

func inSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func sessionExpires(d time.Duration, refresher string) Header {
	v := inSeconds(d)
	if refresher != "" {
		v += ";refresher=" + refresher
	}
	return Header{"Session-Expires", v}
}

func minSE(d time.Duration) Header { return Header{"Min-SE", inSeconds(d)} }

// supported is the value of our Supported headers.
func (e *Endpoint) supported() string {
	var tags []string
	if e.cfg.Reliable != ReliableNever {
		tags = append(tags, "100rel")
	}
	if !e.cfg.Session.Off {
		tags = append(tags, "timer")
	}
	if e.cfg.Transfer {
		tags = append(tags, "replaces", "norefersub")
	}
	return strings.Join(tags, ", ")
}

// unsupported are the option tags of a Require header that we do not know.
func (e *Endpoint) unsupported(need []string) (not []string) {
	for _, v := range need {
		switch strings.ToLower(v) {
		case "100rel":
			if e.cfg.Reliable != ReliableNever {
				continue
			}
		case "timer":
			if !e.cfg.Session.Off {
				continue
			}
		case "replaces", "norefersub":
			if e.cfg.Transfer {
				continue
			}
		}
		not = append(not, v)
	}
	return not
}

// checkSession refuses a request whose session would be too short for us (RFC 4028
// 9). One that does not support the timer cannot do better: a proxy has asked.
func (e *Endpoint) checkSession(m *message) (status int, phrase string, h []Header) {
	if e.cfg.Session.Off {
		return 0, "", nil
	}
	w, ok := m.sessionWish()
	switch {
	case !ok:
		return 400, "Malformed Session-Expires", nil
	case w.interval > 0 && w.interval < e.cfg.Session.Min && w.supported:
		return 422, "", []Header{minSE(e.cfg.Session.Min)}
	}
	return 0, "", nil
}

// session is the session timer of an answered dialog, as of its last refresh.
//
//	              half of the interval, when it is ours to refresh
//	agreed --------------------------------------------------> refreshing
//	   ^  \                                                     |     |
//	   |   \ interval less margin, when it is the peer's    2xx |     | 481, 408, none,
//	   |    +-------------------------> lost <------------------+-----+ or too late
//	   +--------------------------------------------------------+
type session struct {
	interval time.Duration // 0: the session does not expire
	min      time.Duration // the largest Min-SE that was heard
	mine     bool          // the refreshes are ours to send
	expires  time.Time
	due      time.Time // when the next refresh goes out, or, 491 or the like, is tried again
	byInvite bool      // the peer does not take UPDATE
	busy     bool      // our refresh is on its way
	timer    *time.Timer
}

// deadline is when a session that was not refreshed is hung up (RFC 4028 10).
func (s *session) deadline() time.Time {
	return s.expires.Add(-min(lostMargin, s.interval/3))
}

// agree sets the session timer going anew; interval 0 ends it. d.mu is held.
func (d *Dialog) agree(interval time.Duration, mine bool) {
	s := &d.session
	s.interval, s.mine = interval, mine
	if interval == 0 {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	now := time.Now()
	// A peer that names less than the RFC lets it must not make us send a storm.
	interval = max(interval, minSession)
	s.expires, s.due = now.Add(interval), now.Add(interval/2)
	d.armSession()
}

// armSession sets the timer to what comes next. d.mu is held.
func (d *Dialog) armSession() {
	s := &d.session
	next := s.deadline()
	if s.mine && !s.busy && s.due.Before(next) {
		next = s.due
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(next), d.sessionTick)
		return
	}
	s.timer.Reset(time.Until(next))
}

// offeredSession is what a request of ours says: of an INVITE that begins a dialog as well as of those within it.
func (d *Dialog) offeredSession() []Header {
	t := d.e.cfg.Session
	if t.Off {
		return nil
	}
	s := &d.session
	low := max(t.Min, s.min)
	refresher, interval := "", max(t.Interval, low)
	if s.interval > 0 { // RFC 4028 7.4: who does it goes on doing it
		interval = max(s.interval, low)
		refresher = refresherUAS
		if s.mine {
			refresher = refresherUAC
		}
	}
	hs := []Header{sessionExpires(interval, refresher)}
	if low > minSession {
		hs = append(hs, minSE(low))
	}
	return hs
}

// answerSession takes what a request of the peer says about the session, and gives the headers of
// our 2xx (RFC 4028 9, table 2). d.mu is held.
func (d *Dialog) answerSession(w sessionWish) []Header {
	t := d.e.cfg.Session
	s := &d.session
	if t.Off {
		return nil
	}
	s.min = max(s.min, w.min)
	refresher := w.refresher
	interval := w.interval
	switch {
	case interval == 0 && s.interval > 0 && (w.supported || s.mine):
		interval = s.interval // a request for something else: the session goes on as it was
		refresher = refresherUAC
		if s.mine {
			refresher = refresherUAS
		}
	case interval == 0 && w.supported:
		interval = max(t.Interval, w.min)
	case interval == 0:
		d.agree(0, false)
		return nil
	case interval > t.Interval: // it may be made shorter, not below Min-SE
		interval = max(t.Interval, w.min, minSession)
	}
	if !w.supported {
		refresher = refresherUAS
	} else if refresher == "" {
		refresher = refresherUAC // it does so in the way that it can do best
	}
	d.agree(interval, refresher == refresherUAS)
	hs := []Header{sessionExpires(interval, refresher)}
	if w.supported {
		hs = append(hs, Header{"Require", "timer"})
	}
	return hs
}

// takeSession takes what a 2xx to a request of ours says (RFC 4028 7.2). d.mu is held.
func (d *Dialog) takeSession(w sessionWish) {
	if d.e.cfg.Session.Off {
		return
	}
	// Without a refresher, which it must have, it is for who asked.
	d.agree(w.interval, w.refresher != refresherUAS)
}

// tooShort takes a 422 (RFC 4028 7.3); false: asking again would not help. d.mu is held.
func (d *Dialog) tooShort(w sessionWish) bool {
	s, t := &d.session, d.e.cfg.Session
	asked := max(t.Interval, t.Min, s.min)
	if s.interval > 0 {
		asked = max(s.interval, t.Min, s.min)
	}
	if t.Off || w.min <= asked {
		return false
	}
	s.min = w.min
	return true
}
