package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// ErrStopped is that the person ended the questions.
var ErrStopped = errors.New("stopped; nothing was written")

// question is one line to answer.
type question struct {
	ask, flag string
	to        *string
	otherwise func() string // what an empty line means
}

// Ask asks for what is not known yet, again where an answer is of no use, and
// returns the answers with their defaults. It returns ErrStopped when there is
// nothing more to read.
func Ask(in io.Reader, out io.Writer, a Answers) (Answers, error) {
	lines := bufio.NewScanner(in)
	fmt.Fprintln(out, "A few questions; an empty line takes what is in [brackets].")
	for _, q := range []question{
		{"Your e-mail address in Slack, to be an admin", "admin", &a.Admin, nil},
		{"The channel for cards and questions", "channel", &a.Channel, func() string { return a.Defaults().Channel }},
		{"The repository to release: OWNER/NAME at GitHub, or an address for git clone", "repository", &a.Repository, func() string { return someRepository }},
		{"Its branch", "branch", &a.Branch, func() string { return a.Defaults().Branch }},
		{"A public https address that Slack can call; none: Socket Mode, nothing comes in", "http", &a.HTTP, func() string { return "" }},
	} {
		if *q.to != "" {
			continue
		}
		if q.flag == "branch" && a.Repository == someRepository {
			a.Branch = someBranch
			continue
		}
		if err := q.put(lines, out, &a); err != nil {
			return a, err
		}
	}
	a = a.Defaults()
	return a, a.Check()
}

func (q question) put(lines *bufio.Scanner, out io.Writer, a *Answers) error {
	for {
		hint := ""
		if q.otherwise != nil && q.otherwise() != "" {
			hint = " [" + q.otherwise() + "]"
		}
		fmt.Fprintf(out, "%s%s: ", q.ask, hint)
		if !lines.Scan() {
			fmt.Fprintln(out)
			return ErrStopped
		}
		*q.to = strings.TrimSpace(lines.Text())
		if *q.to == "" {
			if q.otherwise == nil {
				continue
			}
			*q.to = q.otherwise()
		}
		var wrong *workflows.Problem
		if err := a.Defaults().Check(); !errors.As(err, &wrong) || wrong.Field != q.flag {
			return nil
		}
		fmt.Fprintf(out, "  %s: %s\n", wrong.Message, wrong.Hint)
		*q.to = ""
	}
}

// Next says what to do, in the order to do it. Run is how rollcall was called.
func (a Answers) Next(dir, run string) string {
	var steps []string
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	if a.Admin == somebody {
		add("In %s, write your own e-mail address in the place of %s;\nthe same in %s.", filepath.Join(dir, "rollcall.yaml"), somebody, filepath.Join(dir, "pipelines", a.Pipeline+".yaml"))
	}
	steps = append(steps, a.slackApp(dir)...)
	add("%s serve --config %s\nIts log says in words what Slack does not like, and when all is well.", run, filepath.Join(dir, "rollcall.yaml"))
	add("In Slack: make the channel %s; when it is private, type /invite @rollcall in it.\nThen type: %s start %s", a.Channel, a.Command, a.Pipeline)
	return numbered(steps, "docs/slack.md")
}

// slackApp says how the app comes to be, and its tokens.
func (a Answers) slackApp(dir string) (steps []string) {
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	add("Create the Slack app: open https://api.slack.com/apps?new_app=1, choose \"From a manifest\",\nyour workspace, then YAML, and paste %s.", filepath.Join(dir, "slack-app-manifest.yaml"))
	add("In the app: Install App. Take the Bot User OAuth Token from OAuth & Permissions:\nexport SLACK_BOT_TOKEN=xoxb-…")
	if a.HTTP == "" {
		add("Basic Information, App-Level Tokens: generate one with the scope connections:write:\nexport SLACK_APP_TOKEN=xapp-…")
	} else {
		add("Basic Information, App Credentials: take the Signing Secret:\nexport SLACK_SIGNING_SECRET=…")
		add("Let your TLS proxy pass %s/slack/ on to http://%s/slack/.", a.HTTP, a.Listen)
	}
	return steps
}

// numbered lists what to do, and where to read on.
func numbered(steps []string, page string) string {
	var b strings.Builder
	b.WriteString("Next:\n")
	for i, s := range steps {
		fmt.Fprintf(&b, "%2d. %s\n", i+1, strings.ReplaceAll(s, "\n", "\n    "))
	}
	b.WriteString("If something goes wrong: https://github.com/rollcall-bot/rollcall/blob/main/" + page + "\n")
	return b.String()
}
