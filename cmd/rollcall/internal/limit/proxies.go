package limit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Behind returns a handler for which a request that one of the proxies sent comes
// from the address that they say: the last of X-Forwarded-For that is no proxy's, as
// what stands before it anybody can have written. Of other senders nothing is believed.
func Behind(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil {
			if ip := origin(proxies, at.Addr().Unmap(), r.Header.Values("X-Forwarded-For")); ip != at.Addr().Unmap() {
				r = r.WithContext(r.Context()) // a copy
				r.RemoteAddr = netip.AddrPortFrom(ip, 0).String()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// origin is the address that a request began at, as far as the proxies know it.
func origin(proxies []netip.Prefix, ip netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) }) {
			return ip
		}
		before, ok := hopOf(strings.TrimSpace(hop))
		if !ok {
			return ip
		}
		ip = before
	}
	return ip
}

// hopOf reads an address as proxies write it: some add a port.
func hopOf(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap(), true
	}
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return ip.Unmap(), err == nil
}
