package limit

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Only a proxy that is known says where a request comes from, and only the part that
// it has written itself is believed.
func TestBehindProxies(t *testing.T) {
	known := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}
	for _, c := range []struct {
		name, from string
		forwarded  []string
		want       string
	}{
		{"a proxy", "10.0.0.5:4711", []string{"203.0.113.9"}, "203.0.113.9:0"},
		{"two of them", "10.0.0.5:4711", []string{"203.0.113.9, 10.0.0.7"}, "203.0.113.9:0"},
		{"a header of each", "10.0.0.5:4711", []string{"203.0.113.9", "10.0.0.7"}, "203.0.113.9:0"},
		{"what the client wrote is not believed", "10.0.0.5:4711", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9:0"},
		{"nor in a header of its own", "10.0.0.5:4711", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9:0"},
		{"nor a proxy that the client named", "10.0.0.5:4711", []string{"198.51.100.1, 10.0.0.9, 203.0.113.9"}, "203.0.113.9:0"},
		{"a client is no proxy", "203.0.113.9:4711", []string{"198.51.100.1"}, "203.0.113.9:4711"},
		{"a proxy that says nothing", "10.0.0.5:4711", nil, "10.0.0.5:4711"},
		{"or what nobody can read", "10.0.0.5:4711", []string{"203.0.113.9, unknown"}, "10.0.0.5:4711"},
		{"all are proxies", "10.0.0.5:4711", []string{"10.0.0.8"}, "10.0.0.8:0"},
		{"with a port", "10.0.0.5:4711", []string{"203.0.113.9:1234"}, "203.0.113.9:0"},
		{"IPv6", "[fd00::5]:4711", []string{"2001:db8::9"}, "[2001:db8::9]:0"},
		{"IPv6 with brackets", "[fd00::5]:4711", []string{"[2001:db8::9]"}, "[2001:db8::9]:0"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.5]:4711", []string{"::ffff:203.0.113.9"}, "203.0.113.9:0"},
		{"no connection", "@", []string{"203.0.113.9"}, "@"},
	} {
		got := ""
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		Behind(known, next).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want || r.RemoteAddr != c.from {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		Behind(nil, next).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.from {
			t.Errorf("%s: without proxies %s", c.name, got)
		}
	}
}

// Who hears 401 too often is slowed down behind a proxy too, and nobody else is.
func TestTheBrakeBehindAProxy(t *testing.T) {
	h := Behind([]netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}, New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })))
	ask := func(client string) int {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.5:4711"
		r.Header.Set("X-Forwarded-For", client)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	last := 0
	for range 2 * maxUnauthorized {
		last = ask("203.0.113.9")
	}
	if last != http.StatusTooManyRequests || ask("203.0.113.10") != http.StatusUnauthorized {
		t.Errorf("%d", last)
	}
}
