package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// nonces makes the nonces of digest challenges and knows them again. A nonce is a time, a number, and a code
// (HMAC) over both, the realm and the address that it was given to: to hand one out costs no memory, and nobody can
// make one up, or use the one of another address.
type nonces struct {
	key   []byte
	realm string
	life  time.Duration

	mu    sync.Mutex // guards the rest
	max   int
	used  map[nonceID]*nonceUse
	order []nonceID // of used, in the order of their first use
	first int       // of order
	floor int64     // what is not in used and not younger is taken for used
}

// nonceID is the time, in milliseconds, and number of a nonce.
type nonceID struct {
	ms  int64
	num uint64
}

// nonceUse is which counts (nc) of a nonce were seen: the highest, and the 64 up to it.
type nonceUse struct {
	top  uint32
	seen uint64
}

const nonceBytes = 16 + 16

func newNonces(key []byte, realm string, life time.Duration, max int) *nonces {
	return &nonces{key: key, realm: realm, life: life, max: max, used: make(map[nonceID]*nonceUse)}
}

// make returns a fresh nonce for the client at addr.
func (n *nonces) make(addr netip.Addr) string {
	var b [nonceBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli()))
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	copy(b[16:], n.code(b[:16], addr))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (n *nonces) code(b []byte, addr netip.Addr) []byte {
	h := hmac.New(sha256.New, n.key)
	_, _ = h.Write(b)
	a := addr.Unmap().WithZone("").As16()
	_, _ = h.Write(a[:])
	_, _ = h.Write([]byte(n.realm))
	return h.Sum(nil)[:nonceBytes-16]
}

// ours tells whether s is a nonce that was given to addr, however old.
func (n *nonces) ours(s string, addr netip.Addr) (nonceID, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != nonceBytes || !hmac.Equal(b[16:], n.code(b[:16], addr)) {
		return nonceID{}, false
	}
	return nonceID{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}, true
}

// fresh tells whether id has not expired.
func (n *nonces) fresh(id nonceID) bool {
	age := time.Now().UnixMilli() - id.ms
	return age >= 0 && age <= n.life.Milliseconds()
}

// use notes that count nc of id, whose digest was right, is used; false: it was before, or that cannot be
// ruled out. Counts may come out of order by 63, and jump ahead by any number.
func (n *nonces) use(id nonceID, nc uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.used[id]
	if u == nil {
		if id.ms <= n.floor {
			return false
		}
		n.expire()
		n.used[id] = &nonceUse{top: nc, seen: 1}
		n.order = append(n.order, id)
		return true
	}
	switch d := int64(nc) - int64(u.top); {
	case d > 0:
		u.top = nc
		if u.seen <<= uint(min(d, 64)); d >= 64 {
			u.seen = 0
		}
		u.seen |= 1
		return true
	case d <= -64 || u.seen>>uint(-d)&1 != 0:
		return false
	default:
		u.seen |= 1 << uint(-d)
		return true
	}
}

// expire makes room for one more. What has expired can be forgotten; of what has not, the floor remembers enough to
// let no replay in: its client, and others of its age, are challenged once more. n.mu is held.
func (n *nonces) expire() {
	for n.first < len(n.order) && (!n.fresh(n.order[n.first]) || len(n.used) >= n.max) {
		id := n.order[n.first]
		if n.fresh(id) {
			n.floor = max(n.floor, id.ms)
		}
		delete(n.used, id)
		n.first++
	}
	if n.first > 64 && n.first > len(n.order)/2 {
		n.order, n.first = append([]nonceID(nil), n.order[n.first:]...), 0
	}
}

func (n *nonces) len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.used)
}
