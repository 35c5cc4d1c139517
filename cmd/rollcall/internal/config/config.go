// Package config reads rollcall.yaml, the service's one configuration file.
//
// Every problem of a file is reported at once, each with line and column, and
// nothing is started. A section that is absent is off. A secret is written as
// {env: NAME}, {file: PATH}, {ssm: NAME} or {secretsManager: ID#KEY}; a literal is only taken from a file that nobody
// else can read (mode 0600). Relative paths are relative to the file.
package config

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/hours"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/age"
)

// Config is the whole configuration, checked, with every default filled in and
// every secret read. Paths are absolute.
type Config struct {
	Listen        string     `yaml:"listen"`
	PublicURL     string     `yaml:"publicURL"`
	MetricsListen string     `yaml:"metricsListen"`
	Proxies       []string   `yaml:"proxies"` // see ProxyNetworks
	DataDir       string     `yaml:"dataDir"`
	Pipelines     string     `yaml:"pipelines"`
	Admins        []string   `yaml:"admins"`
	Slack         *Slack     `yaml:"slack"`
	GitHub        *GitHub    `yaml:"github"`
	Bitbucket     *bitbucket `yaml:"bitbucket"`
	GitLab        *gitlab    `yaml:"gitlab"`
	Jira          *Jira      `yaml:"jira"`
	AWS           *AWS       `yaml:"aws"`
	Bridges       []Bridge   `yaml:"bridges"`
	Sources       Sources    `yaml:"sources"`
	Runners       Runners    `yaml:"runners"`
	Retention     Retention  `yaml:"retention"`
	Freeze        []Freeze   `yaml:"freeze"`
	People        []Person   `yaml:"people"`
	Access        *Access    `yaml:"access"`
	API           API        `yaml:"api"`
	Hooks         []Hook     `yaml:"hooks"`
	Notes         notes      `yaml:"notes"`
	Console       console    `yaml:"console"`

	path    string
	kept    []Kept
	freezes []workflows.Freeze

	noPublicURL bool // it was left out

	quiet    hours.Quiet
	digestAt hours.Daily
}

// Slack connects the chat: with SigningSecret over HTTP, with AppToken by Socket Mode.
type Slack struct {
	APIURL        string `yaml:"apiURL"`
	BotToken      Secret `yaml:"botToken"`
	SigningSecret Secret `yaml:"signingSecret"`
	AppToken      Secret `yaml:"appToken"`
	Channel       string `yaml:"channel"`
	Command       string `yaml:"command"`

	Routes     []slackRoute `yaml:"routes"`
	QuietHours *quietHours  `yaml:"quietHours"`
	Digest     *slackDigest `yaml:"digest"`
}

// GitHub connects webhooks, sources and commit statuses.
type GitHub struct {
	APIURL        string       `yaml:"apiURL"`
	CloneURL      string       `yaml:"cloneURL"`
	Token         Secret       `yaml:"token"`
	App           *GitHubApp   `yaml:"app"`
	WebhookSecret Secret       `yaml:"webhookSecret"`
	Feedback      string       `yaml:"feedback"`    // statuses|checks|none; empty: checks where the app may, else statuses
	Deployments   *bool        `yaml:"deployments"` // nil: true
	Comments      []string     `yaml:"comments"`    // globs of OWNER/NAME whose pull requests take commands
	Gates         []GitHubGate `yaml:"gates"`       // environments of GitHub Actions
	PullRequests  struct {
		Comment *bool `yaml:"comment"` // nil: true
	} `yaml:"pullRequests"`
	DeploymentRecords *bool `yaml:"deploymentRecords"` // nil: true
	GateFacts         *bool `yaml:"gateFacts"`         // nil: true
}

// GitHubApp is a GitHub App's installation, instead of a token.
type GitHubApp struct {
	ID             int64  `yaml:"id"`
	InstallationID int64  `yaml:"installationID"`
	PrivateKey     Secret `yaml:"privateKey"`
}

