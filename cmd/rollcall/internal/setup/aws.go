package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Bridge is what has to be known of pipelines that stay in AWS CodePipeline.
type Bridge struct {
	Region    string
	RoleARN   string   // empty: the credentials that rollcall starts with
	Pipelines []string // their names in AWS
}

const (
	regionForm = `^[a-z]{2,4}(-[a-z]+)+-\d+$`
	roleForm   = `^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`
)

// Check says what is wrong with an answer, by its flag.
func (b Bridge) Check() error {
	wrong := func(flag, message, hint string) error {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: flag, Message: message, Hint: hint}
	}
	switch {
	case !has(regionForm, b.Region):
		return wrong("region", fmt.Sprintf("%q is no Region of AWS", b.Region), "for example eu-west-1")
	case b.RoleARN != "" && !has(roleForm, b.RoleARN):
		return wrong("role", fmt.Sprintf("%q is not the ARN of a role", b.RoleARN), "for example arn:aws:iam::111122223333:role/rollcall")
	}
	for _, name := range b.Pipelines {
		if !has(nameForm, name) {
			return wrong("pipeline", fmt.Sprintf("%q cannot be a pipeline's name", name), "its name in AWS CodePipeline")
		}
	}
	return nil
}

// Choose keeps the pipelines that are named, of those that AWS lists; none named: all.
func (b Bridge) Choose(listed, named []string) (Bridge, error) {
	if len(listed) == 0 {
		return b, &workflows.Problem{Code: workflows.CodePipelineNotFound, Field: "pipeline", Message: "AWS shows no pipelines in " + b.Region, Hint: "check the Region and the role"}
	}
	for _, name := range named {
		if !slices.Contains(listed, name) {
			return b, &workflows.Problem{Code: workflows.CodePipelineNotFound, Field: "pipeline", Message: "AWS shows no pipeline " + name + " in " + b.Region, Hint: "there are: " + words.List(listed, "and")}
		}
	}
	b.Pipelines = slices.Clone(listed)
	if len(named) > 0 {
		b.Pipelines = slices.Clone(named)
	}
	slices.Sort(b.Pipelines)
	b.Pipelines = slices.Compact(b.Pipelines)
	return b, b.Check()
}

// name is the bridge's: its Region, which is enough to tell the first ones apart.
func (b Bridge) name() string { return "aws-" + b.Region }

// Section is the part of the configuration that makes the pipelines appear.
func (b Bridge) Section() string {
	var s strings.Builder
	s.WriteString("bridges:   # pipelines that stay in AWS CodePipeline\n")
	fmt.Fprintf(&s, "  - name: %q\n    provider: aws-codepipeline\n    region: %q\n", b.name(), b.Region)
	if b.RoleARN != "" {
		fmt.Fprintf(&s, "    roleArn: %q\n", b.RoleARN)
	}
	s.WriteString("    mode: watch   # it never changes anything; act: approve, start, stop, retry and roll back from Slack\n")
	s.WriteString("    pipelines:   # each may have channel, owners, environments and approvals: docs/aws.md\n")
	for _, name := range b.Pipelines {
		fmt.Fprintf(&s, "      - {name: %q}\n", name)
	}
	return s.String()
}

// FilesWith are the files of a service that shows pipelines in AWS and begins with none of its own.
func (a Answers) FilesWith(b Bridge) []File {
	text := strings.Replace(a.configuration(), folder, "", 1) // none is there, and a folder that is named must be
	return []File{{"rollcall.yaml", text + b.Section()}, {"slack-app-manifest.yaml", slack.Manifest(a.Command, a.HTTP)}}
}

