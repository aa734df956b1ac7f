package call

import (
	"fmt"
	"strings"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// A journey id is made once, with the first leg, and goes along with whatever comes of it. Over SIP it goes to, and is taken from, trunks that
// are marked as trusted only: who could choose it would have his calls among those of others.

// checkJourneyID tells what is wrong with the id of a journey that the program names; "" is one that is to be made.
func checkJourneyID(id string) error {
	if id == "" {
		return nil
	}
	if err := store.CheckID(id); err != nil {
		return fmt.Errorf("journey id: %w", err)
	}
	return nil
}

// journeyFrom is the journey that a call from a trunk goes on with: what stands in Config.JourneyHeader, once, as a UUID in lower or upper
// case; "" for any other.
func (e *Engine) journeyFrom(l *line, invite *sip.Request) string {
	name := e.cfg.JourneyHeader
	if name == "" || l == nil || !l.trunk.Trusted {
		return ""
	}
	var found []string
	for _, h := range invite.Headers {
		if strings.EqualFold(h.Name, name) {
			found = append(found, strings.ToLower(strings.TrimSpace(h.Value)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	if len(found) > 1 || !isUUID(found[0]) {
		e.log.Warn("journey of a trunk's call not taken: it is no UUID, or there are several", "trunk", l.trunk.Name, "journeys", len(found))
		return ""
	}
	return found[0]
}

// journeyTo is the header by which a call takes its journey along; none where the trunk, nil for none, is not trusted.
func (e *Engine) journeyTo(t *Trunk, journey string) []sip.Header {
	if e.cfg.JourneyHeader == "" || t == nil || !t.Trusted || !isUUID(journey) {
		return nil
	}
	return []sip.Header{{Name: e.cfg.JourneyHeader, Value: journey}}
}

// isUUID tells whether s is a UUID in its usual form, in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
				return false
			}
		}
	}
	return true
}