// Jira connects tickets.
type Jira struct {
	URL           string `yaml:"url"`
	APIURL        string `yaml:"apiURL"`
	User          string `yaml:"user"`
	Token         Secret `yaml:"token"`
	TokenExpires  string `yaml:"tokenExpires"` // YYYY-MM-DD
	TokenURL      string `yaml:"tokenURL"`
	CloudID       string `yaml:"cloudID"`
	ClientID      string `yaml:"clientID"`
	ClientSecret  Secret `yaml:"clientSecret"`
	Project       string `yaml:"project"`
	IssueType     string `yaml:"issueType"`
	WebhookSecret Secret `yaml:"webhookSecret"`

	Projects       []string        `yaml:"projects"` // whose issues are named and written to; empty: all
	OnIssues       []string        `yaml:"onIssues"` // links, comments
	Deployments    bool            `yaml:"deployments"`
	DeploymentsAPI *DeploymentsAPI `yaml:"deploymentsAPI"`
}

// Sources says how repositories are looked at.
type Sources struct {
	AllowFileURLs bool          `yaml:"allowFileURLs"`
	PollInterval  time.Duration `yaml:"pollInterval"`
}

// Runners switches the runners on that act on this machine.
type Runners struct {
	Commands Commands `yaml:"commands"`
}

// Commands are local processes; User runs them as somebody else than the service.
type Commands struct {
	Enabled bool   `yaml:"enabled"`
	User    string `yaml:"user"`
	On      string `yaml:"on"` // local, or codebuild:PROJECT
}

// Project is the CodeBuild project that commands run on; empty: they run on this machine.
func (c Commands) Project() string {
	project, _ := strings.CutPrefix(c.On, onCodeBuild)
	if project == c.On {
		return ""
	}
	return project
}

const onCodeBuild = "codebuild:"

// Retention says how long things are kept after an execution has ended; what is left out: for ever.
type Retention struct {
	Executions age.Age `yaml:"executions"`
	Logs       age.Age `yaml:"logs"`
	Artifacts  age.Age `yaml:"artifacts"`
}

// Person joins the names one person has elsewhere to their e-mail address.
type Person struct {
	Email     string `yaml:"email"`
	GitHub    string `yaml:"github"`
	Jira      string `yaml:"jira"`
	GitLab    string `yaml:"gitlab"`    // user name
	Bitbucket string `yaml:"bitbucket"` // account ID, or the user name at Data Center
}

// Access says who may do what; package access judges it.
type Access struct {
	Groups   map[string][]string `yaml:"groups"`
	Deputies map[string]string   `yaml:"deputies"`
	Rules    []Rule              `yaml:"rules"`
	AllowAll bool                `yaml:"allowAll"`
}

// Rule allows verbs to people, on some pipelines or stages or on all.
type Rule struct {
	Allow []string `yaml:"allow"`
	To    []string `yaml:"to"`
	On    []string `yaml:"on"`
}

// API holds the machines that may call.
type API struct {
	Tokens []Token `yaml:"tokens"`
}

// Token is a machine: what it sends and what it may.
type Token struct {
	Name  string   `yaml:"name"`
	Token Secret   `yaml:"token"`
	May   []string `yaml:"may"`
}

// Problem is one fault of the file.
type Problem struct {
	File          string
	Line, Col     int
	Message, Hint string
	Unset         bool // a secret is not where the file says; nothing is wrong with the file itself
}

// Error is FILE:LINE:COL: message (hint).
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems are all faults of a file, in its order.
type Problems []Problem

// Error is one line per fault.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads and checks the file. The error is Problems when the file could be
// read but is not right.
func Load(path string) (*Config, error) {
	c, ps, err := Inspect(path)
	if err == nil && len(ps) > 0 {
		return nil, ps
	}
	return c, err
}

// Inspect reads and checks the file for somebody who only looks: what is wrong
// comes with what could be read.
func Inspect(path string) (*Config, Problems, error) { return inspect(path, nil) }

