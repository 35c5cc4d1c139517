package config

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// longestGate is how long people can be asked at most: GitHub ends what has waited for
// 30 days, and the answer must be there before.
const longestGate = 29 * 24 * time.Hour

// GitHubGate has deployments of GitHub Actions to an environment wait for people in a channel.
type GitHubGate struct {
	Repository       string         `yaml:"repository"`  // owner/name; * stands for any text without a slash
	Environment      string         `yaml:"environment"` // the same
	Channel          string         `yaml:"channel"`
	Owners           []string       `yaml:"owners"`
	Approval         GitHubApproval `yaml:"approval"`
	TimeoutInMinutes int64          `yaml:"timeoutInMinutes"`
	Freeze           *bool          `yaml:"freeze"` // nil: true
}

// GitHubApproval is the policy of an approval with its time limit.
type GitHubApproval struct {
	BridgeApproval
	TimeoutInMinutes int64 `yaml:"timeoutInMinutes"`
}

// Policy is the approval's policy as a definition has it, every default filled in.
func (g *GitHubGate) Policy() *workflows.ApprovalPolicy { return g.Approval.Policy() }

// Minutes is how long a deployment waits; 0: as long as any approval.
func (g *GitHubGate) Minutes() int {
	return int(cmp.Or(g.Approval.TimeoutInMinutes, g.TimeoutInMinutes))
}

// PastFreezes says whether freezes leave the environment alone.
func (g *GitHubGate) PastFreezes() bool { return g.Freeze != nil && !*g.Freeze }

// checkGitHubGates looks at the environments of GitHub Actions that are gates.
func (d *decoder) checkGitHubGates(c *Config) {
	if c.GitHub == nil || len(c.GitHub.Gates) == 0 {
		return
	}
	const at = "github.gates"
	if c.GitHub.App == nil {
		d.problem(d.at(at), "github.gates needs a GitHub App: only an app can be a deployment protection rule", "give github.app in place of github.token: id, installationID, privateKey")
	}
	if d.nodes["github.webhookSecret"] == nil {
		d.problem(d.at(at), "github.gates needs github.webhookSecret: GitHub asks by a delivery of the app's webhook", "set the same secret here and in the app's settings on GitHub")
	}
	who := c.Policy()
	for i := range c.GitHub.Gates {
		g, at := &c.GitHub.Gates[i], fmt.Sprintf("%s[%d]", at, i)
		d.missing(at+".repository", "owner/name; * stands for any text: acme/*")
		d.missing(at+".environment", "its name on GitHub: production")
		d.gateNames(at, g)
		for k, owner := range g.Owners {
			d.fault(fmt.Sprintf("%s.owners[%d]", at, k), who.CheckWho(owner))
		}
		d.checkApproval(at+".approval", g.Approval.BridgeApproval, who)
		d.gateMinutes(at+".timeoutInMinutes", g.TimeoutInMinutes)
		d.gateMinutes(at+".approval.timeoutInMinutes", g.Approval.TimeoutInMinutes)
		for k := range i {
			if before := &c.GitHub.Gates[k]; covers(before.Repository, g.Repository) && covers(before.Environment, g.Environment) {
				d.problem(d.at(at), fmt.Sprintf("%s is never used: github.gates[%d] covers it", at, k), "the first row that matches counts: put the narrower one first")
				break
			}
		}
	}
}

// gateNames looks at the names of a row.
func (d *decoder) gateNames(at string, g *GitHubGate) {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-*"
	owner, name, ok := strings.Cut(g.Repository, "/")
	if g.Repository != "" && (!ok || owner == "" || name == "" || strings.Trim(owner+name, characters) != "") {
		d.problem(d.at(at+".repository"), at+".repository: "+words.Quoted(g.Repository)+" is not a repository", "write owner/name; * stands for any text: acme/*")
	}
	if strings.ContainsAny(owner, "*") {
		d.problem(d.at(at+".repository"), at+".repository: the owner must be named", "anybody may install an app that is public: write acme/* and not */*")
	}
	if len(g.Environment) > 255 || strings.ContainsAny(g.Environment, "?[]\\") || strings.ContainsFunc(g.Environment, func(r rune) bool { return r < ' ' }) {
		d.problem(d.at(at+".environment"), at+".environment cannot be the name of an environment", "write its name on GitHub; * stands for any text without a slash")
	}
}

func (d *decoder) gateMinutes(path string, n int64) {
	if most := int64(longestGate / time.Minute); d.nodes[path] != nil && (n < 1 || n > most) {
		d.problem(d.at(path), fmt.Sprintf("%s must be from 1 to %d", path, most), "GitHub ends what has waited for 30 days; leave it out for 7 days")
	}
}

// covers says whether everything that a pattern stands for is what an earlier one stands for.
func covers(earlier, later string) bool {
	earlier, later = strings.ToLower(earlier), strings.ToLower(later)
	ok, err := path.Match(earlier, later)
	return later != "" && (earlier == later || ok && err == nil)
}
