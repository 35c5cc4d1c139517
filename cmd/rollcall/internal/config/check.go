package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/integrations/hooks"
	"github.com/rollcall-bot/rollcall/integrations/slack/token"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// at returns the node of a path, or the nearest one above it.
func (d *decoder) at(path string) *yaml.Node {
	for {
		if n, ok := d.nodes[path]; ok {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.nodes[""]
		}
		path = path[:cut]
	}
}

// missing reports a key that must be there, at the section it is missing from.
func (d *decoder) missing(path, hint string) {
	if _, given := d.nodes[path]; !given {
		d.problem(d.at(path), path+" is missing", hint)
	}
}

// check looks at what decoding could not: values, and keys that go together.
func (d *decoder) check(c *Config) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		d.problem(d.at("listen"), "listen must be HOST:PORT", "for example 127.0.0.1:8484")
	}
	if _, _, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && err != nil {
		d.problem(d.at("metricsListen"), "metricsListen must be HOST:PORT", "for example 127.0.0.1:9484")
	}
	if c.MetricsListen != "" && c.MetricsListen == c.Listen {
		d.problem(d.at("metricsListen"), "metricsListen and listen are the same address", "metrics are at listen already, for whoever has a token: leave metricsListen out, or choose another port")
	}
	d.url("publicURL", c.PublicURL)
	d.checkProxies(c)
	if info, err := os.Stat(d.abs(c.Pipelines)); d.nodes["pipelines"] != nil && (err != nil || !info.IsDir()) {
		d.problem(d.at("pipelines"), fmt.Sprintf("pipelines: there is no folder %s", d.abs(c.Pipelines)), "create it, or say where the pipeline files are")
	}
	d.checkSlack(c.Slack)
	d.checkGitHub(c.GitHub)
	d.checkGitHubGates(c)
	d.checkHosts(c)
	d.checkAWS(c.AWS)
	d.checkArtifacts(c.AWS)
	d.checkBridges(c)
	d.checkCommands(c)
	d.checkJira(c.Jira)
	d.checkNotes(c.Notes)
	d.checkConsole(c)
	d.checkTokens(c.API.Tokens)
	d.checkHooks(c.Hooks)
	d.checkAccess(c)
	d.checkFreezes(c)
	d.checkPosts(c)
}

// differs notes a name among those of its kind, and says so when it is there already.
func (d *decoder) differs(path, kind, name string, names map[string]bool, hint string) {
	if names[name] && name != "" {
		d.problem(d.at(path), "there are two "+kind+" named "+name, cmp.Or(hint, "names must differ"))
	}
	names[name] = true
}

// checkCommands looks at where commands run.
func (d *decoder) checkCommands(c *Config) {
	const at = "runners.commands.on"
	switch on := c.Runners.Commands.On; {
	case on == "", on == "local":
	case c.Runners.Commands.Project() == "":
		d.problem(d.at(at), at+" cannot be "+words.Quoted(on), "write local, or codebuild:PROJECT")
	case c.AWS == nil:
		d.problem(d.at(at), at+" names a CodeBuild project, and nothing says where AWS is", "add aws: {region: …, artifacts: {bucket: …}}")
	}
}

func (d *decoder) url(path, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		d.problem(d.at(path), path+" must be an http or https address", "for example https://rollcall.example.com")
	}
}

func (d *decoder) checkSlack(s *Slack) {
	if s == nil {
		return
	}
	d.url("slack.apiURL", s.APIURL)
	d.missing("slack.botToken", "the bot token of the Slack app, xoxb-…")
	if d.nodes["slack.signingSecret"] == nil && d.nodes["slack.appToken"] == nil {
		d.problem(d.at("slack"), "slack needs a way in", "give signingSecret (HTTP) or appToken (Socket Mode)")
	}
	if fault, fix := token.BotFault(s.BotToken.value); s.BotToken.Set() && fault != "" {
		d.problem(d.at("slack.botToken"), "slack.botToken "+fault, fix)
	}
	if fault, fix := token.AppFault(s.AppToken.value); s.AppToken.Set() && fault != "" {
		d.problem(d.at("slack.appToken"), "slack.appToken "+fault, fix)
	}
	if !strings.HasPrefix(s.Command, "/") {
		d.problem(d.at("slack.command"), "slack.command must begin with /", "for example /rollcall")
	}
}

func (d *decoder) checkGitHub(g *GitHub) {
	if g == nil {
		return
	}
	d.url("github.apiURL", g.APIURL)
	if fault, fix := source.Fault(g.CloneURL); fault != "" {
		d.problem(d.at("github.cloneURL"), fault, fix)
	}
	if d.nodes["github.token"] != nil && g.App != nil {
		d.problem(d.at("github.app"), "github has both a token and an app", "keep one")
	}
	d.checkComments(g)
	if g.App != nil && (g.App.ID == 0 || g.App.InstallationID == 0 || !g.App.PrivateKey.given) {
		d.problem(d.at("github.app"), "github.app needs id, installationID and privateKey", "they are on the app's settings page")
	}
	d.checkFeedback(g)
}

func (d *decoder) checkJira(j *Jira) {
	if j == nil {
		return
	}
	d.missing("jira.url", "for example https://example.atlassian.net")
	if j.URL != "" {
		d.url("jira.url", j.URL)
	}
	d.checkJiraLogin(j)
	if _, err := j.TokenEnds(); err != nil {
		d.problem(d.at("jira.tokenExpires"), "jira.tokenExpires must be a date", "YYYY-MM-DD, as Atlassian shows it beside the token")
	}
	d.checkJiraDeployments(j)
	d.missing("jira.project", "the key of the project that tickets go to")
}

func (d *decoder) checkTokens(tokens []Token) {
	names := map[string]bool{}
	for i, t := range tokens {
		path := fmt.Sprintf("api.tokens[%d]", i)
		d.missing(path+".name", "the machine's name; rules and records show it")
		d.missing(path+".token", "")
		d.missing(path+".may", "the verbs it may: may: [view, start]")
		d.differs(path+".name", "tokens", t.Name, names, "")
		if strings.HasPrefix(t.Name, hooks.TokenName("")) {
			d.problem(d.at(path+".name"), "the name of a token cannot begin with "+hooks.TokenName(""), "that is how hooks are named")
		}
		if strings.HasPrefix(t.Name, "jira:") {
			d.problem(d.at(path+".name"), "the name of a token cannot begin with jira:", "that is how change requests in Jira are named")
		}
	}
}

// checkAccess lets the policy judge itself, and puts what it finds in its place.
func (d *decoder) checkAccess(c *Config) {
	if c.Access != nil {
		for i := range c.Access.Rules {
			path := fmt.Sprintf("access.rules[%d]", i)
			d.missing(path+".allow", "the verbs")
			d.missing(path+".to", "who: mail addresses, group:NAME, everyone")
		}
	}
	for _, p := range c.Policy().Check() {
		d.problem(d.at(c.nodePath(p.Path)), p.Message, p.Hint)
	}
}

// nodePath is the path of the file for a path of the policy, whose tokens go by name.
func (c *Config) nodePath(path []string) string {
	where := ""
	for i, step := range path {
		if i == 2 && path[0] == "api" {
			step = strconv.Itoa(slices.IndexFunc(c.API.Tokens, func(t Token) bool { return t.Name == step }))
		}
		if _, err := strconv.Atoi(step); err == nil {
			where += "[" + step + "]"
		} else {
			where = join(where, step)
		}
	}
	return where
}
