package p2p

import (
	"net/netip"
	"sync"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// addresses are the network addresses, of IPv6 networks of 56 bits, where peers proved
// good. It is bounded and safe for concurrent use.
type addresses struct {
	mu   sync.Mutex
	good map[netip.Prefix]time.Time // when last
}

func newAddresses() *addresses { return &addresses{good: make(map[netip.Prefix]time.Time)} }

// add remembers where a peer proved good; of too many, the one not seen for longest goes.
func (as *addresses) add(addr multiaddr.Multiaddr) {
	where, ok := networkOf(addr)
	if !ok {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if _, known := as.good[where]; !known && len(as.good) >= maxGoodAddrs {
		var oldest netip.Prefix
		for p, at := range as.good {
			if !oldest.IsValid() || at.Before(as.good[oldest]) {
				oldest = p
			}
		}
		delete(as.good, oldest)
	}
	as.good[where] = time.Now()
}

// drop forgets where a peer was that proved bad.
func (as *addresses) drop(addr multiaddr.Multiaddr) {
	if where, ok := networkOf(addr); ok {
		as.mu.Lock()
		defer as.mu.Unlock()
		delete(as.good, where)
	}
}

// has reports whether a peer proved good at an address of that network lately.
func (as *addresses) has(addr multiaddr.Multiaddr) bool {
	where, ok := networkOf(addr)
	if !ok {
		return false
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	at, known := as.good[where]
	return known && time.Since(at) < goodAddrFor
}

// networkOf returns the network of an address that begins with an IP address, unless that is a relay's.
func networkOf(addr multiaddr.Multiaddr) (netip.Prefix, bool) {
	if addr == nil {
		return netip.Prefix{}, false
	}
	if _, err := addr.ValueForProtocol(multiaddr.P_CIRCUIT); err == nil {
		return netip.Prefix{}, false
	}
	ip, err := manet.ToIP(addr)
	if err != nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Prefix{}, false
	}
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}
