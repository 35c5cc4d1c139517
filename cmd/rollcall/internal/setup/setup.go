// Package setup writes what a team begins with: a configuration, the manifest
// of its Slack app, and a first pipeline that runs as it is. It asks few
// questions, overwrites nothing, holds no secret, and says what to do next.
package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// Answers are what has to be known of a team. Every empty one has a default.
type Answers struct {
	Admin      string // e-mail address of who may do everything
	Channel    string // where cards appear, with "#"
	Repository string // OWNER/NAME at GitHub, or an address that git can clone
	Branch     string // whose pushes start the pipeline
	Pipeline   string // its name
	Command    string // the slash command
	HTTP       string // public https address that Slack calls; empty: Socket Mode
	Listen     string // HOST:PORT of the API and the probes
	Data       string // the data folder
}

// File is a file to write, its path relative to the folder.
type File struct{ Path, Text string }

// someRepository is public and small, so that a first execution works before
// there is anything of one's own.
const (
	someRepository = "octocat/Hello-World"
	someBranch     = "master"
	somebody       = "you@example.com"
)

// Defaults fills in what is empty.
func (a Answers) Defaults() Answers {
	or := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	or(&a.Admin, somebody)
	or(&a.Channel, "#deploys")
	or(&a.Command, "/rollcall")
	or(&a.Listen, "127.0.0.1:8484")
	or(&a.Data, "./data")
	if a.Repository == "" {
		a.Repository = someRepository
		or(&a.Branch, someBranch)
	}
	or(&a.Branch, "main")
	or(&a.Pipeline, pipelineName(a.Repository))
	a.Channel = "#" + strings.TrimPrefix(a.Channel, "#")
	a.HTTP = strings.TrimSuffix(a.HTTP, "/")
	return a
}

// The forms of answers. They are compiled where they are used: package level
// would cost every start of the binary, supervisors of commands among them.
const (
	nameForm    = `^[A-Za-z0-9.@_-]{1,100}$`
	listenForm  = `^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])?:[0-9]{1,5}$`
	commandForm = `^/[a-z0-9_-]{1,31}$`
	githubForm  = `^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`
	plainForm   = `^[A-Za-z0-9._~:/@%+,=-]+$` // nothing that YAML, or an action's #{…}, would read as more than text
)

func has(form, text string) bool { return regexp.MustCompile(form).MatchString(text) }

// isChannel says whether text is # and up to 80 letters, digits, _ and -.
func isChannel(text string) bool {
	name, ok := strings.CutPrefix(text, "#")
	return ok && name != "" && utf8.RuneCountInString(name) <= 80 && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_' && r != '-'
	})
}

// pipelineName makes a name of the last part of a repository's.
func pipelineName(repository string) string {
	base := strings.TrimSuffix(repository[strings.LastIndexAny(repository, "/:")+1:], ".git")
	base = regexp.MustCompile(`[^A-Za-z0-9_-]+`).ReplaceAllString(base, "-")
	if base = strings.Trim(strings.ToLower(base), "-"); base == "" { // a command would read -name as a flag
		return "webshop"
	}
	return base
}

// Check says what is wrong with an answer, by the answer's flag. The answers
// have their defaults.
func (a Answers) Check() error {
	wrong := func(flag, message, hint string) error {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: flag, Message: message, Hint: hint}
	}
	u, err := url.Parse(a.HTTP)
	switch {
	case !isMail(a.Admin):
		return wrong("admin", fmt.Sprintf("%q is no e-mail address", a.Admin), "the one of your Slack account, for example ana@acme.example")
	case !isChannel(a.Channel):
		return wrong("channel", fmt.Sprintf("%q is no channel", a.Channel), "for example #deploys")
	case !has(plainForm, a.Repository) || !has(githubForm, a.Repository) && !strings.ContainsAny(a.Repository, ":/"):
		return wrong("repository", fmt.Sprintf("%q is no repository", a.Repository), "OWNER/NAME at GitHub, or an address that git can clone")
	case !has(plainForm, a.Branch) || strings.HasPrefix(a.Branch, "-"):
		return wrong("branch", fmt.Sprintf("%q is no branch", a.Branch), "for example main")
	case !has(nameForm, a.Pipeline) || strings.HasPrefix(a.Pipeline, "."):
		return wrong("name", fmt.Sprintf("%q cannot be a pipeline's name", a.Pipeline), "letters, digits, . @ _ -")
	case !has(commandForm, a.Command):
		return wrong("command", fmt.Sprintf("%q cannot be a slash command", a.Command), "for example /rollcall: a slash and at most 31 small letters, digits, _ and -")
	case !has(listenForm, a.Listen):
		return wrong("listen", fmt.Sprintf("%q is no HOST:PORT", a.Listen), "for example 0.0.0.0:8484 in a container")
	case !has(plainForm, a.Data):
		return wrong("data", fmt.Sprintf("%q cannot be the data folder", a.Data), "for example /var/lib/rollcall")
	case a.HTTP != "" && (err != nil || u.Scheme != "https" || u.Host == "" || !has(plainForm, a.HTTP) || u.RawQuery+u.Fragment != ""):
		return wrong("http", fmt.Sprintf("%q is no address that Slack could call", a.HTTP), "for example https://rollcall.example.com")
	}
	// Whatever the forms above let pass: the reader of pipeline files has the last word.
	if p, faults := spec.Parse(a.Pipeline+".yaml", []byte(a.pipeline())); p == nil {
		return wrong("", "these answers make no pipeline: "+faults[0].Message, faults[0].Hint)
	}
	return nil
}

