package config

import (
	"fmt"
	"net/netip"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// checkProxies looks at the addresses of proxies.
func (d *decoder) checkProxies(c *Config) {
	for i, text := range c.Proxies {
		at := fmt.Sprintf("proxies[%d]", i)
		switch p, err := network(text); {
		case err != nil:
			d.problem(d.at(at), at+" is no address: "+words.Quoted(text), "write an address such as 10.0.0.5, or a network such as 10.0.0.0/24")
		case p.Bits() == 0:
			d.problem(d.at(at), at+" is every address there is", "anybody could then say where they are: name the proxies only")
		}
	}
}

// network reads an address, or a network in CIDR notation.
func network(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return ip.Unmap().WithZone("").Prefix(ip.Unmap().BitLen())
}

// ProxyNetworks are those whose word is taken for where a request comes from.
func (c *Config) ProxyNetworks() (all []netip.Prefix) {
	for _, text := range c.Proxies {
		if p, err := network(text); err == nil { // else it was refused
			all = append(all, p)
		}
	}
	return all
}
