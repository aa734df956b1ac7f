package sdp

import (
	"math/bits"
	"strconv"
	"strings"
)

const eventName = "telephone-event"

// Events is a set of telephone events (RFC 4733 3.2): bit 0 to 9 the digits, 10 *,
// 11 #, 12 to 15 A to D, 16 flash. Events from 32 on, tones of lines, are not kept.
type Events uint32

const (
	dtmfEvents Events = 1<<16 - 1 // 0-15, which is also what no fmtp means (RFC 4733 2.4.1)
	allEvents  Events = 1<<17 - 1 // 0-16
)

// Has tells whether event n is in e.
func (e Events) Has(n uint8) bool { return n < 32 && e>>n&1 != 0 }

// String lists e as fmtp does: "0-15", "0-11,16".
func (e Events) String() string {
	var b strings.Builder
	for e != 0 {
		from := bits.TrailingZeros32(uint32(e))
		n := bits.TrailingZeros32(^(uint32(e) >> from))
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(from))
		if n > 1 {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(from + n - 1))
		}
		e &^= Events((uint64(1)<<n - 1) << from)
	}
	return b.String()
}

// parseEvents reads the list of an fmtp. What it does not understand it leaves out;
// a list without any digit or flash counts as none, which means 0-15.
func parseEvents(params string) Events {
	params = strings.TrimPrefix(strings.TrimSpace(params), "events=")
	var e Events
	for part := range strings.SplitSeq(params, ",") {
		first, last, span := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.ParseUint(first, 10, 8)
		if err != nil {
			continue
		}
		to := from
		if span {
			if to, err = strconv.ParseUint(last, 10, 8); err != nil {
				continue
			}
		}
		for n := from; n <= min(to, 31); n++ {
			e |= 1 << n
		}
	}
	if e&allEvents == 0 {
		return dtmfEvents
	}
	return e
}