// AskBridge asks for what is not known of Slack and of AWS; list is asked which
// pipelines there are. It returns ErrStopped when there is nothing more to read.
func AskBridge(in io.Reader, out io.Writer, a Answers, b Bridge, list func(Bridge) ([]string, error)) (Answers, Bridge, error) {
	lines := bufio.NewScanner(in)
	fmt.Fprintln(out, "A few questions; an empty line takes what is in [brackets].")
	for _, q := range []question{
		{"Your e-mail address in Slack, to be an admin", "admin", &a.Admin, nil},
		{"The channel for cards and questions", "channel", &a.Channel, func() string { return a.Defaults().Channel }},
	} {
		if *q.to == "" {
			if err := q.put(lines, out, &a); err != nil {
				return a, b, err
			}
		}
	}
	for {
		if err := b.ask(lines, out, "The Region of the pipelines", "region", &b.Region, "eu-west-1"); err != nil {
			return a, b, err
		}
		if err := b.ask(lines, out, "The ARN of a role to look with; none: the credentials of this machine", "role", &b.RoleARN, ""); err != nil {
			return a, b, err
		}
		listed, err := list(b)
		if err == nil {
			b, err = b.pick(lines, out, listed)
		}
		var wrong *workflows.Problem
		if !errors.As(err, &wrong) {
			return a.Defaults(), b, err
		}
		fmt.Fprintf(out, "  %s: %s\n", wrong.Message, wrong.Hint)
		b = Bridge{}
	}
}

// ask asks for one answer about AWS, again where it is of no use.
func (b *Bridge) ask(lines *bufio.Scanner, out io.Writer, what, flag string, to *string, usual string) error {
	if *to != "" {
		return nil
	}
	for {
		hint := ""
		if usual != "" {
			hint = " [" + usual + "]"
		}
		fmt.Fprintf(out, "%s%s: ", what, hint)
		if !lines.Scan() {
			fmt.Fprintln(out)
			return ErrStopped
		}
		if *to = strings.TrimSpace(lines.Text()); *to == "" {
			*to = usual
		}
		var wrong *workflows.Problem
		if !errors.As(b.Check(), &wrong) || wrong.Field != flag {
			return nil
		}
		fmt.Fprintf(out, "  %s: %s\n", wrong.Message, wrong.Hint)
		*to = ""
	}
}

// pick shows the pipelines and asks which are meant.
func (b Bridge) pick(lines *bufio.Scanner, out io.Writer, listed []string) (Bridge, error) {
	if len(listed) == 0 {
		return b.Choose(nil, nil)
	}
	fmt.Fprintf(out, "AWS shows %s:\n", words.Count(len(listed), "pipeline"))
	for _, name := range listed {
		fmt.Fprintln(out, "  "+name)
	}
	for {
		fmt.Fprint(out, "Which of them, with commas between [all]: ")
		if !lines.Scan() {
			fmt.Fprintln(out)
			return b, ErrStopped
		}
		named := strings.FieldsFunc(lines.Text(), func(r rune) bool { return r == ',' || r == ' ' })
		if slices.Equal(named, []string{"all"}) {
			named = nil
		}
		chosen, err := b.Choose(listed, named)
		var wrong *workflows.Problem
		if !errors.As(err, &wrong) {
			return chosen, err
		}
		fmt.Fprintf(out, "  %s: %s\n", wrong.Message, wrong.Hint)
	}
}

// NextWith says what to do, in the order to do it. Run is how rollcall was called.
func (a Answers) NextWith(b Bridge, dir, run string) string {
	var steps []string
	file := filepath.Join(dir, "rollcall.yaml")
	if a.Admin == somebody {
		steps = append(steps, fmt.Sprintf("In %s, write your own e-mail address in the place of %s.", file, somebody))
	}
	steps = append(steps, a.slackApp(dir)...)
	steps = append(steps,
		fmt.Sprintf("Give the role no more than it needs:\n%s iam-policy --bridge %s --config %s", run, b.name(), file),
		fmt.Sprintf("In Slack: make the channel %s; when it is private, type /invite @rollcall in it.", a.Channel),
		fmt.Sprintf("See whether everything is there:\n%s doctor --config %s", run, file),
		fmt.Sprintf("%s serve --config %s\nWithin a minute every pipeline that runs has a card. To approve and roll back from Slack: mode: act.", run, file))
	return numbered(steps, "docs/aws.md")
}
