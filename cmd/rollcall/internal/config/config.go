// Package config reads rollcall.yaml, the service's one configuration file.
//
// Every problem of a file is reported at once, each with line and column, and
// nothing is started. A section that is absent is off. A secret is written as
// {env: NAME} or {file: PATH}; a literal is only taken from a file that nobody
// else can read (mode 0600). Relative paths are relative to the file.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

// Config is the whole configuration, checked, with every default filled in and
// every secret read. Paths are absolute.
type Config struct {
	Listen        string   `yaml:"listen"`
	PublicURL     string   `yaml:"publicURL"`
	MetricsListen string   `yaml:"metricsListen"`
	DataDir       string   `yaml:"dataDir"`
	Pipelines     string   `yaml:"pipelines"`
	Admins        []string `yaml:"admins"`
	Slack         *Slack   `yaml:"slack"`
	GitHub        *GitHub  `yaml:"github"`
	Jira          *Jira    `yaml:"jira"`
	AWS           *AWS     `yaml:"aws"`
	Sources       Sources  `yaml:"sources"`
	Runners       Runners  `yaml:"runners"`
	Freeze        []Freeze `yaml:"freeze"`
	People        []Person `yaml:"people"`
	Access        *Access  `yaml:"access"`
	API           API      `yaml:"api"`

	path    string
	freezes []workflows.Freeze
}

// Slack connects the chat: with SigningSecret over HTTP, with AppToken by Socket Mode.
type Slack struct {
	APIURL        string `yaml:"apiURL"`
	BotToken      Secret `yaml:"botToken"`
	SigningSecret Secret `yaml:"signingSecret"`
	AppToken      Secret `yaml:"appToken"`
	Channel       string `yaml:"channel"`
	Command       string `yaml:"command"`
}

// GitHub connects webhooks, sources and commit statuses.
type GitHub struct {
	APIURL        string     `yaml:"apiURL"`
	CloneURL      string     `yaml:"cloneURL"`
	Token         Secret     `yaml:"token"`
	App           *GitHubApp `yaml:"app"`
	WebhookSecret Secret     `yaml:"webhookSecret"`
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
	User          string `yaml:"user"`
	Token         Secret `yaml:"token"`
	Project       string `yaml:"project"`
	IssueType     string `yaml:"issueType"`
	WebhookSecret Secret `yaml:"webhookSecret"`
}

// AWS is where AWS actions run.
type AWS struct {
	Region      string `yaml:"region"`
	RoleARN     string `yaml:"roleArn"`
	EndpointURL string `yaml:"endpointURL"`
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
}

// Person joins the names one person has elsewhere to their e-mail address.
type Person struct {
	Email  string `yaml:"email"`
	GitHub string `yaml:"github"`
	Jira   string `yaml:"jira"`
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
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the configuration: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	d := &decoder{file: path, dir: filepath.Dir(path), private: info.Mode().Perm()&0o077 == 0}
	c := &Config{path: path, Listen: "127.0.0.1:8484", DataDir: "./data", Pipelines: "./pipelines", Sources: Sources{PollInterval: 30 * time.Second}}
	d.decodeFile(data, c)
	c.defaults()
	d.check(c)
	if ps := d.sorted(); len(ps) > 0 {
		return nil, ps
	}
	c.DataDir, c.Pipelines = d.abs(c.DataDir), d.abs(c.Pipelines)
	return c, nil
}

func (c *Config) defaults() {
	or := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
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
	}
}

func withSlash(u string) string { return strings.TrimSuffix(u, "/") + "/" }

// Policy is the configuration's part of who may do what.
func (c *Config) Policy() *access.Policy {
	p := &access.Policy{Admins: c.Admins, Tokens: map[string][]workflows.Verb{}}
	for _, t := range c.API.Tokens {
		p.Tokens[t.Name] = verbs(t.May)
	}
	if a := c.Access; a != nil {
		p.Groups, p.Deputies, p.AllowAll = a.Groups, a.Deputies, a.AllowAll
		for _, r := range a.Rules {
			p.Rules = append(p.Rules, access.Rule{Allow: verbs(r.Allow), To: r.To, On: r.On})
		}
	}
	return p
}

func verbs(names []string) []workflows.Verb {
	vs := make([]workflows.Verb, len(names))
	for i, n := range names {
		vs[i] = workflows.Verb(n)
	}
	return vs
}

// Warnings are sentences about what is set and has no effect in this version.
func (c *Config) Warnings() []string {
	var ws []string
	if c.MetricsListen != "" {
		ws = append(ws, "metricsListen is set, but this version has no metrics")
	}
	if c.AWS != nil {
		ws = append(ws, "aws is set, but this version runs no AWS actions")
	}
	for _, t := range c.API.Tokens {
		if len(t.Token.value) < 16 {
			ws = append(ws, "the API token of "+t.Name+" is shorter than 16 characters and can be guessed")
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
		all = append(all, j.Token, j.WebhookSecret)
	}
	for _, t := range c.API.Tokens {
		all = append(all, t.Token)
	}
	var values []string
	for _, s := range all {
		if s.value != "" {
			values = append(values, s.value)
		}
	}
	return values
}
