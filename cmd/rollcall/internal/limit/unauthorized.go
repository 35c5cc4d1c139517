package limit

import (
	"net/netip"
	"time"
)

const (
	maxUnauthorized = 200                    // refusals of one address before it is slowed down
	refillEvery     = 100 * time.Millisecond // then one in this time
	maxAddresses    = 4096                   // that are remembered
)

// bucket is what an address may still be told: a bucket of tokens, one of which comes back every now and then.
type bucket struct {
	tokens float64
	at     time.Time
}

// delayOf401 notes that an address is told 401, and says how long it must wait
// before it is told so again; 0: it may be told.
func (d *Limiter) delayOf401(address string) time.Duration {
	key, now := sender(address), d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.unauthorized[key]
	if b == nil {
		if len(d.unauthorized) >= maxAddresses {
			d.forgetAddresses(now)
		}
		b = &bucket{tokens: maxUnauthorized, at: now}
		d.unauthorized[key] = b
	}
	b.tokens = min(maxUnauthorized, b.tokens+float64(now.Sub(b.at))/float64(refillEvery))
	b.at = now
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) * float64(refillEvery))
	}
	b.tokens--
	return 0
}

// forgetAddresses drops the addresses that are as good as new, or all of them when there
// are none: whoever has thousands of addresses is not slowed down by address.
func (d *Limiter) forgetAddresses(now time.Time) {
	for key, b := range d.unauthorized {
		if b.tokens+float64(now.Sub(b.at))/float64(refillEvery) >= maxUnauthorized {
			delete(d.unauthorized, key)
		}
	}
	if len(d.unauthorized) >= maxAddresses {
		clear(d.unauthorized)
	}
}

// sender is what one sender has of an address: an IPv4 address, or the first half of an IPv6 one.
func sender(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	net, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return net.String()
}
