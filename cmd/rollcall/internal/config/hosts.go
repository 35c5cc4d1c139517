package config

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/source"
)

// bitbucket connects the webhooks and the sources of Bitbucket, Cloud or Data Center.
type bitbucket struct {
	CloneURL      string `yaml:"cloneURL"` // repository = CloneURL + "owner/name.git"
	User          string `yaml:"user"`     // that goes with the token; empty: that of an access token
	Token         Secret `yaml:"token"`
	WebhookSecret Secret `yaml:"webhookSecret"`
}

// gitlab connects the webhooks and the sources of GitLab.
type gitlab struct {
	URL           string `yaml:"url"`  // repository = URL + "group/name.git"
	User          string `yaml:"user"` // that goes with the token, where it is a deploy token
	Token         Secret `yaml:"token"`
	WebhookSecret Secret `yaml:"webhookSecret"`
}

func (c *Config) hostDefaults() {
	if b := c.Bitbucket; b != nil {
		or(&b.CloneURL, "https://bitbucket.org/")
		b.CloneURL = withSlash(b.CloneURL)
	}
	if g := c.GitLab; g != nil {
		or(&g.URL, "https://gitlab.com/")
		g.URL = withSlash(g.URL)
	}
}

func (d *decoder) checkHosts(c *Config) {
	if b := c.Bitbucket; b != nil {
		d.host("bitbucket", "cloneURL", b.CloneURL, b.User)
	}
	if g := c.GitLab; g != nil {
		if !c.Sources.AllowFileURLs || !strings.HasPrefix(g.URL, "file://") {
			d.url("gitlab.url", g.URL)
		}
		d.host("gitlab", "url", g.URL, g.User)
	}
}

// host looks at what a host of repositories has of each kind.
func (d *decoder) host(section, key, address, user string) {
	if fault, fix := source.Fault(address); fault != "" {
		d.problem(d.at(section+"."+key), fault, fix)
	}
	for _, c := range user {
		if c <= ' ' || c > '~' || c == ':' {
			d.problem(d.at(section+".user"), section+".user is no user name", "letters, digits and . @ - _ +")
			break
		}
	}
	if user != "" {
		d.missing(section+".token", "user is the name that goes with it")
	}
}

// hostSecrets are those of the hosts.
func (c *Config) hostSecrets() (all []Secret) {
	if b := c.Bitbucket; b != nil {
		all = append(all, b.Token, b.WebhookSecret)
	}
	if g := c.GitLab; g != nil {
		all = append(all, g.Token, g.WebhookSecret)
	}
	return all
}
