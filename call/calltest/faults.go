package calltest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// heldBack is how much later a packet comes that Faults.Reorder picks: the next two of a call's sound overtake it.
const heldBack = 50 * time.Millisecond

// Faults of a Net; the zero value is a good network. What happens to a packet depends on Seed, the two hosts, which
// pair of their sockets it is (in the order of first use: an engine's ports are random) and how many packets went the
// same way before it, not on what others send meanwhile. So the same traffic has the same faults, and a greater share
// hits the same packets and more.
type Faults struct {
	Delay     time.Duration // of each packet
	Jitter    time.Duration // up to that much comes on top of it; more than 20 ms also reorders sound
	Loss      float64       // share of packets that vanish, 0 to 1
	Reorder   float64       // share of packets that come 50 ms later, so that others overtake them
	Duplicate float64       // share of packets that come twice
	Lose      []Traffic     // what vanishes besides
	Seed      uint64        // of the choice
}

// Traffic is a part of what goes over a Net; the zero value is all of it.
type Traffic struct {
	From, To netip.Addr // of any port; the zero value: anybody
	RTP      bool       // RTP and RTCP, told by their first byte (RFC 7983)
	SIP      string     // the requests of a method, "BYE", certain responses to it, "200 BYE", or any SIP, "*"
	First    int        // only the first so many that go from one socket to another; 0: all
}

// has tells whether b belongs to t, whatever First says.
func (t Traffic) has(b []byte, from, to netip.Addr) bool {
	if t.From.IsValid() && t.From != from || t.To.IsValid() && t.To != to {
		return false
	}
	return !t.RTP && t.SIP == "" || t.RTP && isRTP(b) || t.SIP != "" && isSIP(b, t.SIP)
}

func isRTP(b []byte) bool { return len(b) > 0 && b[0] >= 128 && b[0] <= 191 }

func isSIP(b []byte, what string) bool {
	if isRTP(b) {
		return false
	}
	m, err := parseMessage(b)
	if err != nil {
		return false
	}
	name := m.method()
	if s := m.status(); s != 0 {
		name = strconv.Itoa(s) + " " + name
	}
	return what == "*" || what == name
}

// damage is what Faults do; it belongs to its Net, whose mu guards it.
type damage struct {
	Faults
	ways  map[[2]netip.AddrPort]*way // by sender and receiver
	count map[[2]netip.Addr]int      // of ways between two hosts
}

func newDamage(f Faults) *damage {
	f.Lose = slices.Clone(f.Lose)
	return &damage{f, map[[2]netip.AddrPort]*way{}, map[[2]netip.Addr]int{}}
}

// way is one direction between two sockets.
type way struct {
	rnd  *rand.Rand
	lost []int // packets of each of Faults.Lose
}

func (d *damage) way(from, to netip.AddrPort) *way {
	w := d.ways[[2]netip.AddrPort{from, to}]
	if w == nil {
		hosts := [2]netip.Addr{from.Addr(), to.Addr()}
		hash := fnv.New64a()
		fmt.Fprint(hash, hosts, d.count[hosts])
		d.count[hosts]++
		w = &way{rand.New(rand.NewPCG(d.Seed, hash.Sum64())), make([]int, len(d.Lose))}
		d.ways[[2]netip.AddrPort{from, to}] = w
	}
	return w
}

// fate is how much later each copy of b arrives; there is none if it is lost.
func (d *damage) fate(b []byte, from, to netip.AddrPort) []time.Duration {
	w := d.way(from, to)
	// All of it is drawn for each packet, so that no fault moves the place of another.
	loss, reorder, duplicate := w.rnd.Float64(), w.rnd.Float64(), w.rnd.Float64()
	first, second := w.rnd.Float64(), w.rnd.Float64()
	lost := loss < d.Loss
	for i, t := range d.Lose {
		if t.has(b, from.Addr(), to.Addr()) && (t.First == 0 || w.lost[i] < t.First) {
			w.lost[i]++
			lost = true
		}
	}
	if lost {
		return nil
	}
	late := func(share float64) time.Duration { return d.Delay + time.Duration(share*float64(d.Jitter)) }
	times := []time.Duration{late(first)}
	if reorder < d.Reorder {
		times[0] += heldBack
	}
	if duplicate < d.Duplicate {
		times = append(times, late(second))
	}
	return times
}