// inspect reads the file with the values of secrets that AWS keeps.
func inspect(path string, values map[string]string) (*Config, Problems, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("find the configuration: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	d := &decoder{file: path, dir: filepath.Dir(path), private: info.Mode().Perm()&0o077 == 0, values: values}
	c := &Config{path: path, Listen: "127.0.0.1:8484", DataDir: "./data", Pipelines: "./pipelines", Sources: Sources{PollInterval: 30 * time.Second}}
	d.decodeFile(data, c)
	c.defaults()
	d.check(c)
	c.kept = d.kept
	c.DataDir, c.Pipelines = d.abs(c.DataDir), d.abs(c.Pipelines)
	return c, d.sorted(), nil
}

func (c *Config) defaults() {
	c.noPublicURL = c.PublicURL == ""
	or(&c.PublicURL, "http://"+c.Listen)
	if s := c.Slack; s != nil {
		or(&s.APIURL, "https://slack.com/api/")
		or(&s.Command, "/rollcall")
		s.APIURL = withSlash(s.APIURL)
	}
	if g := c.GitHub; g != nil {
		or(&g.APIURL, "https://api.github.com/")
		or(&g.CloneURL, "https://github.com/")
		g.APIURL, g.CloneURL = withSlash(g.APIURL), withSlash(g.CloneURL)
	}
	if j := c.Jira; j != nil {
		or(&j.IssueType, "Bug")
		j.accountDefaults()
		j.deploymentDefaults()
	}
	c.hostDefaults()
	c.awsDefaults()
}

// or gives a key that was left out its value.
func or(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func withSlash(u string) string { return strings.TrimSuffix(u, "/") + "/" }

// Policy is the configuration's part of who may do what.
func (c *Config) Policy() *access.Policy {
	p := &access.Policy{Admins: c.Admins, Tokens: map[string][]workflows.Verb{}}
	for _, t := range c.API.Tokens {
		p.Tokens[t.Name] = verbs(t.May)
	}
	c.hookRights(p.Tokens)
	if a := c.Access; a != nil {
		p.Groups, p.Deputies, p.AllowAll = a.Groups, a.Deputies, a.AllowAll
		for _, r := range a.Rules {
			p.Rules = append(p.Rules, access.Rule{Allow: verbs(r.Allow), To: r.To, On: r.On})
		}
	}
	return p
}

// Open is the one list of settings that leave more open than a team in
// production would want, a sentence each. They are said until they are closed.
func (c *Config) Open() []string {
	open := c.Policy().Open()
	if c.Sources.AllowFileURLs {
		open = append(open, "sources.allowFileURLs is on: pipelines may read every repository on this machine that the service can read")
	}
	if r := c.Runners.Commands; r.Enabled && r.Project() == "" && ownAccount(r.User) {
		open = append(open, "runners.commands.user names no other account: commands can read and change what the service can, its data folder and files with secrets too")
	}
	if http := c.openConsole(); http != "" {
		open = append(open, http)
	}
	return open
}

// ownAccount says whether commands of that user have no less than the service has.
func ownAccount(name string) bool {
	me, err := user.Current()
	return name == "" || name == "root" || err == nil && me.Username == name
}

func verbs(names []string) []workflows.Verb {
	vs := make([]workflows.Verb, len(names))
	for i, n := range names {
		_ = vs[i].UnmarshalText([]byte(n)) // never fails
	}
	return vs
}

// Warnings are sentences about what is set and is better set otherwise.
func (c *Config) Warnings() []string {
	var ws []string
	for _, t := range c.API.Tokens {
		if len(t.Token.value) < 16 && (!t.Token.kept || t.Token.Set()) {
			ws = append(ws, "the API token of "+t.Name+" is shorter than 16 characters and can be guessed")
		}
	}
	for _, h := range c.Hooks {
		if len(h.Secret.value) < 16 {
			ws = append(ws, "the secret of the hook "+h.Name+" is shorter than 16 characters and can be guessed")
		}
	}
	return ws
}

// Secrets are the values that must appear in no log, card or command.
func (c *Config) Secrets() []string {
	var all []Secret
	if s := c.Slack; s != nil {
		all = append(all, s.BotToken, s.SigningSecret, s.AppToken)
	}
	if g := c.GitHub; g != nil {
		all = append(all, g.Token, g.WebhookSecret)
		if g.App != nil {
			all = append(all, g.App.PrivateKey)
		}
	}
	if j := c.Jira; j != nil {
		all = append(all, j.Token, j.ClientSecret, j.WebhookSecret)
		if j.DeploymentsAPI != nil {
			all = append(all, j.DeploymentsAPI.ClientSecret)
		}
	}
	all = append(all, c.hostSecrets()...)
	if c.AWS != nil {
		for _, to := range c.AWS.Connections {
			all = append(all, to.Token)
		}
		for _, role := range c.AWS.Roles {
			all = append(all, role.ExternalID)
		}
	}
	for _, t := range c.API.Tokens {
		all = append(all, t.Token)
	}
	for _, h := range c.Hooks {
		all = append(all, h.Secret)
	}
	var values []string
	for _, s := range all {
		if s.value != "" {
			values = append(values, s.value)
		}
	}
	return values
}
