package config

import (
	"net/netip"
	"net/url"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// console says whether people may sign in with a browser.
type console struct {
	Enabled bool `yaml:"enabled"`
}

// checkConsole looks at what signing in with a browser needs.
func (d *decoder) checkConsole(c *Config) {
	if c.Console.Enabled && c.Slack == nil {
		d.problem(d.at("console"), "console.enabled needs slack", "people prove there who they are: add slack: {botToken: …}")
	}
	if u, err := url.Parse(c.PublicURL); c.Console.Enabled && err == nil && u.Path != "" && u.Path != "/" {
		d.problem(d.at("publicURL"), "publicURL has a path, "+words.Quoted(u.Path)+", and the console is at the root of its host", "give rollcall a host of its own")
	}
}

// ConsoleOff says why nobody can sign in with a browser, and what to do; empty: people can.
func (c *Config) ConsoleOff() (why, hint string) {
	u, err := url.Parse(c.PublicURL)
	switch {
	case !c.Console.Enabled:
		return "the console is off", "an administrator turns it on with console: {enabled: true} in rollcall.yaml"
	case err != nil || c.noPublicURL && !isLoopback(u.Hostname()):
		return "rollcall does not know its own address", "an administrator writes it as publicURL in rollcall.yaml"
	}
	return "", ""
}

// isLoopback says whether only this machine can reach a host.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// openConsole is a sentence about a console that people reach without encryption; empty: it is fine.
func (c *Config) openConsole() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil || !c.Console.Enabled || u.Scheme == "https" || isLoopback(u.Hostname()) {
		return ""
	}
	return "publicURL begins with http://: whoever is on the way can take over the sessions of the console; put a proxy with TLS in front and write https://"
}
