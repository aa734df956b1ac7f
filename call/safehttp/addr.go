package safehttp

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrBlocked is matched by the error of a request that a rule refuses. The message
// names the address, scheme or redirect, and the rule.
var ErrBlocked = errors.New("blocked")

// blocked names every range of the IANA special-purpose registries (RFC 6890 and
// its updates) that is not for the public Internet, and metadata services that hide in public
// ranges. IPv6 beyond 2000::/3 is refused as a whole.
var blocked = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local NAT64"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments (Teredo and others)"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	globalIPv6 = netip.MustParsePrefix("2000::/3")
)

// CheckAddr tells whether a is an address of the public Internet: not loopback, private,
// link-local, carrier-grade NAT, multicast, unspecified, reserved, for documentation,
// or of a cloud's metadata service; nor any of these written as an IPv4-mapped,
// NAT64, 6to4, Teredo or ISATAP address. The error matches ErrBlocked.
func CheckAddr(a netip.Addr) error {
	if !a.IsValid() {
		return fmt.Errorf("safehttp: no address: %w", ErrBlocked)
	}
	a = a.Unmap().WithZone("")
	for _, b := range blocked {
		if b.prefix.Contains(a) {
			return fmt.Errorf("safehttp: address %s is not public (%s): %w", a, b.why, ErrBlocked)
		}
	}
	if a.Is4() {
		return nil
	}
	b := a.As16()
	v4 := netip.AddrFrom4([4]byte(b[12:]))
	isatap := b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe // RFC 5214 6.1
	switch {
	case nat64.Contains(a), isatap && globalIPv6.Contains(a):
		// DNS64 gives such addresses for public names, too: what counts is the IPv4 address inside.
		if CheckAddr(v4) != nil {
			return fmt.Errorf("safehttp: address %s leads to %s, which is not public: %w", a, v4, ErrBlocked)
		}
		return nil
	case !globalIPv6.Contains(a):
		return fmt.Errorf("safehttp: address %s is not public (not global unicast): %w", a, ErrBlocked)
	}
	return nil
}