// Files are what Write writes for these answers, which have their defaults.
func (a Answers) Files() []File {
	return []File{
		{"rollcall.yaml", a.configuration() + runners},
		{"slack-app-manifest.yaml", slack.Manifest(a.Command, a.HTTP)},
		{filepath.Join("pipelines", a.Pipeline+".yaml"), a.pipeline()},
	}
}

func (a Answers) configuration() string {
	var b strings.Builder
	b.WriteString("# The service's one configuration file. Secrets are named here and live elsewhere:\n# {env: NAME} reads the environment, {file: PATH} a file.\n")
	if a.HTTP == "" {
		fmt.Fprintf(&b, "listen: %q   # API, /healthz, /readyz; nothing of Slack's comes in here\n", a.Listen)
	} else {
		fmt.Fprintf(&b, "listen: %q   # behind your TLS proxy, which passes %s/slack/ on\npublicURL: %q\n", a.Listen, a.HTTP, a.HTTP)
	}
	fmt.Fprintf(&b, "dataDir: %q\n"+folder, a.Data)
	fmt.Fprintf(&b, "admins: [%q]   # may do everything; members of the workspace may view\n", a.Admin)
	b.WriteString("slack:\n  botToken: {env: SLACK_BOT_TOKEN}            # xoxb-…\n")
	if a.HTTP == "" {
		b.WriteString("  appToken: {env: SLACK_APP_TOKEN}            # xapp-…, with connections:write: Socket Mode\n")
	} else {
		b.WriteString("  signingSecret: {env: SLACK_SIGNING_SECRET}  # Basic Information, App Credentials\n")
	}
	fmt.Fprintf(&b, "  channel: %q\n", a.Channel)
	if a.Command != "/rollcall" {
		fmt.Fprintf(&b, "  command: %s\n", a.Command)
	}
	return b.String()
}

const folder = "pipelines: ./pipelines\n"

// runners switches commands on, which the first pipeline needs.
const runners = "runners:\n  commands: {enabled: true}   # actions may run shell commands on this machine\n"

// source is the action that looks at the repository.
func (a Answers) source() string {
	if has(githubForm, a.Repository) {
		return fmt.Sprintf("{name: App, provider: GitHub, namespace: App, outputArtifacts: [app],\n         configuration: {FullRepositoryId: %q, BranchName: %q}}", a.Repository, a.Branch)
	}
	return fmt.Sprintf("{name: App, provider: Git, namespace: App, outputArtifacts: [app],\n         configuration: {Repository: %q, BranchName: %q}}", a.Repository, a.Branch)
}

func (a Answers) pipeline() string {
	return fmt.Sprintf(`# A first pipeline: it runs as it is, and changes nothing outside. Replace the two
# echo commands by yours. A change of this file takes effect within five seconds.
name: %q
channel: %q
owners: [%q]
stages:
  - name: Source
    actions:
      - %s
  - name: Build
    actions:
      - name: Test
        provider: Commands
        inputArtifacts: [app]
        commands: ["ls", "echo 'replace me: build and test here'"]
  - name: Production
    environment: production          # announced, and one click to roll back
    onFailure: {result: ROLLBACK}
    actions:
      - name: SignOff
        provider: Manual
        # While you are alone: whoever started it may approve it. Take that line out when you are two.
        approval:
          from: [%q]
          requesterMayApprove: true
      - name: Deploy
        provider: Commands
        runOrder: 2
        inputArtifacts: [app]
        commands: ["echo replace me: deploy #{App.CommitId} here"]
`, a.Pipeline, a.Channel, a.Admin, a.source(), a.Admin)
}

// Vacant refuses a folder in which one of the files is there already: to be
// asked before people answer questions, and again when they have.
func Vacant(dir string, files []File) error {
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Path)); err == nil {
			return exists(dir, f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", f.Path, err)
		}
	}
	return nil
}

// Write writes the files below dir, which is made when it is not there. When
// one of them is there already, nothing is written.
func Write(dir string, files []File) (err error) {
	if err := Vacant(dir, files); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", f.Path, err)
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return exists(dir, f)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
		made = append(made, path)
		_, err = out.WriteString(f.Text)
		if err = errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}

func exists(dir string, f File) error {
	return &workflows.Problem{Code: workflows.CodeConflict, Message: filepath.Join(dir, f.Path) + " is there already; nothing was written",
		Hint: "name another folder: rollcall init FOLDER"}
}

// isMail asks the one place that knows how rules name people, and keeps to
// characters that need no quoting anywhere.
func isMail(who string) bool {
	kind, _, ok := subject.Split(who)
	return ok && kind == subject.Mail && !strings.ContainsFunc(who, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}
